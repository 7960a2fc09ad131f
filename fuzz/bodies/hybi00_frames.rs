//! hybi-00: [`Decoder`] and [`Encoder`], whatever the pieces.

use tidegate_proto::Limits;
use tidegate_proto::hybi00::{Coding, Decoder, Encoder, Event, Violation};

use super::input::{Input, Pieces};
use super::oracle::hybi00::{self as oracle, Item};

pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let choices = input.byte();
    let coding = if choices & 1 == 0 { Coding::Text } else { Coding::Base64 };
    let bytes_max = [1 << 20, 20, 1, u64::MAX][usize::from(choices >> 1 & 3)];
    let pieces = input.pieces();
    let stream = input.rest();

    let (whole, violation) = decode(coding, bytes_max, stream, Pieces::WHOLE);
    let (cut, violation_cut) = decode(coding, bytes_max, stream, pieces);
    assert_eq!(violation, violation_cut, "{whole:?} and {cut:?}");
    let (expected, is_wrong) = oracle::read(stream, coding, bytes_max);
    assert_eq!(violation.is_some(), is_wrong, "{whole:?} is not {expected:?}");
    if violation.is_none() {
        assert_eq!(whole, cut);
        assert_eq!(whole, expected);
    }
    for items in [&whole, &cut] {
        let frames =
            |items: &[Item]| items.iter().filter(|item| matches!(item, Item::End | Item::Discarded)).count();
        assert_eq!(frames(items), frames(&expected), "frames before the violation are handed out");
    }
    for item in &whole {
        if let Item::Payload(payload) = item
            && violation.is_none()
            && whole.last() == Some(&Item::End)
        {
            assert_arrives(coding, payload);
        }
    }
}

fn decode(coding: Coding, bytes_max: u64, stream: &[u8], pieces: Pieces) -> (Vec<Item>, Option<Violation>) {
    let limits = Limits { frame_bytes_max: bytes_max, ..Limits::NONE };
    let mut decoder = Decoder::new(coding, limits);
    let mut items = Vec::new();
    let mut rest = stream;
    for len in pieces {
        let (piece, later) = rest.split_at(len.min(rest.len()));
        rest = later;
        let mut bytes = piece.to_vec();
        let mut at = 0;
        loop {
            match decoder.decode(&mut bytes[at..]) {
                Ok(None) => break,
                Ok(Some((consumed, event))) => {
                    assert!(consumed > 0, "every event comes forward");
                    at += consumed;
                    note(event, &mut items);
                }
                Err(violation) => {
                    assert_eq!(decoder.decode(&mut [0, 0xff]), Err(violation), "it is final");
                    assert_eq!(decoder.decode(&mut []), Err(violation), "it is final");
                    return (items, Some(violation));
                }
            }
        }
        assert_eq!(at, bytes.len(), "no byte is left over");
        if rest.is_empty() {
            break;
        }
    }
    (items, None)
}

fn note(event: Event<'_>, items: &mut Vec<Item>) {
    if items.last() == Some(&Item::Close) {
        assert_eq!(event, Event::Discarded { ends_frame: false }, "nothing follows the end");
        return;
    }
    match event {
        Event::Data { payload, starts_message, ends_message } => {
            if starts_message {
                items.push(Item::Begin);
            }
            match items.last_mut() {
                _ if payload.is_empty() => {}
                Some(Item::Payload(sofar)) => sofar.extend_from_slice(payload),
                _ => items.push(Item::Payload(payload.to_vec())),
            }
            if ends_message {
                items.push(Item::End);
            }
        }
        Event::Discarded { ends_frame: true } => items.push(Item::Discarded),
        Event::Discarded { ends_frame: false } => {}
        Event::Close => items.push(Item::Close),
    }
}

/// In one part and in two, a message arrives as it was sent.
fn assert_arrives(coding: Coding, payload: &[u8]) {
    for cut in [0, payload.len() / 2] {
        let (first, second) = payload.split_at(cut);
        let mut encoder = Encoder::new(coding);
        let mut wire = Vec::new();
        let sent =
            encoder.encode(first, false, &mut wire).and_then(|()| encoder.encode(second, true, &mut wire));
        assert!(sent.is_ok() && encoder.at_message_boundary());
        assert!(wire.len() <= payload.len() * 4 / 3 + 14, "seven bytes more for each part");
        let (items, violation) = decode(coding, u64::MAX, &wire, Pieces::WHOLE);
        assert_eq!(
            (items.as_slice(), violation),
            (&[Item::Begin, Item::Payload(payload.to_vec()), Item::End][..], None)
        );
    }
}
