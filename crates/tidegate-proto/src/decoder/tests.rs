use super::*;
use crate::FrameHeader;
use proptest::prelude::*;
use std::vec::Vec;

/// A frame with a length in its shortest form; without a mask if `key` is `None`.
fn frame(first: u8, payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let mask = key.map(MaskingKey::new);
    let header = FrameHeader {
        fin: false,
        reserved: 0,
        opcode: Opcode::Continuation,
        mask,
        payload_len: payload.len() as u64,
    };
    let mut bytes = header.encode().as_slice().to_vec();
    bytes[0] = first;
    let start = bytes.len();
    bytes.extend_from_slice(payload);
    unmask(mask, &mut bytes[start..]);
    bytes
}

/// What a decoder makes of `bytes` by a way of decoding, as comparable text; the end is the violation or what was left.
fn told(
    mut decoder: Decoder,
    mut bytes: Vec<u8>,
    decode: impl for<'a> Fn(&mut Decoder, &'a mut [u8]) -> Result<Option<(usize, Event<'a>)>, Violation>,
) -> Vec<std::string::String> {
    let mut told = Vec::new();
    let mut at = 0;
    loop {
        match decode(&mut decoder, &mut bytes[at..]) {
            Ok(Some((consumed, event))) => {
                told.push(std::format!("{consumed} {event:?}"));
                at += consumed;
            }
            end => {
                told.push(std::format!("{end:?} at {at}"));
                return told;
            }
        }
    }
}

const LIMITS: Limits = Limits { frame_bytes_max: 300, message_bytes_max: 400, fragments_max: 3 };

proptest! {
    /// The short cut exists for speed alone: without it, nothing that anybody can see is different.
    #[test]
    fn the_short_cut_tells_what_the_long_way_tells(
        frames in proptest::collection::vec(
            (
                prop_oneof![5 => Just(0x81u8), 5 => Just(0x82), 1 => Just(0x01), 1 => Just(0x00), 1 => Just(0x80), 1 => Just(0x89), 1 => any::<u8>()],
                prop_oneof![
                    4 => ".{0,40}".prop_map(std::string::String::into_bytes),
                    2 => "[ -~]{110,140}".prop_map(std::string::String::into_bytes),
                    2 => proptest::collection::vec(any::<u8>(), 0..310),
                    1 => proptest::collection::vec(any::<u8>(), 0..3),
                ],
                any::<[u8; 4]>(),
            ),
            0..6,
        ),
        client: bool,
        wrong_mask in 0usize..40,
        wrong_length in 0usize..40,
        cut in 0usize..2000,
        limits in prop_oneof![Just(LIMITS), Just(Limits::NONE), Just(Limits { fragments_max: 0, ..LIMITS })],
        reserved in prop_oneof![Just(Reserved::None), Just(Reserved::PermessageDeflate), Just(Reserved::Any)],
    ) {
        let role = if client { Role::Server } else { Role::Client };
        let mut bytes = Vec::new();
        for (index, (first, payload, key)) in frames.iter().enumerate() {
            let start = bytes.len();
            bytes.extend(frame(*first, payload, (client != (index == wrong_mask)).then_some(*key)));
            if index == wrong_length && payload.len() < 126 {
                bytes.splice(start + 1..start + 2, [bytes[start + 1] & 0x80 | 126, 0, u8::try_from(payload.len()).unwrap()]);
            }
        }
        bytes.truncate(cut);
        let decoder = Decoder::new(role, limits).with_reserved(reserved);
        prop_assert_eq!(
            told(decoder.clone(), bytes.clone(), Decoder::decode),
            told(decoder.clone(), bytes.clone(), Decoder::decode_any)
        );
        let (mut short, mut long) = (decoder.clone(), decoder);
        let mut rest = &bytes[..];
        loop {
            let (step, other) = (short.step(rest), long.step_any(rest));
            prop_assert_eq!(step, other);
            let Ok(Some(step)) = step else { break };
            rest = &rest[step.len()..];
        }
    }
}

