//! What has come from the server: payload on its way to the local side, and frames that are not read yet.

use std::ops::Range;
use std::time::Duration;

use tidegate_proto::{CARRY_BYTES_MAX, CloseStatus, Connection, Event, Keepalive, Violation};

use crate::shown::is_shown;

/// Bytes of one read.
const READ_BYTES: usize = 64 << 10;

/// A buffer in which payload is freed of its frames without being copied elsewhere.
///
/// It is filled once all payload in it has been delivered: so nothing is read that the local side does not take.
#[derive(Debug)]
pub(super) struct Incoming {
    bytes: Vec<u8>,
    /// To be delivered.
    payload: Range<usize>,
    /// Behind it: the beginning of a frame that is not complete.
    rest: Range<usize>,
}

/// What has stopped the decoding of what was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stopped {
    /// The rest is no whole frame.
    All,
    /// A Ping was read, and its Pong is due.
    Ping,
    Closed(Closed),
}

/// A Close that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(super) status: CloseStatus,
    pub(super) reason: String,
}

impl Incoming {
    /// With what came right behind the opening handshake, which is decoded first.
    pub(super) fn new(early: &[u8]) -> Self {
        let mut bytes = vec![0; READ_BYTES.max(early.len()) + CARRY_BYTES_MAX];
        bytes[..early.len()].copy_from_slice(early);
        Self { bytes, payload: 0..0, rest: 0..early.len() }
    }

    pub(super) fn payload(&self) -> &[u8] {
        &self.bytes[self.payload.clone()]
    }

    /// Whether all payload is delivered.
    pub(super) const fn is_delivered(&self) -> bool {
        self.payload.start >= self.payload.end
    }

    /// So many bytes of payload were delivered.
    pub(super) const fn consume(&mut self, bytes: usize) {
        self.payload.start += bytes;
    }

    /// The local side takes no more.
    pub(super) const fn discard(&mut self) {
        self.payload.start = self.payload.end;
    }

    /// Where the next bytes are to be read to, behind what is not decoded; only while all payload is delivered.
    pub(super) fn room(&mut self) -> &mut [u8] {
        let len = self.rest.len();
        self.bytes.copy_within(self.rest.clone(), 0);
        self.rest = 0..len;
        &mut self.bytes[len..]
    }

    /// Takes the frames out of `read` more bytes, up to a Ping or a Close.
    pub(super) fn decode(
        &mut self,
        read: usize,
        connection: &mut Connection,
        keepalive: &mut Keepalive,
        now: Duration,
    ) -> Result<Stopped, Violation> {
        let end = self.rest.end + read;
        let mut at = self.rest.start;
        if self.is_delivered() {
            self.payload = at..at;
        }
        let result = loop {
            let (consumed, event) = match connection.handle_bytes(now, &mut self.bytes[at..end], &mut []) {
                Ok(Some(handled)) => handled,
                Ok(None) => break Ok(Stopped::All),
                Err(violation) => break Err(violation),
            };
            let mut said = None;
            let payload_len = match event {
                Event::Data { payload, .. } => {
                    keepalive.heard(now);
                    payload.len()
                }
                Event::Ping(_) => {
                    keepalive.heard(now);
                    said = Some(Stopped::Ping);
                    0
                }
                Event::Pong(payload) => {
                    if !keepalive.answered(payload) {
                        keepalive.heard(now);
                    }
                    0
                }
                Event::Close(close) => {
                    let status = close.code.map_or(CloseStatus::NoCode, CloseStatus::Code);
                    said = Some(Stopped::Closed(Closed { status, reason: printable(close.reason) }));
                    0
                }
            };
            at += consumed;
            if self.payload.is_empty() {
                self.payload = at - payload_len..at;
            } else {
                self.bytes.copy_within(at - payload_len..at, self.payload.end);
                self.payload.end += payload_len;
            }
            if let Some(said) = said {
                break Ok(said);
            }
        };
        self.rest = at..end;
        if !matches!(result, Ok(Stopped::All | Stopped::Ping)) {
            self.rest = end..end; // nothing behind it is looked at
        }
        result
    }
}

/// A reason as it can be shown on one line of a terminal.
fn printable(reason: &str) -> String {
    reason.chars().filter(|found| is_shown(*found)).collect()
}
