//! Frames: what is text, what is discarded, what closes, and what is too much.

use super::*;
use proptest::prelude::*;
use tidegate_proto::hybi00::{CLOSING_FRAME, Encoder};
use tidegate_proto::{CloseCode, Closing};

fn server(bytes: &[u8]) -> Vec<Told> {
    received(Coding::Text, Limits::default(), bytes)
}

#[test]
fn c130_type_0_is_text_and_the_other_low_types_are_discarded() {
    assert_eq!(server(b"\x00Hello\xff\x00\xff\x00\xce\xba\xff"), [text("Hello"), text(""), text("κ")]);
    for kind in 0x01..=0x7f {
        let bytes = [b"\x00a\xff", &[kind][..], b"\x00 \x80 \xfe \xff\x00b\xff"].concat();
        assert_eq!(server(&bytes), [text("a"), Told::Discarded, text("b")], "{kind:#x}");
    }
    assert_eq!(server(b"\x00cut"), [Told::Unfinished(b"cut".into())]);
    assert_eq!(server(b"\x05cut"), []);
}

#[test]
fn c131_high_types_have_a_length_and_are_skipped() {
    for kind in 0x80..=0xff {
        let short = [&[kind, 3][..], b"\xff\x00\x81", b"\x00a\xff"].concat();
        assert_eq!(server(&short), [Told::Discarded, text("a")], "{kind:#x}");
        let long = [&[kind, 0x82, 0x2c][..], &[0xff; 0x12c], b"\x00a\xff"].concat();
        assert_eq!(server(&long), [Told::Discarded, text("a")], "{kind:#x}, 300 bytes");
    }
    assert_eq!(server(b"\x80\x00\x00a\xff"), [Told::Discarded, text("a")], "no bytes at all");
    assert_eq!(server(b"\x80\x80\x80\x80\x05\x00\xff\xff\x00\xff\x00a\xff"), [Told::Discarded, text("a")]);
    assert_eq!(server(b"\x80\x05abc"), []);
}

#[test]
fn c131_type_ff_with_length_0_closes() {
    assert_eq!(server(b"\x00a\xff\xff\x00"), [text("a"), Told::Close]);
    assert_eq!(server(&CLOSING_FRAME), [Told::Close]);
    assert_eq!(server(b"\xff\x80\x00"), [Told::Close], "the length counts, not its spelling");
    assert_eq!(server(b"\xfe\x00\x00a\xff"), [Told::Discarded, text("a")], "only type FF closes");
    assert_eq!(server(b"\xff\x01x\x00a\xff"), [Told::Discarded, text("a")], "t219: length 1 does not close");
}

#[test]
fn c132_nothing_is_read_after_the_closing_frame_and_one_is_sent() {
    assert_eq!(server(b"\xff\x00\x00a\xff\xff\x00\xff\xff\xff\xff"), [Told::Close]);
    let mut decoder = Decoder::new(Coding::Text, Limits::default());
    assert_eq!(decoder.decode(&mut [0xff, 0, 0, 1]), Ok(Some((2, Event::Close))));
    assert!(decoder.at_frame_boundary());

    let mut closing = Closing::default();
    assert!(closing.receive(), "one is owed");
    assert!(closing.send() && !closing.send() && closing.is_complete() && !closing.may_send());
}

#[test]
fn c133_no_byte_ff_goes_out_inside_text() {
    let mut encoder = Encoder::new(Coding::Text);
    let mut wire = Vec::new();
    for bad in [&b"a\xffb"[..], b"\xff", b"\xc0\xaf", b"\xed\xa0\x80"] {
        assert_eq!(encoder.clone().encode(bad, true, &mut wire), Err(Violation::InvalidUtf8));
        assert_eq!(encoder.clone().encode(bad, false, &mut wire), Err(Violation::InvalidUtf8));
    }
    assert_eq!(encoder.encode(b"\xce", true, &mut wire), Err(Violation::InvalidUtf8), "a cut code point");
    assert!(wire.is_empty(), "nothing of it is written");

    let mut encoder = Encoder::new(Coding::Text);
    encoder.encode(b"", false, &mut wire).unwrap();
    assert!(wire.is_empty() && encoder.at_message_boundary(), "a part that says nothing begins nothing");
    for (part, ends) in [(&b"\xce"[..], false), (b"\xba", false), (b"", true), (b"", true), (b"b", true)] {
        encoder.encode(part, ends, &mut wire).unwrap();
        assert_eq!(encoder.at_message_boundary(), ends);
    }
    assert_eq!(wire, b"\x00\xce\xba\xff\x00\xff\x00b\xff");
}

