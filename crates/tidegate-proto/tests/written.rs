//! The state of a direction, written down between any two bytes and taken up elsewhere, goes on as if nothing had been.

#![cfg(feature = "serde")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use proptest::collection::vec;
use proptest::prelude::*;
use tidegate_proto::{
    Decoder, Event, FrameHeader, Limits, MaskingKey, Opcode, Reserved, Role, Utf8, Violation,
};

/// What a conversation came to: payload is joined as far as it belongs to one message.
#[derive(Debug, Default, PartialEq, Eq)]
struct Heard {
    /// With whether the last part of each was compressed, and whether it ended.
    messages: Vec<(Vec<u8>, bool, bool)>,
    controls: Vec<Vec<u8>>,
    violation: Option<Violation>,
}

/// A frame of the random conversation.
#[derive(Debug, Clone)]
struct Said {
    opcode: Opcode,
    fin: bool,
    /// RSV1, where it may be set.
    compressed: bool,
    payload: Vec<u8>,
    key: [u8; 4],
}

proptest! {
    #[test]
    fn a_conversation_goes_on_after_any_byte(
        role in prop_oneof![Just(Role::Server), Just(Role::Client)],
        frames in vec(said(), 0..8),
        damage in proptest::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let mut wire: Vec<u8> = frames.iter().flat_map(|said| said.encode(role)).collect();
        if let Some((place, bits)) = damage.filter(|_| !wire.is_empty()) {
            let place = place.index(wire.len());
            wire[place] ^= bits;
        }
        let uncut = hear(role, &wire, None);
        for place in 0..=wire.len() {
            let resumed = hear(role, &wire, Some(place));
            // Of a piece that breaks a rule in its middle nothing need be handed out; the rest is the same.
            if uncut.violation.is_none() {
                prop_assert_eq!(&resumed, &uncut, "at {}", place);
            } else {
                prop_assert_eq!(resumed.violation, uncut.violation, "at {}", place);
                prop_assert_eq!(&resumed.controls, &uncut.controls, "at {}", place);
            }
        }
    }

    #[test]
    fn nothing_that_is_read_makes_it_panic(state in vec(any::<u8>(), 0..80), wire in vec(any::<u8>(), 0..80)) {
        if let Ok(mut decoder) = postcard::from_bytes::<Decoder>(&state) {
            let mut wire = wire;
            let mut rest = wire.as_mut_slice();
            while let Ok(Some((consumed, _))) = decoder.decode(rest) {
                rest = &mut std::mem::take(&mut rest)[consumed..];
            }
        }
    }
}

#[test]
fn half_a_code_point_is_taken_up() {
    let mut utf8 = Utf8::new();
    utf8.check(b"a\xf0\x9d").unwrap();
    let mut resumed: Utf8 = postcard::from_bytes(&postcard::to_allocvec(&utf8).unwrap()).unwrap();
    assert_eq!(resumed, utf8);
    assert_eq!(resumed.check(b"\x84\x9e").and_then(|()| resumed.finish()), Ok(()));
    assert_eq!(utf8.check(b"a"), Err(Violation::InvalidUtf8));
}

#[test]
fn what_no_check_could_have_written_is_refused() {
    for held in [([0xf0, 0x9d, 0], 4), ([b'a', 0, 0], 1), ([0xff, 0, 0], 1), ([0xc3, 0xa4, 0], 2)] {
        let state = postcard::to_allocvec(&held).unwrap();
        assert!(postcard::from_bytes::<Utf8>(&state).is_err(), "{held:?}");
    }
}

#[test]
fn what_no_decoder_could_have_written_is_refused() {
    let mut decoder = Decoder::new(Role::Client, Limits::default());
    decoder.decode(&mut [0x82, 0x05, 1, 2]).unwrap();
    let good = postcard::to_allocvec(&decoder).unwrap();
    assert!(postcard::from_bytes::<Decoder>(&good).is_ok());
    for place in 0..good.len() {
        // Whatever stands there instead: either it is refused, or it is a state that decodes without a panic.
        for value in 0..=255 {
            let mut state = good.clone();
            state[place] = value;
            if let Ok(mut decoder) = postcard::from_bytes::<Decoder>(&state) {
                let mut rest = [0; 64];
                decoder.decode(&mut rest).ok();
            }
        }
    }
    let three_left = good.iter().rposition(|byte| *byte == 3).unwrap();
    let mut state = good;
    state[three_left] = 6;
    assert!(postcard::from_bytes::<Decoder>(&state).is_err(), "five bytes were announced");
}

