//! hybi-00 to RFC 6455 and back: messages of one become messages of the other, a part at a time.

use std::ops::Range;
use std::task::Context;

use tidegate_proto::hybi00::Coding;
use tidegate_proto::{Close, CloseCode, Encoder, Event, MessageType, Role, Violation};
use tokio::time::Instant;

use super::super::endpoint::{Endpoint, fresh_mask};
use super::super::websocket::close_echo;
use super::super::{Far, Relay};
use super::{ClientFrames, Hybi00};
use crate::outcome::End;
use crate::recording::{Chunk, Side, Tap, Tape};

/// Bytes of an unfinished message that become a fragment. Fewer are held: a client that sends byte by byte must not make
/// its backend count a million fragments.
pub(super) const FRAGMENT_BYTES_MIN: usize = 16 << 10;

/// Messages on their way to a WebSocket backend.
#[derive(Debug)]
pub(super) struct Fragments {
    pub(super) encoder: Encoder,
    message: MessageType,
    pub(super) frame_bytes_max: usize,
    /// The last bytes of a message under way, below [`FRAGMENT_BYTES_MIN`].
    pub(super) held: Vec<u8>,
}

/// What a read of the backend came to.
#[derive(Debug, Default)]
struct BackendRead {
    said: ClientFrames,
    closed: Option<Option<CloseCode>>,
}

impl Fragments {
    /// Messages of this type, in frames of at most `frame_bytes_max` bytes.
    pub(super) fn new(message: MessageType, frame_bytes_max: u64) -> Self {
        let frame_bytes_max = usize::try_from(frame_bytes_max).unwrap_or(usize::MAX).max(1);
        Self { encoder: Encoder::new(Role::Client), message, frame_bytes_max, held: Vec::new() }
    }

    /// Appends the frames that the next part of a message makes complete.
    pub(super) fn push(&mut self, part: &[u8], ends_message: bool, frames: &mut Vec<u8>) {
        self.held.extend_from_slice(part);
        if !ends_message && self.held.len() < FRAGMENT_BYTES_MIN {
            return;
        }
        let mut held = std::mem::take(&mut self.held);
        let mut rest = held.as_mut_slice();
        loop {
            let (payload, more) = rest.split_at_mut(rest.len().min(self.frame_bytes_max));
            let ends = ends_message && more.is_empty();
            let header = self
                .encoder
                .frame(self.message, payload, ends, Some(fresh_mask()))
                .expect("a client's frames are masked, and their type is always the same");
            frames.extend_from_slice(header.as_slice());
            frames.extend_from_slice(payload);
            if more.is_empty() {
                return;
            }
            rest = more;
        }
    }
}

impl BackendRead {
    /// Takes everything in `frames`, or all before what breaks the protocol.
    fn read(
        &mut self,
        backend: &mut Endpoint,
        hybi00: &mut Hybi00,
        frames: &mut [u8],
        mut tap: Option<Tap<'_>>,
        now: Instant,
    ) -> Result<(), Violation> {
        let mut at = 0;
        while let Some((consumed, event)) = backend.receiver.decoder_mut().decode(&mut frames[at..])? {
            at += consumed;
            match event {
                Event::Data { message, payload, ends_message, .. } => {
                    if let Some(tap) = &mut tap {
                        tap.record(Chunk { message, payload, mask: None, ends_message });
                    }
                    // Text is bytes as well, but bytes are no text.
                    hybi00.not_text |= hybi00.coding == Coding::Text && message == MessageType::Binary;
                    if !hybi00.not_text {
                        self.said.say(&mut hybi00.encoder, payload, ends_message);
                    }
                }
                Event::Ping(payload) => backend.owe_pong(payload),
                Event::Pong(_) => {}
                Event::Close(close) => {
                    self.closed = Some(close.code);
                    if backend.closing.receive() {
                        backend.close(now, &close_echo(&close));
                    }
                    return Ok(());
                }
            }
        }
        backend.keep(&frames[at..]);
        Ok(())
    }
}

impl Relay {
    /// WebSocket backend to hybi-00 client. The client has no Ping, so the backend's are answered here.
    pub(in super::super) fn translate_outbound(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        scratch: &mut [u8],
        range: Range<usize>,
    ) -> Result<(), Violation> {
        let (Far::WebSocket(backend), Some(hybi00)) = (&mut self.far, &mut self.hybi00) else {
            return Ok(());
        };
        let mut told = BackendRead::default();
        let tap = Tape::tap(&mut self.tape, Side::Backend, now);
        let result = told.read(backend, hybi00, &mut scratch[range], tap, now);
        let not_text = hybi00.not_text;
        self.send_said(cx, now, &told.said);
        if not_text {
            self.end(End::BackendNotText, now);
        }
        if let Some(code) = told.closed {
            self.end(End::BackendClosed(code), now);
            self.client.close(now, &Close { code, reason: "" });
        }
        result
    }
}