#[test]
fn a_violation_is_found_as_soon_as_its_bytes_are_there() {
    let small = Limits { frame_bytes_max: 200, message_bytes_max: 250, fragments_max: 2 };
    let (started, twice) = (&b"\x01\x80\0\0\0\0"[..], &b"\x01\x80\0\0\0\0\x00\x80\0\0\0\0"[..]);
    let long = &frame(0x02, &[0; 200], Some([0; 4]))[..];
    for (before, bytes, violation) in [
        (&b""[..], &b"\xc1\x80"[..], Violation::ReservedBits),
        (b"", b"\x81\x00", Violation::MaskMissing),
        (b"", b"\x00\xfe", Violation::ContinuationWithoutStart),
        (b"", b"\x83\xff", Violation::UnknownOpcode(3)),
        (started, b"\x82\xff", Violation::MessageInterrupted),
        (twice, b"\x80\xfe", Violation::TooManyFragments),
        (b"", b"\x82\xfe\x00\xc9", Violation::FrameTooBig),
        (b"", b"\x82\xff\0\0\0\0\0\x01\0\0", Violation::FrameTooBig),
        (long, b"\x80\xb3", Violation::MessageTooBig),
        (b"", b"\x82\xfe\x00\x7d", Violation::LengthNotMinimal),
        (b"", b"\x88\x82\0\0\0\0\x03\xe7", Violation::CloseCodeInvalid(999)),
        (b"", b"\x81\x99\0\0\0\0ok\xc0", Violation::InvalidUtf8),
    ] {
        let mut decoder = Decoder::new(Role::Server, small);
        let mut before = before.to_vec();
        let mut rest = &mut before[..];
        while let Some((consumed, _)) = decoder.decode(rest).unwrap() {
            rest = &mut rest[consumed..];
        }
        assert!(rest.is_empty());
        let mut early = bytes[..bytes.len() - 1].to_vec();
        assert!(decoder.clone().decode(&mut early).is_ok(), "{bytes:x?} less one");
        assert_eq!(decoder.decode(&mut bytes.to_vec()), Err(violation), "{bytes:x?}");
    }
}

#[test]
fn a_length_in_more_bytes_than_it_needs_is_refused_with_the_whole_frame_there() {
    for (len, violation) in [(0, true), (1, true), (124, true), (125, true), (126, false)] {
        let whole = [&[0x82, 0xfe, 0, len, 0, 0, 0, 0][..], &[b'x'; 126][..usize::from(len)]].concat();
        let result =
            Decoder::new(Role::Server, LIMITS).decode(&mut whole.clone()).map(|event| event.is_some());
        assert_eq!(result, if violation { Err(Violation::LengthNotMinimal) } else { Ok(true) }, "{len}");
    }
}

#[test]
fn the_state_of_a_direction_is_small() {
    assert!(size_of::<Decoder>() <= 72, "{} bytes", size_of::<Decoder>());
}

/// What went elsewhere counts as if it had been seen, and what follows is found where it is.
#[test]
fn payload_that_is_skipped_counts_like_payload_that_is_seen() {
    let key = Some([1, 2, 3, 4]);
    let bytes =
        [frame(0x02, &[7; 70_000], key), frame(0x80, &[8; 300], key), frame(0x82, b"next", key)].concat();
    let mut seen = Decoder::new(Role::Server, Limits::default());
    let mut skipped = Decoder::new(Role::Server, Limits::default());
    assert_eq!(
        (skipped.frame_left(), skipped.skip(10)),
        (0, None),
        "between two frames there is nothing to skip"
    );
    let mut at = 0;
    while at < bytes.len() {
        // The header and some bytes are seen, the next 1000 bytes are not, as far as the frame goes.
        let step = skipped.step(&bytes[at..bytes.len().min(at + 15)]).unwrap().unwrap();
        assert_eq!(seen.step(&bytes[at..at + step.len()]), Ok(Some(step)));
        at += step.len();
        while skipped.frame_left() > 0 {
            let step = skipped.skip(1000).unwrap();
            assert_eq!(seen.step(&bytes[at..at + step.len()]), Ok(Some(step)));
            at += step.len();
        }
    }
    assert_eq!(at, bytes.len());
    assert!(skipped.at_message_boundary());
    skipped.step(&[0x83, 0x80]).unwrap_err();
    assert_eq!(skipped.skip(1), None);
}

