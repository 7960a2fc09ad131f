//! WebSocket to WebSocket: frames are checked and passed on untouched.
//!
//! Headers are parsed, limits kept and messages counted, but no payload byte is changed: the client's masking serves
//! for the backend as well. What is relayed may begin and end anywhere in a frame; control frames of our own find
//! their place between frames. Close frames are the one thing that is read: their code must be legal before it is
//! passed on.

use std::ops::Range;
use std::task::{Context, Poll};

use tidegate_proto::{CONTROL_PAYLOAD_MAX, Close, Decoder, MessageType, Step, StepKind, Violation};
use tokio::time::Instant;

use super::endpoint::{Endpoint, Fill, Gaps};
use super::{Far, Relay, hybi00};
use crate::outcome::End;
use crate::recording::{Chunk, Side, Tap, Tape};

/// A stretch of frames to pass on, and what stopped it.
struct Stretch {
    /// The bytes that pass.
    pass: Range<usize>,
    /// The last places between frames and between messages, counted from the start of what passes.
    gaps: Gaps,
    stop: Stop,
    bytes: u64,
    /// Messages that end in it.
    messages: u64,
    /// Those of them that are text.
    texts: u64,
    controls: u32,
}

enum Stop {
    /// Nothing is left but, perhaps, the beginning of a header: from here.
    Rest(usize),
    /// A whole control frame that is not simply passed on: a Close, or the pong to a ping of ours.
    Control(Step, Range<usize>),
    Violation(Violation),
}

/// Steps through frames until something other than passing on is called for. `swallowed` is the payload of our pings.
fn stretch(
    decoder: &mut Decoder,
    read: &[u8],
    range: Range<usize>,
    swallowed: Option<&[u8; 8]>,
    mut tap: Option<Tap<'_>>,
) -> Stretch {
    let start = range.start;
    let mut at = start;
    let mut gaps = Gaps {
        frames: decoder.at_frame_boundary().then_some(0),
        messages: decoder.at_message_boundary().then_some(0),
    };
    let (mut bytes, mut messages, mut texts, mut controls) = (0, 0, 0, 0);
    let stop = loop {
        let step = match decoder.step(&read[at..range.end]) {
            Ok(Some(step)) => step,
            Ok(None) => break Stop::Rest(at),
            Err(violation) => break Stop::Violation(violation),
        };
        let frame = at..at + step.len();
        match step.kind {
            StepKind::Data { message, ends_message, .. } => {
                bytes += step.payload_len as u64;
                messages += u64::from(ends_message);
                texts += u64::from(ends_message && message == MessageType::Text);
                if let Some(tap) = &mut tap {
                    let payload = &read[at + step.header_len..frame.end];
                    tap.record(Chunk { message, payload, mask: step.mask, ends_message });
                }
            }
            StepKind::Pong if is_payload(&step, &read[frame.clone()], swallowed) => {
                break Stop::Control(step, frame);
            }
            StepKind::Close => break Stop::Control(step, frame),
            StepKind::Ping | StepKind::Pong => controls += 1,
        }
        at = frame.end;
        if decoder.at_frame_boundary() {
            gaps.frames = Some(at - start);
        }
        if decoder.at_message_boundary() {
            gaps.messages = Some(at - start);
        }
    };
    Stretch { pass: start..at, gaps, stop, bytes, messages, texts, controls }
}

fn is_payload(step: &Step, frame: &[u8], wanted: Option<&[u8; 8]>) -> bool {
    let copy = &mut [0; CONTROL_PAYLOAD_MAX];
    wanted.is_some_and(|wanted| {
        step.payload_len == wanted.len() && control_payload(step, frame, copy) == wanted
    })
}

/// The payload of a control frame, unmasked, out of the way of the frame itself.
fn control_payload<'a>(step: &Step, frame: &[u8], copy: &'a mut [u8; CONTROL_PAYLOAD_MAX]) -> &'a [u8] {
    let copy = &mut copy[..step.payload_len];
    copy.copy_from_slice(&frame[step.header_len..]);
    if let Some(mut key) = step.mask {
        key.apply(copy);
    }
    copy
}

impl Relay {
    pub(super) fn inbound_to_websocket(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        scratch: &[u8],
        mut range: Range<usize>,
    ) -> Result<(), Violation> {
        loop {
            let swallowed = Some(self.keepalive.payload());
            let tap = Tape::tap(&mut self.tape, Side::Client, now);
            let stretch = stretch(self.client.receiver.decoder_mut(), scratch, range.clone(), swallowed, tap);
            if !stretch.pass.is_empty() {
                self.keepalive.heard(now);
            }
            self.count_in(MessageType::Binary, stretch.messages - stretch.texts, stretch.bytes);
            self.count_in(MessageType::Text, stretch.texts, 0);
            let Far::WebSocket(backend) = &mut self.far else { return Ok(()) };
            backend.pass_on(cx, now, &scratch[stretch.pass], stretch.gaps);
            self.control_frames(stretch.controls, now);
            if !self.client.is_readable() {
                return Ok(());
            }
            match stretch.stop {
                Stop::Rest(from) => {
                    self.note_bulk_inbound(from - range.start, stretch.messages);
                    self.client.keep(&scratch[from..range.end]);
                    return Ok(());
                }
                Stop::Violation(violation) => return Err(violation),
                Stop::Control(step, frame) => {
                    range.start = frame.end;
                    let copy = &mut [0; CONTROL_PAYLOAD_MAX];
                    let payload = control_payload(&step, &scratch[frame.clone()], copy);
                    if step.kind == StepKind::Close {
                        let close = Close::parse(payload)?;
                        self.client_closed(cx, now, &close, &scratch[frame]);
                        return Ok(());
                    }
                    self.received_pong(payload, now);
                }
            }
        }
    }

