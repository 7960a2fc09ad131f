//! `echo:` – the gateway answers each message with itself, in place: the frames of a read become the frames of one
//! write without leaving the buffer.

use std::ops::Range;
use std::task::Context;

use tidegate_proto::{ControlFrame, Event, FrameHeader, MessageType, Opcode, Violation};
use tokio::time::Instant;

use super::{Far, Relay};
use crate::outcome::End;
use crate::recording::{Chunk, Side};

/// The answer under way.
#[derive(Debug, Default)]
pub(super) struct Echo {
    /// The first frame of the answer is out, the last is not.
    open: bool,
}

impl Echo {
    pub(super) const fn is_open(&self) -> bool {
        self.open
    }

    /// One whose answer is under way, or not.
    pub(super) const fn going_on(open: bool) -> Self {
        Self { open }
    }

    /// The header of the next frame of the answer; `None` where a frame would say nothing.
    ///
    /// A chunk becomes a frame of its own: were the client's frame mirrored, its length would be promised before the
    /// bytes are known to be valid, and a Close could not follow until they have come.
    fn header(&mut self, message: MessageType, len: usize, ends_message: bool) -> Option<FrameHeader> {
        if len == 0 && !ends_message {
            return None;
        }
        let opcode = match (self.open, message) {
            (true, _) => Opcode::Continuation,
            (false, MessageType::Text) => Opcode::Text,
            (false, MessageType::Binary) => Opcode::Binary,
        };
        self.open = !ends_message;
        Some(FrameHeader::unmasked(ends_message, opcode, len as u64))
    }
}

/// What to append to the answer once the buffer is free again.
enum Answer {
    Frame(FrameHeader, usize),
    Control(ControlFrame),
    Nothing,
}

impl Relay {
    pub(super) fn inbound_to_echo(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        scratch: &mut [u8],
        range: Range<usize>,
    ) -> Result<(), Violation> {
        let mut at = range.start;
        let mut answer = Range { start: at, end: at };
        let result = loop {
            let (consumed, event) =
                match self.client.receiver.decoder_mut().decode(&mut scratch[at..range.end]) {
                    Ok(Some(decoded)) => decoded,
                    Ok(None) => break Ok(()),
                    Err(violation) => break Err(violation),
                };
            at += consumed;
            match self.answer(event, now) {
                Answer::Nothing => {}
                Answer::Frame(header, len) => append_frame(scratch, &mut answer, header, at - len..at),
                // It is shorter than the frame that it answers, which was masked.
                Answer::Control(frame) => append(scratch, &mut answer, frame.as_slice()),
            }
            if !self.client.is_readable() {
                break Ok(());
            }
        };
        self.client.keep(if result.is_ok() && self.client.is_readable() {
            &scratch[at..range.end]
        } else {
            &[]
        });
        let is_open = self.is_echo_open();
        self.client.send_of_message(cx, now, &scratch[answer], is_open);
        result
    }

    const fn is_echo_open(&self) -> bool {
        matches!(self.far, Far::Echo(Echo { open: true }))
    }

    fn answer(&mut self, event: Event<'_>, now: Instant) -> Answer {
        if let Event::Pong(payload) = &event
            && self.received_pong(payload, now)
        {
            return Answer::Nothing;
        }
        self.keepalive.heard(now);
        if matches!(event, Event::Ping(_) | Event::Pong(_)) {
            self.control_frames(1, now);
        }
        match event {
            Event::Data { message, payload, ends_message, .. } => {
                if self.client.is_closing() && !self.is_echo_open() {
                    return Answer::Nothing; // no new answer is begun any more
                }
                let messages = u64::from(ends_message);
                let bytes = payload.len() as u64;
                self.count_in(message, messages, bytes);
                self.count_out(message, messages, bytes);
                for side in [Side::Client, Side::Backend] {
                    self.record(side, now, Chunk { message, payload, mask: None, ends_message });
                }
                let Far::Echo(echo) = &mut self.far else {
                    return Answer::Nothing;
                };
                match echo.header(message, payload.len(), ends_message) {
                    Some(header) => Answer::Frame(header, payload.len()),
                    None => Answer::Nothing,
                }
            }
            Event::Ping(payload) => Answer::Control(ControlFrame::new(Opcode::Pong, payload, None)),
            Event::Pong(_) => Answer::Nothing,
            Event::Close(close) => {
                self.end(End::ClientClosed(close.code), now);
                if self.client.closing.receive() {
                    self.client.close(now, &close);
                }
                Answer::Nothing
            }
        }
    }
}

/// Puts a header and payload that is further back in the buffer behind the answer so far. There is room: the payload
/// came with a longer header, or first in the buffer with free bytes in front.
fn append_frame(scratch: &mut [u8], answer: &mut Range<usize>, header: FrameHeader, payload: Range<usize>) {
    let header = header.encode();
    if answer.start == answer.end {
        answer.start = payload.start - header.as_slice().len();
        answer.end = answer.start;
    }
    append(scratch, answer, header.as_slice());
    let len = payload.len();
    scratch.copy_within(payload, answer.end);
    answer.end += len;
}

fn append(scratch: &mut [u8], answer: &mut Range<usize>, bytes: &[u8]) {
    scratch[answer.end..answer.end + bytes.len()].copy_from_slice(bytes);
    answer.end += bytes.len();
}
