//! Frames, fragments, control frames and limits, as a stream of bytes that may be cut anywhere.

use proptest::prelude::*;
use tidegate_proto::{Decoder, Event, Limits, MessageType, Reserved, Role, Violation};

/// What a connection was told, with the chunks of each message put together.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Message(MessageType, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    Violation(Violation),
    /// The bytes ended inside a message of which so much had been handed out.
    Unfinished(Vec<u8>),
}

/// Feeds `bytes` in pieces of the given sizes (the last one repeats) as a driver would, with a carry.
fn feed(mut decoder: Decoder, bytes: &[u8], pieces: &[usize]) -> Vec<Told> {
    let mut told = Vec::new();
    let mut message = Vec::new();
    let mut buffer = Vec::new();
    let mut rest = bytes;
    let mut sizes =
        pieces.iter().copied().chain(std::iter::repeat(pieces.last().copied().unwrap_or(1).max(1)));
    while !rest.is_empty() {
        let (piece, later) = rest.split_at(sizes.next().unwrap().min(rest.len()));
        rest = later;
        buffer.extend_from_slice(piece);
        let mut at = 0;
        loop {
            match decoder.decode(&mut buffer[at..]) {
                Ok(None) => break,
                Ok(Some((consumed, event))) => {
                    match event {
                        Event::Data { message: kind, payload, starts_message, ends_message, .. } => {
                            assert!(!starts_message || message.is_empty());
                            message.extend_from_slice(payload);
                            if ends_message {
                                told.push(Told::Message(kind, std::mem::take(&mut message)));
                            }
                        }
                        Event::Ping(payload) => told.push(Told::Ping(payload.to_vec())),
                        Event::Pong(payload) => told.push(Told::Pong(payload.to_vec())),
                        Event::Close(close) => {
                            told.push(Told::Close(close.code.map(|c| c.get()), close.reason.to_owned()));
                            return told;
                        }
                    }
                    at += consumed;
                }
                Err(violation) => {
                    assert_eq!(
                        decoder.decode(&mut [0x81, 0x80, 0, 0, 0, 0]),
                        Err(violation),
                        "a violation is final"
                    );
                    told.push(Told::Violation(violation));
                    return told;
                }
            }
        }
        buffer.drain(..at);
        assert!(buffer.len() < tidegate_proto::CARRY_BYTES_MAX);
    }
    if !decoder.at_message_boundary() {
        told.push(Told::Unfinished(message));
    }
    told
}

fn server(limits: Limits, bytes: &[u8]) -> Vec<Told> {
    let whole = feed(Decoder::new(Role::Server, limits), bytes, &[bytes.len().max(1)]);
    let single = feed(Decoder::new(Role::Server, limits), bytes, &[1]);
    assert_eq!(whole, single, "one piece and single bytes must tell the same");
    whole
}

/// A client's frame with an all-zero key, so that the payload stays readable.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        len @ 0..=125 => out.push(0x80 | len as u8),
        len @ 126..=0xffff => {
            out.push(0xfe);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(0xff);
            out.extend((len as u64).to_be_bytes());
        }
    }
    out.extend([0; 4]);
    out.extend(payload);
    out
}

fn refused(bytes: &[u8], violation: Violation) {
    assert_eq!(server(Limits::default(), bytes).last(), Some(&Told::Violation(violation)), "{bytes:x?}");
}

#[test]
fn c031_unmasked_client_frame_fails() {
    refused(b"\x81\x05Hello", Violation::MaskMissing);
}

#[test]
fn c034_masked_server_frame_fails() {
    let told = feed(Decoder::new(Role::Client, Limits::default()), &frame(0x81, b"x"), &[99]);
    assert_eq!(told, [Told::Violation(Violation::MaskUnexpected)]);
}

#[test]
fn c035_reserved_bits_fail() {
    for bits in [0x40, 0x20, 0x10, 0x70] {
        refused(&frame(0x81 | bits, b"x"), Violation::ReservedBits);
        refused(&frame(0x89 | bits, b"x"), Violation::ReservedBits);
    }
}

#[test]
fn c036_c037_unknown_opcodes_fail_before_the_payload() {
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        refused(&[0x80 | opcode, 0xff, 0, 0, 0, 1, 0, 0, 0, 0], Violation::UnknownOpcode(opcode));
    }
}