#[test]
fn t215_a_message_above_the_limit_fails_and_is_never_held() {
    let limits =
        |frame, message| Limits { frame_bytes_max: frame, message_bytes_max: message, ..Limits::default() };
    for limits in [limits(4, 9), limits(9, 4)] {
        let passes = [text("abcd"), text("efgh")];
        assert_eq!(received(Coding::Text, limits, b"\x00abcd\xff\x00efgh\xff"), passes);
        let too_big = [Told::Violation(Violation::TooBig)];
        assert_eq!(received(Coding::Text, limits, b"\x00abcde"), too_big);
        assert_eq!(received(Coding::Text, limits, b"\x01abcde"), too_big, "discarded frames count as well");
        assert_eq!(received(Coding::Base64, limits, b"\x00abcde"), too_big, "as on the wire");
        assert_eq!(
            received(Coding::Text, limits, b"\x01abcd\xff\x82\x04abcd"),
            [Told::Discarded, Told::Discarded]
        );
        assert_eq!(received(Coding::Text, limits, b"\x82\x05"), too_big);
    }
    // Of two violations, the one that comes first on the wire is told.
    let invalid = [Told::Violation(Violation::InvalidUtf8)];
    assert_eq!(received(Coding::Text, limits(4, 4), b"\x00abc\x80efgh"), invalid);
    assert_eq!(Violation::TooBig.close_code(), CloseCode::TOO_BIG);
}

#[test]
fn t216_t217_a_length_without_end_fails_at_once() {
    let limits = Limits { frame_bytes_max: 1 << 20, ..Limits::default() };
    let told = |bytes: &[u8]| received(Coding::Text, limits, bytes);
    assert_eq!(
        told(b"\x80\xff\xff\xff"),
        [Told::Violation(Violation::TooBig)],
        "above the limit after three bytes"
    );
    assert_eq!(told(b"\x80\xff\xff"), []);
    let zeros = [&[0x80][..], &[0x80; 9]].concat();
    assert_eq!(told(&zeros), []);
    assert_eq!(told(&[&zeros[..], &[0]].concat()), [Told::Violation(Violation::LengthTooLong)]);
    assert_eq!(told(&[&zeros[..9], &[0]].concat()), [Told::Discarded], "nine bytes are allowed");

    let unlimited = |bytes: &[u8]| received(Coding::Text, Limits::NONE, bytes);
    assert_eq!(unlimited(b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), [], "no limit, no overflow");
    assert_eq!(unlimited(&[0xff; 11]), [Told::Violation(Violation::LengthTooLong)]);
    assert_eq!(Violation::LengthTooLong.close_code(), CloseCode::PROTOCOL_ERROR);

    // A million of them hold nothing and come to an end.
    let mut decoder = Decoder::new(Coding::Text, limits);
    for _ in 0..1_000_000 {
        let event = Event::Discarded { ends_frame: true };
        assert_eq!(decoder.decode(&mut [0x80, 0x80, 0x80, 0x80, 0]), Ok(Some((5, event))));
    }
}

#[test]
fn t220_text_that_is_not_utf_8_fails_at_the_byte_that_decides() {
    for bad in
        [&b"\xce\xba\xed\xa0"[..], b"\xf4\x90", b"\xc0", b"\xfe", b"\x80", b"\xe2\x82a", b"\xe2\x82\xff"]
    {
        let bytes = [b"\x00", bad].concat();
        assert_eq!(server(&bytes), [Told::Violation(Violation::InvalidUtf8)], "{}", bad.escape_ascii());
        let undecided = &bytes[..bytes.len() - 1];
        assert!(
            !server(undecided).contains(&Told::Violation(Violation::InvalidUtf8)),
            "{}",
            bad.escape_ascii()
        );
    }
    assert_eq!(server(b"\x05\xed\xa0\x80\xff"), [Told::Discarded], "what is discarded is not looked at");
    assert_eq!(Violation::InvalidUtf8.close_code(), CloseCode::INVALID_PAYLOAD);
}

