//! [`Receiver`], as either end: the messages that the frames and the compression of a stream make.

use tidegate_proto::deflate::{Context, InflateLimits, Inflater, WindowBits};
use tidegate_proto::{Decoder, Limits, MessageType, Receiver, Reserved, Role};

use super::assemble;
use super::feed::feed;
use super::inflate::window;
use super::input::{Input, Pieces};
use super::oracle;
use super::trace::{Message, Run};

pub(crate) fn run(role: Role, data: &[u8]) {
    let mut input = Input::new(data);
    let [choices, rooms] = input.array();
    let context = if choices & 8 == 0 { Context::Takeover } else { Context::Fresh };
    let setting = Setting { role, deflate: (choices & 16 != 0).then(|| (window(choices), context)) };
    let pieces = input.pieces();
    let stream = if choices & 32 == 0 { assemble::frames(role, input.rest()) } else { input.rest().to_vec() };

    let whole = setting.receive(&stream, Pieces::WHOLE, 1 << 16);
    whole.assert_same(&setting.receive(&stream, pieces, usize::from(rooms) + 1));
    let messages = whole.trace.messages();
    for message in &messages {
        assert!(message.payload.len() <= MESSAGE_BYTES_MAX);
        assert!(message.message == MessageType::Binary || message.is_text_so_far(), "{message:?}");
    }
    setting.assert_expected(&messages, &whole, &stream);
}

struct Setting {
    role: Role,
    deflate: Option<(WindowBits, Context)>,
}

impl Setting {
    fn decoder(&self) -> Decoder {
        let message_bytes_max = MESSAGE_BYTES_MAX as u64;
        Decoder::new(self.role, Limits { message_bytes_max, ..Limits::default() })
    }

    fn receive(&self, stream: &[u8], pieces: Pieces, room: usize) -> Run {
        let mut receiver = Receiver::new(self.decoder());
        if let Some((window, context)) = self.deflate {
            let message_bytes_max = MESSAGE_BYTES_MAX as u64;
            let limits = InflateLimits { message_bytes_max, ..InflateLimits::NONE };
            receiver = receiver.with_deflate(Inflater::new(window, context, limits));
        }
        let mut room = vec![0; room];
        let run = feed(stream, pieces, |bytes, trace| {
            let Some((consumed, event)) = receiver.receive(bytes, &mut room)? else { return Ok(None) };
            trace.event(&event);
            Ok(Some(consumed))
        });
        let is_open = run.trace.messages().last().is_some_and(|message| !message.is_whole);
        assert!(run.violation.is_some() || receiver.at_message_boundary() != is_open);
        run
    }

    /// Frames are read by the decoder alone, which has a target of its own, and what is compressed by the oracle.
    fn assert_expected(&self, found: &[Message], run: &Run, stream: &[u8]) {
        let reserved = if self.deflate.is_some() { Reserved::PermessageDeflate } else { Reserved::None };
        let mut decoder = self.decoder().with_reserved(reserved);
        let frames = feed(stream, Pieces::WHOLE, |bytes, trace| {
            let Some((consumed, event)) = decoder.decode(bytes)? else { return Ok(None) };
            trace.event(&event);
            Ok(Some(consumed))
        });
        let mut found = found.iter();
        let mut history = Vec::new();
        for sent in frames.trace.messages() {
            if !sent.is_whole {
                break;
            }
            let Some(expected) = self.expected(&sent, &mut history) else {
                assert!(run.violation.is_some(), "{sent:?} went unnoticed");
                return;
            };
            assert_eq!(found.next(), Some(&expected));
        }
        assert!(found.all(|message| !message.is_whole), "more than was sent");
        let is_inside = frames.trace.messages().last().is_some_and(|last| last.rsv1 && !last.is_whole);
        assert!(
            run.violation == frames.violation || is_inside && run.violation.is_some(),
            "{run:?} of {frames:?}"
        );
    }

    /// What a whole message becomes; `None` if something is wrong with it.
    fn expected(&self, sent: &Message, history: &mut Vec<u8>) -> Option<Message> {
        let (window, context) = match self.deflate {
            Some(deflate) if sent.rsv1 => deflate,
            _ => return Some(sent.clone()),
        };
        let inflated =
            oracle::inflate::inflate(history, window.bytes(), &sent.payload, MESSAGE_BYTES_MAX).ok()?;
        if context == Context::Takeover {
            history.extend_from_slice(&inflated);
            history.drain(..history.len().saturating_sub(window.bytes()));
        }
        let message = Message { payload: inflated, ..sent.clone() };
        (message.message == MessageType::Binary || message.is_text_so_far()).then_some(message)
    }
}

const MESSAGE_BYTES_MAX: usize = 1 << 16;
