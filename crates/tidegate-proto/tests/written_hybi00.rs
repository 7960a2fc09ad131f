//! The state of hybi-00, written down between any two bytes and taken up elsewhere, goes on as if nothing had been.

#![cfg(feature = "serde")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use proptest::collection::vec;
use proptest::prelude::*;
use tidegate_proto::Limits;
use tidegate_proto::hybi00::{Coding, Decoder, Encoder, Event, Violation};

/// What a direction came to: payload is joined as far as it belongs to one message.
#[derive(Debug, Default, PartialEq, Eq)]
struct Heard {
    /// With whether each has ended.
    messages: Vec<(Vec<u8>, bool)>,
    discarded: usize,
    closed: bool,
    violation: Option<Violation>,
}

proptest! {
    #[test]
    fn what_is_read_goes_on_after_any_byte(
        coding in coding(),
        frames in vec(frame(), 0..6),
        damage in proptest::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let mut wire: Vec<u8> = frames.iter().flat_map(|frame| frame.encode(coding)).collect();
        if let Some((place, bits)) = damage.filter(|_| !wire.is_empty()) {
            let place = place.index(wire.len());
            wire[place] ^= bits;
        }
        let uncut = hear(coding, &wire, None);
        for place in 0..=wire.len() {
            let resumed = hear(coding, &wire, Some(place));
            prop_assert_eq!(resumed.violation, uncut.violation, "at {}", place);
            // Of a piece that breaks a rule in its middle nothing need be handed out; the rest is the same.
            if uncut.violation.is_none() {
                prop_assert_eq!(&resumed, &uncut, "at {}", place);
            }
        }
    }

    #[test]
    fn what_is_sent_goes_on_after_any_part(
        coding in coding(),
        parts in vec(("[aä€𝄞]{0,3}", any::<bool>()), 0..8),
    ) {
        // A part may end inside a code point: the message does not.
        let mut bytes: Vec<(Vec<u8>, bool)> = Vec::new();
        for (text, ends) in parts {
            let (first, rest) = text.as_bytes().split_at(text.len() / 2);
            bytes.extend([(first.to_vec(), false), (rest.to_vec(), ends)]);
        }
        let (mut encoder, mut wire) = (Encoder::new(coding), Vec::new());
        let (mut resumed, mut other) = (Encoder::new(coding), Vec::new());
        for (part, ends) in &bytes {
            encoder.encode(part, *ends, &mut wire).unwrap();
            resumed.encode(part, *ends, &mut other).unwrap();
            resumed = postcard::from_bytes(&postcard::to_allocvec(&resumed).unwrap()).unwrap();
            prop_assert_eq!(resumed.coding(), coding);
        }
        prop_assert_eq!(wire, other);
        prop_assert_eq!(encoder.at_message_boundary(), resumed.at_message_boundary());
    }

    #[test]
    fn nothing_that_is_read_makes_it_panic(state in vec(any::<u8>(), 0..40), wire in vec(any::<u8>(), 0..80)) {
        if let Ok(mut decoder) = postcard::from_bytes::<Decoder>(&state) {
            let mut wire = wire.clone();
            let mut rest = wire.as_mut_slice();
            while let Ok(Some((consumed, _))) = decoder.decode(rest) {
                rest = &mut std::mem::take(&mut rest)[consumed..];
            }
        }
        if let Ok(mut encoder) = postcard::from_bytes::<Encoder>(&state) {
            encoder.encode(&wire, true, &mut Vec::new()).ok();
        }
    }
}

