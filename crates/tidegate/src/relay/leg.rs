//! One socket of a relay: reading, sending without ever waiting, and ending without losing a byte.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::io::Socket;
use crate::scratch::READ_BYTES_MAX;

/// Unsent bytes above which nothing more is read for a leg (soft bound; one read can exceed it once).
const UNSENT_BYTES_SOFT: usize = 64 << 10;

/// Time without progress after which unsent bytes mean that the peer has stalled.
const STALL: Duration = Duration::from_secs(30);

/// A socket with the bytes it could not take yet.
#[derive(Debug)]
pub(super) struct Leg {
    /// `None` once the leg is gone.
    socket: Option<Socket>,
    /// What was read together with the handshake.
    early: Bytes,
    unsent: Vec<u8>,
    /// How much of `unsent` the socket has taken since.
    taken: usize,
    /// When `unsent` last became shorter.
    progress: Option<Instant>,
    unflushed: bool,
    read_ended: bool,
    fin: Fin,
    /// Set while finishing: when to give up.
    until: Option<Instant>,
    /// The peer takes no more: a write has failed.
    writes_failed: bool,
}

/// The end of our own direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fin {
    /// More may be sent.
    NotYet,
    /// Due as soon as everything is sent.
    Due,
    Sent,
}

/// What a read brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    Bytes(usize),
    /// The peer's FIN.
    End,
    /// A reset, or what comes to the same.
    Failed,
}

impl Leg {
    pub(super) const fn new(socket: Socket, early: Bytes) -> Self {
        Self {
            socket: Some(socket),
            early,
            unsent: Vec::new(),
            taken: 0,
            progress: None,
            unflushed: false,
            read_ended: false,
            fin: Fin::NotYet,
            until: None,
            writes_failed: false,
        }
    }

    /// How many bytes may be read for this leg now; 0 is back-pressure. Nothing is held back from a leg that is to
    /// take no more: its bytes are dropped.
    pub(super) fn room(&self) -> usize {
        match self.unsent.len() - self.taken {
            0 => READ_BYTES_MAX,
            unsent => UNSENT_BYTES_SOFT.saturating_sub(unsent),
        }
    }

    pub(super) fn has_unsent(&self) -> bool {
        self.taken < self.unsent.len()
    }

    /// Whether more can be sent.
    pub(super) const fn is_writable(&self) -> bool {
        matches!(self.fin, Fin::NotYet) && self.socket.is_some()
    }

    /// Whether a read makes sense: it can bring something that is still wanted.
    pub(super) const fn is_readable(&self) -> bool {
        !self.read_ended && self.until.is_none() && self.socket.is_some()
    }

    /// Whether the peer has ended its direction.
    pub(super) const fn read_ended(&self) -> bool {
        self.read_ended
    }

    /// Whether it still is as it was at the start: neither finishing nor gone.
    pub(super) const fn is_open(&self) -> bool {
        self.until.is_none() && self.socket.is_some()
    }

    pub(super) const fn is_gone(&self) -> bool {
        self.socket.is_none()
    }