/// Even a message of nothing has to wait for its turn, and to be allowed.
#[test]
fn an_empty_message_is_a_message() {
    let empty = b"\x81\x80\0\0\0\0";
    let mut decoder = Decoder::new(Role::Server, LIMITS);
    assert!(decoder.decode(&mut b"\x01\x80\0\0\0\0".to_vec()).is_ok());
    assert_eq!(decoder.decode(&mut empty.to_vec()), Err(Violation::MessageInterrupted));
    assert_eq!(
        decoder.decode(&mut empty.to_vec()),
        Err(Violation::MessageInterrupted),
        "a violation is final"
    );
    let mut decoder = Decoder::new(Role::Server, Limits { fragments_max: 0, ..LIMITS });
    assert_eq!(decoder.decode(&mut empty.to_vec()), Err(Violation::TooManyFragments));
}

#[test]
fn a_step_is_empty_where_it_consumes_nothing() {
    let step = Decoder::new(Role::Client, LIMITS).step(b"\x82\x01x").unwrap().unwrap();
    assert_eq!((step.len(), step.is_empty()), (3, false));
    assert!(Step { header_len: 0, payload_len: 0, ..step }.is_empty());
}

#[test]
fn where_a_frame_and_a_message_end_is_told() {
    let mut decoder = Decoder::new(Role::Client, LIMITS);
    for (bytes, at) in [
        (&b""[..], (0, true, true)),
        (b"\x02\x02a", (1, false, false)),
        (b"b", (0, true, false)),
        (b"\x80\x03c", (2, false, false)),
        (b"de", (0, true, true)),
    ] {
        decoder.step(bytes).unwrap();
        assert_eq!(
            (decoder.frame_left(), decoder.at_frame_boundary(), decoder.at_message_boundary()),
            at,
            "{bytes:x?}"
        );
    }
}

/// By the short cut, by the long way, and in the midst of a message.
#[test]
fn payload_is_handed_out_unmasked() {
    for (first, payload) in [(0x81, "ahoy ä"), (0x82, "ahoy"), (0x01, "ahoy"), (0x02, "ahoy"), (0x89, "ahoy")]
    {
        let masked = frame(first, payload.as_bytes(), Some([1, 2, 3, 4]));
        for decode in [Decoder::decode, Decoder::decode_any] {
            let mut bytes = masked.clone();
            let (_, event) = decode(&mut Decoder::new(Role::Server, LIMITS), &mut bytes).unwrap().unwrap();
            let got = match event {
                Event::Data { payload, .. } => &*payload,
                Event::Ping(payload) | Event::Pong(payload) => payload,
                Event::Close(_) => unreachable!("none was sent"),
            };
            assert_eq!(got, payload.as_bytes(), "{first:x}");
        }
    }
}

#[test]
fn of_both_limits_the_lower_counts_for_a_message_in_one_frame() {
    for (frame_bytes_max, message_bytes_max, violation) in
        [(200, 300, Violation::FrameTooBig), (300, 200, Violation::MessageTooBig)]
    {
        let limits = Limits { frame_bytes_max, message_bytes_max, fragments_max: 1 };
        let decoder = Decoder::new(Role::Client, limits);
        assert!(decoder.clone().step(&frame(0x82, &[0; 200], None)).is_ok_and(|step| step.is_some()));
        assert_eq!(decoder.clone().step(&frame(0x82, &[0; 201], None)), Err(violation));
    }
}
