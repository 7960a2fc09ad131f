//! Bytes in messages of text: base64 both ways, cut anywhere.

use super::*;
use proptest::prelude::*;
use tidegate_proto::CloseCode;
use tidegate_proto::hybi00::Encoder;

fn encode(parts: &[&[u8]]) -> Vec<u8> {
    let mut wire = Vec::new();
    let mut encoder = Encoder::new(Coding::Base64);
    for (index, part) in parts.iter().enumerate() {
        encoder.encode(part, index + 1 == parts.len(), &mut wire).unwrap();
    }
    assert!(encoder.at_message_boundary());
    wire
}

fn server(bytes: &[u8]) -> Vec<Told> {
    received(Coding::Base64, Limits::default(), bytes)
}

#[test]
fn c133_bytes_travel_as_base64_of_their_own_in_each_message() {
    assert_eq!(encode(&[b"foobar"]), b"\x00Zm9vYmFy\xff");
    assert_eq!(encode(&[b"f"]), b"\x00Zg==\xff");
    assert_eq!(encode(&[b""]), b"\x00\xff");
    assert_eq!(server(b"\x00Zm9vYmFy\xff\x00Zg==\xff\x00\xff"), [text("foobar"), text("f"), text("")]);
    assert_eq!(
        server(b"\x00//8AgA==\xff"),
        [Told::Message(b"\xff\xff\x00\x80".into())],
        "not held to be text"
    );
    assert_eq!(server(b"\x01\xff\x81\x01\xff\x00Zg==\xff\xff\x00").last(), Some(&Told::Close));
}

#[test]
fn a_message_cut_at_every_byte_decodes_to_the_same() {
    for bytes in [&b"foob"[..], b"fooba", b"foobar", b"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7"] {
        let wire = encode(&[bytes]);
        for first in 1..=wire.len() {
            for second in 1..=wire.len() {
                let told = feed(Decoder::new(Coding::Base64, Limits::default()), &wire, &[first, second, 99]);
                assert_eq!(told, [Told::Message(bytes.into())], "cut after {first} and {second} more");
            }
        }
    }
}

#[test]
fn a_message_encoded_in_parts_is_the_same_as_in_one() {
    let bytes = b"\x00\x01\x02\xfd\xfe\xff\x80";
    for first in 0..=bytes.len() {
        for second in first..=bytes.len() {
            let parts = [&bytes[..first], &bytes[first..second], &bytes[second..]];
            assert_eq!(encode(&parts), encode(&[bytes]), "cut at {first} and {second}");
        }
    }
    let mut wire = Vec::new();
    let mut encoder = Encoder::new(Coding::Base64);
    encoder.encode(b"fo", false, &mut wire).unwrap();
    assert_eq!(wire, b"\x00", "two bytes wait for a third");
    assert!(!encoder.at_message_boundary());
    encoder.encode(b"oba", false, &mut wire).unwrap();
    assert_eq!(wire, b"\x00Zm9v", "whole groups wait for nothing");
}

#[test]
fn what_is_not_base64_fails() {
    for bad in [
        &b"Zg"[..], // an end that padding should have marked
        b"Z",
        b"Zg=",
        b"=",
        b"Zg==Zg==", // two in one message
        b"Zg\n==",
        b"Z g==",
        b"Zm_v",
        b"Zm9v\xce\xba",
        b"\x00",
    ] {
        let bytes = [b"\x00", bad, b"\xff"].concat();
        assert_eq!(server(&bytes), [Told::Violation(Violation::InvalidBase64)], "{}", bad.escape_ascii());
    }
    assert_eq!(server(b"\x00Z*"), [Told::Violation(Violation::InvalidBase64)], "before the message ends");
    assert_eq!(Violation::InvalidBase64.close_code(), CloseCode::INVALID_PAYLOAD);
}

#[test]
fn the_longest_encoding_is_as_long_as_promised() {
    for held in 0..3 {
        for len in 0..20 {
            let mut encoder = Encoder::new(Coding::Base64);
            let mut wire = Vec::new();
            encoder.encode(&vec![0; held], false, &mut wire).unwrap();
            let before = wire.len();
            encoder.encode(&vec![0; len], true, &mut wire).unwrap();
            assert!(wire.len() - before <= len * 4 / 3 + 7, "{len} bytes behind {held}");
        }
    }
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(
        messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..4),
        cut in 0usize..40,
        pieces in proptest::collection::vec(1usize..50, 1..12),
    ) {
        let wire: Vec<u8> = messages
            .iter()
            .flat_map(|message| {
                let (first, second) = message.split_at(cut.min(message.len()));
                encode(&[first, second])
            })
            .collect();
        let told = feed(Decoder::new(Coding::Base64, Limits::default()), &wire, &pieces);
        prop_assert_eq!(told, messages.into_iter().map(Told::Message).collect::<Vec<_>>());
    }
}
