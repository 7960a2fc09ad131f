//! draft-ietf-hybi-thewebsocketprotocol-00: the handshake of the time, frames of text, and bytes in base64.

mod base64;
mod framing;
mod handshake;

use tidegate_proto::Limits;
use tidegate_proto::hybi00::{Coding, Decoder, Event, Violation};

/// What a connection was told, with the parts of each message put together.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Message(Vec<u8>),
    /// A frame that has no meaning ended.
    Discarded,
    Close,
    Violation(Violation),
    /// The bytes ended inside a message of which so much had been handed out.
    Unfinished(Vec<u8>),
}

/// Feeds `bytes` in pieces of the given sizes (the last one repeats) as a driver would.
fn feed(mut decoder: Decoder, bytes: &[u8], pieces: &[usize]) -> Vec<Told> {
    let mut told = Vec::new();
    let mut message = None;
    let mut rest = bytes;
    let last = pieces.last().copied().unwrap_or(1).max(1);
    let mut sizes = pieces.iter().copied().chain(std::iter::repeat(last));
    while !rest.is_empty() {
        let (piece, later) = rest.split_at(sizes.next().unwrap().min(rest.len()));
        rest = later;
        let mut piece = piece.to_vec();
        let mut at = 0;
        while at < piece.len() {
            let (consumed, len) = match decoder.decode(&mut piece[at..]) {
                Ok(Some((consumed, event))) => (consumed, tell(event, &mut message, &mut told)),
                Ok(None) => panic!("bytes are never left over"),
                Err(violation) => {
                    assert_eq!(decoder.decode(&mut [0, 0xff]), Err(violation), "a violation is final");
                    told.push(Told::Violation(violation));
                    return told;
                }
            };
            assert!((1..=piece.len() - at).contains(&consumed) && len <= consumed);
            at += consumed;
        }
    }
    match message {
        Some(begun) => told.push(Told::Unfinished(begun)),
        None => assert!(decoder.decode(&mut []).unwrap().is_none(), "nothing is made of nothing"),
    }
    told
}

/// Notes an event and returns how many bytes of payload it had.
fn tell(event: Event<'_>, message: &mut Option<Vec<u8>>, told: &mut Vec<Told>) -> usize {
    match event {
        Event::Data { payload, starts_message, ends_message } => {
            assert_eq!(starts_message, message.is_none());
            let begun = message.get_or_insert_default();
            begun.extend_from_slice(payload);
            if ends_message {
                told.extend(message.take().map(Told::Message));
            }
            return payload.len();
        }
        Event::Discarded { ends_frame: true } => told.push(Told::Discarded),
        Event::Discarded { ends_frame: false } => {}
        Event::Close => told.push(Told::Close),
    }
    0
}

/// The same bytes in one piece and in single bytes.
fn received(coding: Coding, limits: Limits, bytes: &[u8]) -> Vec<Told> {
    let whole = feed(Decoder::new(coding, limits), bytes, &[bytes.len().max(1)]);
    let single = feed(Decoder::new(coding, limits), bytes, &[1]);
    assert_eq!(whole, single, "one piece and single bytes must tell the same");
    whole
}

fn text(message: &str) -> Told {
    Told::Message(message.into())
}
