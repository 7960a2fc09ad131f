//! The same for clients of hybi-00.

use proptest::collection::vec;
use proptest::prelude::*;
use tidegate_proto::hybi00::{Coding, Decoder, Encoder, Event};
use tidegate_proto::{Limits, Opcode, Role};

use super::{Heard, Kind, Talk, frame};

/// What was said, in the messages of either protocol: where frames are cut, and how they are masked, means nothing.
pub(super) fn read(heard: Heard, kind: Kind, coding: Coding) -> Heard {
    let mut read = Heard { backend: heard.backend, ..Heard::default() };
    let (mut decoder, mut bytes) = (Decoder::new(coding, Limits::NONE), heard.client);
    let mut rest = bytes.as_mut_slice();
    while let Some((consumed, event)) = decoder.decode(rest).unwrap() {
        match event {
            Event::Data { payload, .. } => read.client.extend_from_slice(payload),
            Event::Discarded { .. } => panic!("the gateway has frames of text alone"),
            Event::Close => read.controls.push(b"closed".to_vec()),
        }
        rest = &mut rest[consumed..];
    }
    if kind == Kind::WebSocket {
        let mut decoder = tidegate_proto::Decoder::new(Role::Server, Limits::NONE);
        let mut bytes = std::mem::take(&mut read.backend);
        let mut rest = bytes.as_mut_slice();
        while let Some((consumed, event)) = decoder.decode(rest).unwrap() {
            if let tidegate_proto::Event::Data { payload, ends_message, .. } = event {
                read.backend.extend_from_slice(payload);
                read.backend.extend_from_slice(if ends_message { b"|" } else { b"" });
            }
            rest = &mut rest[consumed..];
        }
    }
    read
}

/// What a client and a far side say; bytes are carried to a TCP backend that is not one of text.
pub(super) fn talk() -> impl Strategy<Value = Talk> {
    let kinds = prop_oneof![
        Just((Kind::Echo, Coding::Text)),
        Just((Kind::Echo, Coding::Base64)),
        Just((Kind::Text, Coding::Text)),
        Just((Kind::Tcp, Coding::Base64)),
        Just((Kind::WebSocket, Coding::Text)),
        Just((Kind::WebSocket, Coding::Base64)),
    ];
    let text = || vec("[aä€𝄞]{0,9}", 1..4);
    (kinds, text(), text(), any::<bool>()).prop_map(|((kind, coding), client, backend, is_odd)| {
        let mut wire = Vec::new();
        for message in &client {
            Encoder::new(coding).encode(message.as_bytes(), true, &mut wire).unwrap();
            wire.extend_from_slice(if is_odd { b"\x81\x80\x02??" } else { b"" });
        }
        let backend = match kind {
            Kind::Echo => Vec::new(),
            Kind::Tcp | Kind::Text => backend.concat().into_bytes(),
            Kind::WebSocket => backend.iter().flat_map(|text| fragments(text.as_bytes())).collect(),
        };
        Talk { kind, hybi00: Some(coding), client: wire, backend }
    })
}

/// A message in two fragments with a ping in between.
fn fragments(text: &[u8]) -> Vec<u8> {
    let (first, rest) = text.split_at(text.len() / 2);
    let frames = [
        frame(Opcode::Text, false, first, None),
        frame(Opcode::Ping, true, b"?", None),
        frame(Opcode::Continuation, true, rest, None),
    ];
    frames.concat()
}