#[test]
fn c038_c039_c040_lengths() {
    for len in [0, 1, 125, 126, 127, 65535, 65536, 70000] {
        let payload = vec![b'a'; len];
        let told = feed(Decoder::new(Role::Server, Limits::default()), &frame(0x82, &payload), &[1000]);
        assert_eq!(told, [Told::Message(MessageType::Binary, payload)]);
    }
    refused(b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff", Violation::LengthTopBit);
    refused(b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xfc", Violation::LengthTopBit);
    refused(b"\x82\xfe\x00\x7c", Violation::LengthNotMinimal);
    refused(b"\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff", Violation::LengthNotMinimal);
}

#[test]
fn c042_any_key_unmasks() {
    let bytes = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    assert_eq!(server(Limits::default(), bytes), [Told::Message(MessageType::Text, b"Hello".to_vec())]);
}

#[test]
fn c043_c044_c048_fragments_with_a_ping_between() {
    let bytes =
        [frame(0x01, b"Hel"), frame(0x89, b"p"), frame(0x00, b""), frame(0x8a, b"q"), frame(0x80, b"lo")]
            .concat();
    let text = Told::Message(MessageType::Text, b"Hello".to_vec());
    assert_eq!(
        server(Limits::default(), &bytes),
        [Told::Ping(b"p".to_vec()), Told::Pong(b"q".to_vec()), text]
    );
}

#[test]
fn c045_interleaved_message_fails() {
    refused(&[frame(0x01, b"a"), frame(0x81, b"b")].concat(), Violation::MessageInterrupted);
}

#[test]
fn c046_stray_continuation_fails() {
    refused(&frame(0x80, b"a"), Violation::ContinuationWithoutStart);
    refused(&frame(0x00, b"a"), Violation::ContinuationWithoutStart);
    refused(&[frame(0x81, b"a"), frame(0x80, b"b")].concat(), Violation::ContinuationWithoutStart);
}

#[test]
fn c047_c052_control_frames_are_short_and_whole() {
    for opcode in [8, 9, 10] {
        refused(&frame(opcode, b""), Violation::ControlFragmented);
        refused(&frame(0x80 | opcode, &[b'a'; 126]), Violation::ControlTooLong);
        refused(&[0x80 | opcode, 0xff], Violation::ControlTooLong);
    }
    let longest = [b'a'; 125];
    assert_eq!(server(Limits::default(), &frame(0x89, &longest)), [Told::Ping(longest.to_vec())]);
}

#[test]
fn c053_c073_c074_c075_close_bodies() {
    for code in (1000..=1003).chain(1007..=1014).chain([3000, 3999, 4000, 4999]) {
        let body = [&u16::to_be_bytes(code)[..], "wégh".as_bytes()].concat();
        assert_eq!(server(Limits::default(), &frame(0x88, &body)), [Told::Close(Some(code), "wégh".into())]);
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
        refused(&frame(0x88, &u16::to_be_bytes(code)), Violation::CloseCodeInvalid(code));
    }
    assert_eq!(server(Limits::default(), &frame(0x88, b"")), [Told::Close(None, String::new())]);
    refused(&frame(0x88, b"\x03"), Violation::CloseBodyTooShort);
    refused(&frame(0x88, b"\x03\xe8\xc0"), Violation::CloseReasonInvalidUtf8);
}

#[test]
fn c061_a_code_point_may_be_cut_by_fragments() {
    let text = "κόσμε\u{10ffff}";
    for cut in 0..=text.len() {
        let (a, b) = text.as_bytes().split_at(cut);
        let bytes = [frame(0x01, a), frame(0x80, b)].concat();
        assert_eq!(server(Limits::default(), &bytes), [Told::Message(MessageType::Text, text.into())]);
    }
}

#[test]
fn c062_c063_invalid_text_fails_before_the_frame_ends() {
    for bad in
        [&b"\xce\xba\xed\xa0\x80"[..], b"\xf4\x90\x80\x80", b"\xc0\xaf", b"\xfe", b"\xf8\x88\x80\x80\x80"]
    {
        refused(&frame(0x81, bad), Violation::InvalidUtf8);
        let mut unfinished = frame(0x01, &[bad, &[b'x'; 1000]].concat());
        unfinished.truncate(6 + 2 + bad.len() + 10);
        refused(&unfinished, Violation::InvalidUtf8);
    }
    refused(&frame(0x81, b"\xe2\x82"), Violation::InvalidUtf8);
    refused(&[frame(0x01, b"\xe2\x82"), frame(0x80, b"")].concat(), Violation::InvalidUtf8);
    assert_eq!(
        server(Limits::default(), &frame(0x82, b"\xff\xfe")),
        [Told::Message(MessageType::Binary, b"\xff\xfe".to_vec())],
        "c064: binary is not looked at"
    );
}

#[test]
fn c080_limits_hold_at_the_bound_and_fail_above_it() {
    let limits = Limits { frame_bytes_max: 10, message_bytes_max: 15, fragments_max: 3 };
    let passes =
        |parts: &[Vec<u8>]| assert!(matches!(server(limits, &parts.concat())[..], [Told::Message(..)]));
    let fails = |parts: &[Vec<u8>], violation| {
        assert_eq!(server(limits, &parts.concat()), [Told::Violation(violation)]);
    };
    passes(&[frame(0x82, &[0; 10])]);
    fails(&[frame(0x82, &[0; 11])], Violation::FrameTooBig);
    passes(&[frame(0x02, &[0; 10]), frame(0x80, &[0; 5])]);
    fails(&[frame(0x02, &[0; 10]), frame(0x80, &[0; 6])], Violation::MessageTooBig);
    passes(&[frame(0x02, b"a"), frame(0x00, b""), frame(0x80, b"b")]);
    fails(
        &[frame(0x02, b"a"), frame(0x00, b""), frame(0x00, b""), frame(0x00, b"")],
        Violation::TooManyFragments,
    );

    let huge = [0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
    refused(&huge, Violation::FrameTooBig);
    let two_of_them = [&[0x02][..], &huge[1..]].concat();
    let mut unlimited = Decoder::new(Role::Server, Limits::NONE);
    assert!(unlimited.step(&two_of_them).unwrap().is_some(), "no limit but the protocol's");
}

#[test]
fn c089_rsv1_only_on_the_first_frame_of_a_data_message() {
    let deflate = || Decoder::new(Role::Server, Limits::default()).with_reserved(Reserved::PermessageDeflate);
    let ok = [frame(0x41, b"\xff"), frame(0x80, b"\xff"), frame(0x81, b"plain")].concat();
    assert_eq!(
        feed(deflate(), &ok, &[1]).len(),
        2,
        "compressed text is not checked, and a plain message may follow"
    );
    for bad in [
        [frame(0x41, b"a"), frame(0xc0, b"b")].concat(),
        frame(0xc9, b""),
        frame(0xc8, b""),
        frame(0x61 | 0x80, b""),
    ] {
        assert_eq!(feed(deflate(), &bad, &[99]), [Told::Violation(Violation::ReservedBits)]);
    }
}

#[test]
fn a_step_leaves_the_bytes_alone_and_agrees_with_decode() {
    let bytes = [frame(0x01, b"Hel"), frame(0x89, b"p"), frame(0x80, b"lo"), frame(0x88, b"")].concat();
    let (mut stepping, mut decoding) =
        (Decoder::new(Role::Server, Limits::default()), Decoder::new(Role::Server, Limits::default()));
    let mut copy = bytes.clone();
    let mut at = 0;
    while let Some(step) = stepping.step(&bytes[at..]).unwrap() {
        let (consumed, _) = decoding.decode(&mut copy[at..]).unwrap().unwrap();
        assert_eq!(step.len(), consumed);
        assert!(!step.is_empty());
        at += consumed;
    }
    assert_eq!(at, bytes.len());
}

proptest! {
    /// The law of stream parsers: any split of the bytes tells the same.
    #[test]
    fn c065_any_segmentation_gives_the_same_result(
        parts in proptest::collection::vec(
            (
                prop_oneof![4 => Just(0x81u8), 2 => Just(0x82), 2 => Just(0x01), 3 => Just(0x00), 3 => Just(0x80), 2 => Just(0x89), 1 => Just(0x8a), 1 => any::<u8>()],
                prop_oneof![".{0,20}".prop_map(String::into_bytes), proptest::collection::vec(any::<u8>(), 0..140)],
                any::<[u8; 4]>(),
            ),
            0..8,
        ),
        garbage in proptest::collection::vec(any::<u8>(), 0..20),
        pieces in proptest::collection::vec(1usize..60, 1..20),
    ) {
        let mut bytes = Vec::new();
        for (first, payload, key) in parts {
            let mut one = frame(first, &payload);
            let start = one.len() - payload.len();
            one[start - 4..start].copy_from_slice(&key);
            for (i, byte) in one[start..].iter_mut().enumerate() { *byte ^= key[i % 4]; }
            bytes.extend(one);
        }
        bytes.extend(garbage);
        let limits = Limits { frame_bytes_max: 130, message_bytes_max: 200, fragments_max: 4 };
        let whole = feed(Decoder::new(Role::Server, limits), &bytes, &[bytes.len().max(1)]);
        prop_assert_eq!(&whole, &feed(Decoder::new(Role::Server, limits), &bytes, &pieces));
        prop_assert_eq!(&whole, &feed(Decoder::new(Role::Server, limits), &bytes, &[1]));
    }
}