#[test]
fn payload_is_the_end_of_what_was_consumed_and_nothing_behind_it_is_touched() {
    let mut bytes = *b"\x00Hello\xff\x00rest";
    let mut decoder = Decoder::new(Coding::Text, Limits::default());
    let (consumed, event) = decoder.decode(&mut bytes).unwrap().unwrap();
    assert_eq!(consumed, 7);
    let payload: &mut [u8] = &mut b"Hello".to_owned();
    assert_eq!(event, Event::Data { payload, starts_message: true, ends_message: true });
    assert_eq!(&bytes[2..], b"Hello\x00rest");
}

#[test]
fn the_end_of_a_message_is_found_wherever_it_is() {
    for len in 0..200 {
        let message = "a".repeat(len);
        let bytes = [b"\x00", message.as_bytes(), b"\xff\x7f", message.as_bytes(), b"\xff\x00b\xff"].concat();
        assert_eq!(server(&bytes), [text(&message), Told::Discarded, text("b")], "{len}");
    }
}

#[test]
fn a_boundary_is_between_frames_only() {
    let mut decoder = Decoder::new(Coding::Text, Limits::default());
    let bytes = b"\x00a\xff\x05a\xff\x81\x01a\xff\x00";
    let at_boundary = [false, false, true, false, false, true, false, false, true, false, true];
    for (byte, expected) in bytes.iter().zip(at_boundary) {
        assert!(decoder.decode(&mut [*byte]).is_ok());
        assert_eq!(decoder.at_frame_boundary(), expected, "after {byte:#x}");
    }
}

#[test]
fn the_state_is_small() {
    assert!(size_of::<Decoder>() <= 48, "{}", size_of::<Decoder>());
    assert!(size_of::<Encoder>() <= 16, "{}", size_of::<Encoder>());
}

proptest! {
    #[test]
    fn any_split_tells_the_same(
        parts in proptest::collection::vec(
            prop_oneof![
                4 => ".{0,12}".prop_map(|text| [b"\x00", text.as_bytes(), b"\xff"].concat()),
                2 => proptest::collection::vec(any::<u8>(), 0..20).prop_map(|junk| [b"\x00", &junk[..], b"\xff"].concat()),
                2 => (1u8..0x80, ".{0,6}").prop_map(|(kind, junk)| [&[kind][..], junk.as_bytes(), b"\xff"].concat()),
                2 => (0x80u8.., 0u8..8).prop_map(|(kind, len)| [&[kind, len][..], &vec![0xff; len.into()]].concat()),
                1 => proptest::collection::vec(any::<u8>(), 0..6),
            ],
            0..6,
        ),
        base64: bool,
        pieces in proptest::collection::vec(1usize..20, 1..12),
    ) {
        let bytes = parts.concat();
        let coding = if base64 { Coding::Base64 } else { Coding::Text };
        let limits = Limits { frame_bytes_max: 16, ..Limits::default() };
        let whole = received(coding, limits, &bytes);
        prop_assert_eq!(&whole, &feed(Decoder::new(coding, limits), &bytes, &pieces));
    }

    #[test]
    fn what_is_encoded_is_decoded(
        messages in proptest::collection::vec(proptest::collection::vec(any::<char>(), 0..12), 0..5),
        cuts in proptest::collection::vec(0usize..9, 1..6),
        pieces in proptest::collection::vec(1usize..20, 1..12),
    ) {
        let messages: Vec<String> = messages.into_iter().map(String::from_iter).collect();
        let mut encoder = Encoder::new(Coding::Text);
        let mut wire = Vec::new();
        for message in &messages {
            let mut rest = message.as_bytes();
            for cut in &cuts {
                let (part, later) = rest.split_at(rest.len().min(*cut));
                encoder.encode(part, false, &mut wire).unwrap();
                rest = later;
            }
            encoder.encode(rest, true, &mut wire).unwrap();
        }
        let told = feed(Decoder::new(Coding::Text, Limits::default()), &wire, &pieces);
        prop_assert_eq!(told, messages.iter().map(|message| text(message)).collect::<Vec<_>>());
    }
}