#[test]
fn what_no_direction_could_have_written_is_refused() {
    const BYTES_MAX: u64 = 60;
    // As they are written down: the limit; which state, and how far in it; base64, its last character, and its place.
    let decoder = |state: u32, far: u64, held: u8, place: u32| {
        let state = postcard::to_allocvec(&(BYTES_MAX, state, far, 1_u32, held, place, None::<()>)).unwrap();
        postcard::from_bytes::<Decoder>(&state).is_ok()
    };
    const MESSAGE: u32 = 1;
    const UNKNOWN: u32 = 2;
    const SKIP: u32 = 4;
    for (state, far, held, place, is_one) in [
        (MESSAGE, 60, 63, 3, true),
        (MESSAGE, 61, 63, 3, false),
        (MESSAGE, 60, 64, 3, false),
        (UNKNOWN, 60, 0, 0, true),
        (UNKNOWN, 61, 0, 0, false),
        (UNKNOWN, 60, 1, 0, false),
        (SKIP, 60, 0, 0, true),
        (SKIP, 0, 0, 0, false),
        (SKIP, 61, 0, 0, false),
        (9, 0, 0, 0, false),
    ] {
        assert_eq!(decoder(state, far, held, place), is_one, "{state}, {far}, {held}, {place}");
    }
    const TEXT: u32 = 0;
    const BASE64: u32 = 1;
    // Which coding; whether a message is open; half a code point, and how many bytes of it; bytes that wait.
    for (coding, open, half, held_len, is_one) in [
        (TEXT, true, 2_u8, 0_u8, true),
        (TEXT, false, 2, 0, false),
        (TEXT, true, 0, 1, false),
        (BASE64, true, 0, 2, true),
        (BASE64, true, 0, 3, false),
        (BASE64, false, 0, 1, false),
        (BASE64, true, 2, 0, false),
    ] {
        let cut = [0xe2_u8, 0x82, 0].map(|byte| if half > 0 { byte } else { 0 });
        let state = postcard::to_allocvec(&(coding, open, cut, half, [0_u8; 3], held_len)).unwrap();
        let encoder = postcard::from_bytes::<Encoder>(&state);
        assert_eq!(encoder.is_ok(), is_one, "{coding}, {open}, {half}, {held_len}");
    }
}

fn limits() -> Limits {
    Limits { frame_bytes_max: 60, ..Limits::default() }
}

/// Decodes `wire`; at `place` the state is written down, and another decoder goes on.
fn hear(coding: Coding, wire: &[u8], place: Option<usize>) -> Heard {
    let mut heard = Heard::default();
    let mut decoder = Decoder::new(coding, limits());
    let (before, after) = wire.split_at(place.unwrap_or(wire.len()));
    heard.take(&mut decoder, before);
    if place.is_some() {
        decoder = postcard::from_bytes(&postcard::to_allocvec(&decoder).unwrap()).unwrap();
        assert_eq!(decoder.coding(), coding);
    }
    heard.take(&mut decoder, after);
    heard
}

impl Heard {
    fn take(&mut self, decoder: &mut Decoder, bytes: &[u8]) {
        let (mut bytes, mut at) = (bytes.to_vec(), 0);
        loop {
            match decoder.decode(&mut bytes[at..]) {
                Ok(None) => return,
                Err(violation) => {
                    self.violation = Some(violation);
                    return;
                }
                Ok(Some((consumed, event))) => {
                    at += consumed;
                    self.note(&event);
                }
            }
        }
    }

    fn note(&mut self, event: &Event<'_>) {
        match event {
            Event::Data { payload, starts_message, ends_message } => {
                if *starts_message {
                    self.messages.push((Vec::new(), false));
                }
                let message = self.messages.last_mut().expect("a message begins with its start");
                message.0.extend_from_slice(payload);
                message.1 = *ends_message;
            }
            Event::Discarded { ends_frame } => self.discarded += usize::from(*ends_frame),
            Event::Close => self.closed = true,
        }
    }
}

/// A frame of the random conversation.
#[derive(Debug, Clone)]
enum Said {
    Message(String),
    Unknown(Vec<u8>),
    Counted(Vec<u8>),
    Close,
}

impl Said {
    fn encode(&self, coding: Coding) -> Vec<u8> {
        match self {
            Self::Message(text) => {
                let mut wire = Vec::new();
                Encoder::new(coding).encode(text.as_bytes(), true, &mut wire).unwrap();
                wire
            }
            Self::Unknown(bytes) => [&b"\x07"[..], bytes, b"\xff"].concat(),
            Self::Counted(bytes) => {
                // Two digits, of which the first says nothing.
                [&[0x81, 0x80, u8::try_from(bytes.len()).unwrap()], &bytes[..]].concat()
            }
            Self::Close => b"\xff\0".to_vec(),
        }
    }
}

fn coding() -> impl Strategy<Value = Coding> {
    prop_oneof![Just(Coding::Text), Just(Coding::Base64)]
}

fn frame() -> impl Strategy<Value = Said> {
    prop_oneof![
        6 => "[aä€𝄞]{0,12}".prop_map(Said::Message),
        1 => vec(0_u8..0x80, 0..10).prop_map(Said::Unknown),
        1 => vec(any::<u8>(), 0..10).prop_map(Said::Counted),
        1 => Just(Said::Close),
    ]
}