/// Decodes `wire`; at `place` the state is written down, and another decoder goes on.
fn hear(role: Role, wire: &[u8], place: Option<usize>) -> Heard {
    let mut heard = Heard::default();
    let limits = Limits { frame_bytes_max: 140, message_bytes_max: 142, fragments_max: 2 };
    let mut decoder = Decoder::new(role, limits).with_reserved(Reserved::PermessageDeflate);
    let (before, after) = wire.split_at(place.unwrap_or(wire.len()));
    let mut rest = heard.take(&mut decoder, before.to_vec());
    if place.is_some() {
        decoder = postcard::from_bytes(&postcard::to_allocvec(&decoder).unwrap()).unwrap();
    }
    rest.extend_from_slice(after);
    heard.take(&mut decoder, rest);
    heard
}

impl Heard {
    /// Hears everything; what was not consumed.
    fn take(&mut self, decoder: &mut Decoder, mut bytes: Vec<u8>) -> Vec<u8> {
        let mut at = 0;
        loop {
            match decoder.decode(&mut bytes[at..]) {
                Ok(None) => return bytes[at..].to_vec(),
                Err(violation) => {
                    self.violation = Some(violation);
                    return Vec::new();
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
            Event::Data { payload, rsv1, starts_message, ends_message, .. } => {
                if *starts_message {
                    self.messages.push((Vec::new(), false, false));
                }
                let message = self.messages.last_mut().expect("a message begins with its start");
                message.0.extend_from_slice(payload);
                (message.1, message.2) = (*rsv1, *ends_message);
            }
            Event::Ping(payload) => self.controls.push([&b"ping "[..], payload].concat()),
            Event::Pong(payload) => self.controls.push([&b"pong "[..], payload].concat()),
            Event::Close(close) => self.controls.push(format!("{close:?}").into_bytes()),
        }
    }
}

impl Said {
    fn encode(&self, to: Role) -> Vec<u8> {
        let mut key = (to == Role::Server).then(|| MaskingKey::new(self.key));
        let payload_len = self.payload.len() as u64;
        let is_first = matches!(self.opcode, Opcode::Text | Opcode::Binary);
        let reserved = if self.compressed && is_first { 4 } else { 0 };
        let header = FrameHeader { fin: self.fin, reserved, opcode: self.opcode, mask: key, payload_len };
        let mut frame = header.encode().as_slice().to_vec();
        let mut payload = self.payload.clone();
        if let Some(key) = &mut key {
            key.apply(&mut payload);
        }
        frame.append(&mut payload);
        frame
    }
}

/// Most of them follow each other as they may; the rest is for what comes after a violation.
fn said() -> impl Strategy<Value = Said> {
    let text = "[aä€𝄞]{0,12}".prop_map(String::into_bytes);
    let data = prop_oneof![
        4 => (Just(Opcode::Text), any::<bool>(), text.clone()),
        4 => (Just(Opcode::Binary), any::<bool>(), vec(any::<u8>(), 0..20)),
        4 => (Just(Opcode::Continuation), any::<bool>(), text),
        1 => (Just(Opcode::Binary), any::<bool>(), vec(any::<u8>(), 120..140)),
        2 => (Just(Opcode::Ping), Just(true), vec(any::<u8>(), 0..10)),
        1 => (Just(Opcode::Pong), Just(true), vec(any::<u8>(), 0..10)),
        1 => (Just(Opcode::Close), Just(true), Just(b"\x03\xe8".to_vec())),
    ];
    (data, any::<bool>(), any::<[u8; 4]>()).prop_map(|((opcode, fin, payload), compressed, key)| Said {
        opcode,
        fin,
        compressed,
        payload,
        key,
    })
}