    /// The next instant at which [`on_time`](Self::on_time) has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let stall = self
            .progress
            .filter(|_| self.has_unsent())
            .map(|progress| progress + STALL);
        self.until.into_iter().chain(stall).min()
    }

    /// Whether the peer has taken nothing for too long.
    pub(super) fn is_stalled(&self, now: Instant) -> bool {
        self.has_unsent() && self.progress.is_some_and(|progress| now >= progress + STALL)
    }

    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<Read> {
        if !self.early.is_empty() {
            let bytes = self.early.len().min(into.len());
            self.early.copy_to_slice(&mut into[..bytes]);
            if self.early.is_empty() {
                self.early = Bytes::new();
            }
            return Poll::Ready(Read::Bytes(bytes));
        }
        let Some(socket) = &mut self.socket else {
            return Poll::Pending;
        };
        let mut buffer = ReadBuf::new(into);
        match Pin::new(socket).poll_read(cx, &mut buffer) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                Poll::Ready(Read::Bytes(buffer.filled().len()))
            }
            Poll::Ready(Ok(())) if !self.writes_failed => {
                self.read_ended = true;
                Poll::Ready(Read::End)
            }
            Poll::Ready(Ok(())) => self.reads_failed(),
            Poll::Ready(Err(_)) => self.reads_failed(),
        }
    }

    /// Sends what the socket takes at once and keeps the rest. A leg that takes no more drops the bytes.
    pub(super) fn send(&mut self, cx: &mut Context<'_>, now: Instant, bytes: &[u8]) {
        if !self.is_writable() || bytes.is_empty() {
            return;
        }
        let rest = if self.has_unsent() {
            bytes
        } else {
            self.write(cx, bytes)
        };
        if !rest.is_empty() && self.is_writable() {
            if !self.has_unsent() {
                self.progress = Some(now);
            }
            self.unsent.extend_from_slice(rest);
        }
        self.flush_socket(cx);
    }

    /// Sends what was kept, and the FIN when it is due. Whether anything moved.
    pub(super) fn flush(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut moved = false;
        if self.has_unsent() {
            let unsent = std::mem::take(&mut self.unsent);
            let before = unsent.len() - self.taken;
            let left = self.write(cx, &unsent[self.taken..]).len();
            moved = left < before;
            if left > 0 && self.fin != Fin::Sent {
                self.taken = unsent.len() - left;
                self.unsent = unsent;
                self.progress = if moved { Some(now) } else { self.progress };
            } else {
                self.taken = 0;
                self.progress = None;
            }
        }
        self.flush_socket(cx);
        if self.fin == Fin::Due && !self.has_unsent() {
            moved |= self.shut_down(cx);
        }
        moved
    }

    /// Ends our direction after everything that was sent; the peer may go on.
    pub(super) fn half_close(&mut self) {
        if self.fin == Fin::NotYet {
            self.fin = Fin::Due;
        }
    }

    /// Ends the leg: everything sent is delivered, then FIN; what still arrives is read and dropped, so that no reset
    /// of ours can overtake what was sent; gone when the peer has ended too, or at `until`.
    pub(super) fn finish(&mut self, until: Instant) {
        if self.until.is_none() {
            self.half_close();
            self.until = Some(until);
            self.early = Bytes::new();
        }
    }

    /// Drops the socket as it is.
    pub(super) fn abort(&mut self) {
        self.socket = None;
        self.unsent = Vec::new();
        self.taken = 0;
    }

    /// Goes on finishing. Whether anything moved.
    pub(super) fn poll_finish(&mut self, cx: &mut Context<'_>, now: Instant, scratch: &mut [u8]) -> bool {
        let Some(until) = self.until.filter(|_| self.socket.is_some()) else {
            return false;
        };
        if now >= until || (self.read_ended && self.fin == Fin::Sent) {
            self.abort();
            return true;
        }
        !self.read_ended && self.poll_read(cx, scratch).is_ready()
    }

    /// Writes until the socket takes no more; what is left.
    fn write<'a>(&mut self, cx: &mut Context<'_>, mut bytes: &'a [u8]) -> &'a [u8] {
        while let Some(socket) = self.socket.as_mut().filter(|_| self.fin != Fin::Sent) {
            match Pin::new(socket).poll_write(cx, bytes) {
                Poll::Ready(Ok(taken)) => {
                    bytes = &bytes[taken..];
                    self.unflushed = true;
                    if bytes.is_empty() {
                        break;
                    }
                }
                Poll::Ready(Err(_)) => self.give_up_writing(),
                Poll::Pending => break,
            }
        }
        bytes
    }

    /// TLS keeps records of its own that a write has made but the socket has not taken.
    fn flush_socket(&mut self, cx: &mut Context<'_>) {
        let Some(socket) = self
            .socket
            .as_mut()
            .filter(|socket| self.unflushed && socket.buffers_writes())
        else {
            return;
        };
        match Pin::new(socket).poll_flush(cx) {
            Poll::Ready(Ok(())) => self.unflushed = false,
            Poll::Ready(Err(_)) => self.give_up_writing(),
            Poll::Pending => {}
        }
    }

    fn shut_down(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(socket) = &mut self.socket else {
            return false;
        };
        match Pin::new(socket).poll_shutdown(cx) {
            Poll::Pending => return false,
            Poll::Ready(Ok(())) => self.fin = Fin::Sent,
            Poll::Ready(Err(_)) => self.give_up_writing(),
        }
        true
    }

    /// The peer takes no more. What it sent before may still wait to be read: the socket lives until reading ends.
    fn give_up_writing(&mut self) {
        self.writes_failed = true;
        self.fin = Fin::Sent;
        self.unsent = Vec::new();
        self.taken = 0;
    }

    fn reads_failed(&mut self) -> Poll<Read> {
        self.read_ended = true;
        self.abort();
        Poll::Ready(Read::Failed)
    }
}
