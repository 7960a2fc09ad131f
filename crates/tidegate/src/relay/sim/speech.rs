//! What the two sides say: good messages of all kinds and sizes, and now and then something that nobody may say.

use std::time::Duration;

use tidegate_proto::deflate::{Deflater, DeflaterConfig};
use tidegate_proto::hybi00::{self, Coding};
use tidegate_proto::{
    Close, CloseCode, ControlFrame, Encoder, FrameHeader, MaskingKey, MessageType, Opcode, Role,
};

use super::choices::Choices;
use super::plan::{Act, DEFLATE, Pace};

/// The language of a side.
#[derive(Debug, Clone, Copy)]
pub(super) enum Speech {
    /// None: the echo's.
    Nothing,
    /// A stream.
    Bytes {
        text: bool,
    },
    /// RFC 6455.
    Frames {
        role: Role,
        /// Messages may have RSV1, as if they were compressed.
        rsv1: bool,
        deflate: bool,
    },
    Hybi00(Coding),
}

/// A dozen acts at most, with messages of these lengths.
pub(super) fn acts(choices: &mut Choices<'_>, speech: Speech, lens: &[usize]) -> Vec<Act> {
    let mut acts = Vec::new();
    for _ in 0..choices.below(12) {
        match choices.below(8) {
            0 => acts.push(Act::Rest(Duration::from_millis(choices.of(&[1, 30, 1500, 12_000, 61_000])))),
            1 => acts.push(Act::Pace(choices.of(&[
                Pace::Prompt,
                Pace::Prompt,
                Pace::Slow(300, 100),
                Pace::Never,
            ]))),
            2 => acts.push(Act::Say(control(choices, speech))),
            _ => {
                let len = choices.of(lens);
                let message = message(choices, speech, len);
                say(choices, &mut acts, message);
            }
        }
    }
    match choices.below(10) {
        0 => acts.push(Act::Say(violation(choices, speech))),
        1..=4 => acts.push(Act::Say(close(choices, speech))),
        _ => {}
    }
    if choices.once_in(12) {
        acts.push(Act::Say(message(choices, speech, 300))); // behind whatever was the end
    }
    acts
}

/// Two or three megabytes, without a word that is wrong.
pub(super) fn bulk(choices: &mut Choices<'_>, speech: Speech) -> Vec<Act> {
    let len = choices.of(&[60_000, 300_000, 1 << 20]);
    let one = message(choices, speech, len);
    let mut acts = vec![Act::Say(one); (3 << 20) / len];
    if choices.once_in(2) {
        acts.push(Act::Say(close(choices, speech)));
    }
    acts
}

/// In one piece, or in two with a rest between them.
fn say(choices: &mut Choices<'_>, acts: &mut Vec<Act>, mut bytes: Vec<u8>) {
    if choices.once_in(4) && !bytes.is_empty() {
        let rest = bytes.split_off(choices.below(bytes.len()));
        acts.push(Act::Begin(bytes));
        acts.push(Act::Rest(Duration::from_millis(choices.of(&[1, 700, 6000]))));
        bytes = rest;
    }
    acts.push(Act::Say(bytes));
}

fn payload(choices: &mut Choices<'_>, len: usize, text: bool) -> Vec<u8> {
    let seed = choices.bytes(4);
    if !text {
        // Every place has its own bytes, so that nothing can be swapped unnoticed.
        return (0..len).map(|at| (at / 251) as u8 ^ (at % 251) as u8 ^ seed[at % 4]).collect();
    }
    let letters = ['a', 'ä', '€', '𝄞', 'z', '\n', '0'];
    let mut text = String::with_capacity(len + 4);
    let mut at = usize::from(seed[0]);
    while text.len() < len {
        text.push(letters[at % 7]);
        at += 1 + at / 7 % 3;
    }
    text.into_bytes()
}

fn message(choices: &mut Choices<'_>, speech: Speech, len: usize) -> Vec<u8> {
    match speech {
        Speech::Nothing => Vec::new(),
        Speech::Bytes { text } => payload(choices, len, text),
        Speech::Hybi00(coding) => {
            let payload = payload(choices, len, coding == Coding::Text);
            let mut wire = Vec::new();
            hybi00::Encoder::new(coding)
                .encode(&payload, true, &mut wire)
                .expect("it is text where it must be");
            wire
        }
        Speech::Frames { role, rsv1, deflate } => {
            let message = choices.of(&[MessageType::Text, MessageType::Binary]);
            let payload = payload(choices, len, message == MessageType::Text);
            if deflate && choices.once_in(2) {
                return deflated(choices, role, message, &payload);
            }
            let rsv1 = rsv1 && choices.once_in(2);
            fragmented(choices, role, message, rsv1, &payload)
        }
    }
}

