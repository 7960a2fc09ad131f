//! [`Decoder`]: every rule of RFC 6455 §5, whatever the pieces.

use tidegate_proto::{Decoder, FrameHeader, Limits, Reserved, Role, Step, StepKind, Violation};

use super::feed::feed;
use super::input::{Input, Pieces};
use super::oracle::frames::{self, Expected};
use super::trace::{Item, Message, Run, Trace, is_of_content};

pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let [choices, limits] = input.array();
    let role = if choices & 1 == 0 { Role::Server } else { Role::Client };
    let reserved = match choices >> 1 & 3 {
        0 => Reserved::None,
        1 => Reserved::PermessageDeflate,
        _ => Reserved::Any,
    };
    let limits = LIMITS[usize::from(limits) % LIMITS.len()];
    let pieces = input.pieces();
    let stream = input.rest();

    let whole = decode(role, reserved, limits, stream, Pieces::WHOLE);
    whole.assert_same(&decode(role, reserved, limits, stream, pieces.clone()));
    let stepped = step(role, reserved, limits, stream, Pieces::WHOLE);
    stepped.assert_same(&step(role, reserved, limits, stream, pieces));
    assert_steps_agree(&whole, &stepped);
    assert_expected(&whole, &frames::read(stream, role, reserved, limits));
    assert_within(&whole.trace, limits);
}

fn decode(role: Role, reserved: Reserved, limits: Limits, stream: &[u8], pieces: Pieces) -> Run {
    let mut decoder = Decoder::new(role, limits).with_reserved(reserved);
    feed(stream, pieces, |bytes, trace| {
        let Some((consumed, event)) = decoder.decode(bytes)? else { return Ok(None) };
        trace.event(&event);
        Ok(Some(consumed))
    })
}

/// The same by [`Decoder::step`], which looks at headers alone; the payload is unmasked here, a byte at a time.
fn step(role: Role, reserved: Reserved, limits: Limits, stream: &[u8], pieces: Pieces) -> Run {
    let mut decoder = Decoder::new(role, limits).with_reserved(reserved);
    feed(stream, pieces, |bytes, trace| {
        let before = bytes.to_vec();
        let step = decoder.step(bytes);
        assert_eq!(bytes, before, "a step changes nothing");
        let Some(step) = step? else { return Ok(None) };
        note(&step, bytes, trace);
        Ok(Some(step.len()))
    })
}

fn note(step: &Step, bytes: &[u8], trace: &mut Trace) {
    let (header, rest) = bytes.split_at(step.header_len);
    if !header.is_empty() {
        let (read, len) = FrameHeader::parse(header).expect("it was taken").expect("it is whole");
        assert_eq!((len, read.encode().as_slice()), (header.len(), header), "headers have one form");
    }
    let key = step.mask.map(|key| key.to_bytes()).unwrap_or_default();
    let payload: Vec<u8> =
        rest[..step.payload_len].iter().enumerate().map(|(index, byte)| byte ^ key[index % 4]).collect();
    match step.kind {
        StepKind::Data { message, rsv1, starts_message, ends_frame, ends_message } => {
            if starts_message {
                trace.push(Item::Begin { message, rsv1 });
            }
            trace.payload(&payload);
            trace.ends(ends_frame, ends_message);
        }
        StepKind::Ping => trace.push(Item::Ping(payload)),
        StepKind::Pong => trace.push(Item::Pong(payload)),
        StepKind::Close => trace.push(Item::Close(payload)),
    }
}

/// Steps are events, but for text and the bodies of Close frames, which they do not judge.
fn assert_steps_agree(decoded: &Run, stepped: &Run) {
    let is_unseen = |violation| {
        is_of_content(violation)
            || matches!(
                violation,
                Violation::CloseBodyTooShort
                    | Violation::CloseCodeInvalid(_)
                    | Violation::CloseReasonInvalidUtf8
            )
    };
    match decoded.violation {
        Some(violation) if is_unseen(violation) => {
            let items = decoded.trace.items();
            // The last payload may have grown where text is wrong in a later piece of it.
            let kept = items.len().saturating_sub(1);
            assert_eq!(stepped.trace.items().get(..kept), Some(&items[..kept]));
        }
        _ => assert_eq!(decoded, stepped),
    }
}

fn assert_expected(found: &Run, expected: &Expected) {
    assert_eq!(found.violation.is_some(), expected.violated, "{found:?} is not {expected:?}");
    let run = Run { trace: expected.trace.clone(), violation: found.violation };
    found.assert_same(&run);
}

fn assert_within(trace: &Trace, limits: Limits) {
    let (mut frame, mut message, mut fragments) = (0u64, 0u64, 0u32);
    for item in trace.items() {
        match item {
            Item::Payload(payload) => {
                frame += payload.len() as u64;
                message += payload.len() as u64;
            }
            Item::FrameEnd => {
                fragments += 1;
                frame = 0;
            }
            Item::MessageEnd => (message, fragments) = (0, 0),
            Item::Ping(payload) | Item::Pong(payload) | Item::Close(payload) => {
                assert!(payload.len() <= 125 && payload.len() as u64 <= limits.frame_bytes_max);
            }
            Item::Begin { .. } => {}
        }
        assert!(frame <= limits.frame_bytes_max, "a frame of {frame} bytes");
        assert!(message <= limits.message_bytes_max, "a message of {message} bytes");
        assert!(fragments <= limits.fragments_max, "{fragments} fragments");
    }
    let texts = |message: &&Message| message.message == tidegate_proto::MessageType::Text && !message.rsv1;
    assert!(trace.messages().iter().filter(texts).all(Message::is_text_so_far));
}

const LIMITS: [Limits; 5] = [
    Limits { frame_bytes_max: 1 << 20, message_bytes_max: 1 << 20, fragments_max: 1024 },
    Limits::NONE,
    Limits { frame_bytes_max: 10, message_bytes_max: 15, fragments_max: 3 },
    Limits { frame_bytes_max: 300, message_bytes_max: 200, fragments_max: 1 },
    Limits { frame_bytes_max: 0, message_bytes_max: 0, fragments_max: 0 },
];