    /// The client's Close goes to the backend as it is. The backend's answer, or its end, then becomes ours: what it
    /// still has to say is delivered before.
    fn client_closed(&mut self, cx: &mut Context<'_>, now: Instant, close: &Close<'_>, frame: &[u8]) {
        let answer_owed = self.client.closing.receive();
        self.end(End::ClientClosed(close.code), now);
        let Far::WebSocket(backend) = &mut self.far else {
            return;
        };
        backend.pass_on_close(cx, now, frame);
        if answer_owed && !backend.is_readable() {
            self.client.close(now, close);
        }
    }

    pub(super) fn outbound_from_websocket(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        scratch: &mut [u8],
    ) -> bool {
        if !matches!(&self.far, Far::WebSocket(backend) if backend.is_readable()) {
            return false;
        }
        if let Some(moved) = self.splice_from_websocket(cx, now) {
            return moved;
        }
        let Some(read_bytes_max) = self.far.websocket_mut().map(Endpoint::read_bytes_max) else {
            return false;
        };
        self.look_for_room(now, Side::Client, read_bytes_max);
        // After our own Close nothing more goes to the client, but the backend is read on for its Close.
        let room = if self.client.closing.may_send() { self.client.leg.room() } else { scratch.len() };
        let room = if self.hybi00.is_some() { room.min(hybi00::READ_BYTES_MAX) } else { room };
        let Some(backend) = self.far.websocket_mut().filter(|_| room > 0) else { return false };
        match backend.fill(cx, scratch, room.min(read_bytes_max)) {
            Poll::Pending => return false,
            Poll::Ready(Fill::End | Fill::Failed) => self.end(End::BackendLost, now),
            Poll::Ready(Fill::Bytes(range)) => {
                let frames = if self.hybi00.is_some() {
                    self.translate_outbound(cx, now, scratch, range)
                } else {
                    self.pass_outbound(cx, now, scratch, range)
                };
                if let Err(violation) = frames {
                    if let Some(backend) = self.far.websocket_mut() {
                        backend.fail();
                    }
                    self.end(End::BackendViolation(violation), now);
                }
            }
        }
        true
    }

    fn pass_outbound(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        scratch: &[u8],
        range: Range<usize>,
    ) -> Result<(), Violation> {
        let Far::WebSocket(backend) = &mut self.far else { return Ok(()) };
        let tap = Tape::tap(&mut self.tape, Side::Backend, now);
        let stretch = stretch(backend.receiver.decoder_mut(), scratch, range.clone(), None, tap);
        self.count_out(MessageType::Binary, stretch.messages - stretch.texts, stretch.bytes);
        self.count_out(MessageType::Text, stretch.texts, 0);
        if self.client.pass_on(cx, now, &scratch[stretch.pass], stretch.gaps) {
            self.pinged(now);
        }
        match stretch.stop {
            Stop::Rest(from) => {
                if let Some(backend) = self.far.websocket_mut() {
                    backend.keep(&scratch[from..range.end]);
                }
                self.note_bulk_outbound(from - range.start, stretch.messages);
            }
            Stop::Violation(violation) => return Err(violation),
            Stop::Control(step, frame) => {
                let copy = &mut [0; CONTROL_PAYLOAD_MAX];
                let close = Close::parse(control_payload(&step, &scratch[frame.clone()], copy))?;
                self.backend_closed(cx, now, &close, &scratch[frame]);
            }
        }
        Ok(())
    }

    /// The backend's Close goes to the client as it is, and is answered at once with the same code. Where it answers
    /// the client's own Close, that is answered now.
    fn backend_closed(&mut self, cx: &mut Context<'_>, now: Instant, close: &Close<'_>, frame: &[u8]) {
        let Far::WebSocket(backend) = &mut self.far else {
            return;
        };
        if backend.closing.receive() {
            backend.close(now, &close_echo(close));
        }
        self.end(End::BackendClosed(close.code), now);
        if self.last_words_until.is_none() {
            self.client.pass_on_close(cx, now, frame);
        }
    }
}

/// RFC 6455 §5.5.1: the status code that was received is typically echoed.
pub(super) const fn close_echo<'a>(close: &Close<'a>) -> Close<'a> {
    Close { code: close.code, reason: "" }
}