fn fragmented(
    choices: &mut Choices<'_>,
    role: Role,
    message: MessageType,
    rsv1: bool,
    payload: &[u8],
) -> Vec<u8> {
    let fragments = choices.of(&[1, 1, 1, 2, 3, 4]);
    let mut bytes = Vec::new();
    let mut rest = payload;
    for fragment in 0..fragments {
        let ends = fragment + 1 == fragments;
        let (piece, left) = rest.split_at(if ends { rest.len() } else { choices.below(rest.len() + 1) });
        rest = left;
        let opcode = match (fragment, message) {
            (0, MessageType::Text) => Opcode::Text,
            (0, MessageType::Binary) => Opcode::Binary,
            _ => Opcode::Continuation,
        };
        let reserved = if rsv1 && fragment == 0 { 4 } else { 0 };
        bytes.extend(frame(
            choices,
            role,
            FrameHeader { reserved, ..FrameHeader::unmasked(ends, opcode, 0) },
            piece,
        ));
        if !ends && choices.once_in(4) {
            bytes.extend(control(choices, Speech::Frames { role, rsv1, deflate: false }));
        }
    }
    bytes
}

fn frame(choices: &mut Choices<'_>, role: Role, header: FrameHeader, payload: &[u8]) -> Vec<u8> {
    let mask = mask(choices, role);
    let header = FrameHeader { mask, payload_len: payload.len() as u64, ..header };
    let mut bytes = header.encode().as_slice().to_vec();
    let start = bytes.len();
    bytes.extend_from_slice(payload);
    if let Some(mut key) = mask {
        key.apply(&mut bytes[start..]);
    }
    bytes
}

fn mask(choices: &mut Choices<'_>, role: Role) -> Option<MaskingKey> {
    (role == Role::Client).then(|| {
        let key = choices.bytes(4);
        MaskingKey::new([key[0], key[1], key[2], key[3]])
    })
}

fn deflated(choices: &mut Choices<'_>, role: Role, message: MessageType, payload: &[u8]) -> Vec<u8> {
    let config = DeflaterConfig {
        window: DEFLATE.client.window,
        context: DEFLATE.client.context,
        level: 1,
        mem_level: 8,
    };
    let mut encoder = Encoder::new(role).with_deflate(Deflater::new(config), 0);
    let mut room = vec![0; choices.of(&[100, 5000, 100_000])];
    let (mut bytes, mut rest) = (Vec::new(), payload);
    loop {
        let mask = mask(choices, role);
        let made = encoder.encode(message, rest, true, mask, &mut room).expect("the room takes a frame");
        rest = &rest[made.consumed..];
        bytes.extend_from_slice(&room[made.frame]);
        if made.done {
            return bytes;
        }
    }
}

/// A ping or pong that is shorter than those of the gateway, so that nobody takes it for one.
fn control(choices: &mut Choices<'_>, speech: Speech) -> Vec<u8> {
    match speech {
        Speech::Frames { role, .. } => {
            let opcode = choices.of(&[Opcode::Ping, Opcode::Pong]);
            let len = choices.below(6);
            let payload = choices.bytes(len);
            ControlFrame::new(opcode, &payload, mask(choices, role)).as_slice().to_vec()
        }
        Speech::Nothing | Speech::Bytes { .. } | Speech::Hybi00(_) => Vec::new(),
    }
}

fn close(choices: &mut Choices<'_>, speech: Speech) -> Vec<u8> {
    match speech {
        Speech::Frames { role, .. } => {
            let code = choices.of(&[
                None,
                Some(CloseCode::NORMAL),
                Some(CloseCode::GOING_AWAY),
                CloseCode::new(4711),
            ]);
            let reason = if code.is_some() { choices.of(&["", "that was all"]) } else { "" };
            Close { code, reason }.frame(mask(choices, role)).as_slice().to_vec()
        }
        Speech::Hybi00(_) => hybi00::CLOSING_FRAME.to_vec(),
        Speech::Nothing | Speech::Bytes { .. } => Vec::new(),
    }
}

fn violation(choices: &mut Choices<'_>, speech: Speech) -> Vec<u8> {
    let len = 1 + choices.below(40);
    let noise = choices.bytes(len);
    let Speech::Frames { role, .. } = speech else { return noise };
    let plain = FrameHeader::unmasked(true, Opcode::Text, 0);
    match choices.below(9) {
        0 => noise,
        1 => frame(
            choices,
            if role == Role::Client { Role::Server } else { Role::Client },
            plain,
            b"the wrong mask bit",
        ),
        2 => frame(choices, role, FrameHeader { reserved: 2, ..plain }, b""),
        3 => frame(choices, role, FrameHeader { fin: false, opcode: Opcode::Ping, ..plain }, b""),
        4 => frame(choices, role, FrameHeader { opcode: Opcode::Continuation, ..plain }, b"of nothing"),
        5 => frame(choices, role, plain, b"no text: \xff"),
        6 => frame(choices, role, FrameHeader { opcode: Opcode::Close, ..plain }, &1006_u16.to_be_bytes()),
        7 => FrameHeader { mask: mask(choices, role), payload_len: 1 << 40, ..plain }
            .encode()
            .as_slice()
            .to_vec(),
        _ => control(choices, speech).repeat(300),
    }
}
