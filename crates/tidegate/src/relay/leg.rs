//! One socket of a relay: reading, sending without ever waiting, and ending without losing a byte.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::backlog::Backlog;
use crate::io::Socket;

/// A socket with the bytes it could not take yet.
#[derive(Debug)]
pub(super) struct Leg {
    phase: Phase,
    /// What was read together with the handshake.
    early: Bytes,
    backlog: Backlog,
    /// TLS has made records that the socket has not taken.
    unflushed: bool,
    read_ended: bool,
    /// The peer takes no more: a write has failed.
    writes_failed: bool,
    fin: Fin,
}

#[derive(Debug)]
enum Phase {
    Open(Socket),
    /// Everything is sent, then FIN; what still arrives is dropped. The time is when there last was progress.
    Finishing(Socket, Patience, Instant),
    Gone,
}

/// How long a leg may take to finish. A slow peer gets everything it is owed, as long as it takes some of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// How long the peer may take nothing of what it is owed.
    pub(super) taking: Duration,
    /// How long it may take to end its side after our FIN.
    pub(super) after_fin: Duration,
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
    /// The peer's FIN; over TLS, its close_notify.
    End,
    /// TLS has ended without close_notify: something may be missing.
    Cut,
    /// A reset, or what comes to the same.
    Failed,
}

impl Leg {
    pub(super) fn new(socket: Socket, early: Bytes) -> Self {
        Self {
            phase: Phase::Open(socket),
            // Empty bytes may still be a handle to the handshake's whole buffer.
            early: if early.is_empty() { Bytes::new() } else { early },
            backlog: Backlog::default(),
            unflushed: false,
            read_ended: false,
            writes_failed: false,
            fin: Fin::NotYet,
        }
    }

    /// How many bytes may be read for this leg now; 0 is back-pressure. What takes no more holds nothing back: its
    /// bytes are dropped.
    pub(super) fn room(&self) -> usize {
        self.backlog.room()
    }

    /// Whether bytes wait that the socket has not taken.
    pub(super) fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Whether more can be sent.
    pub(super) const fn is_writable(&self) -> bool {
        matches!(self.fin, Fin::NotYet) && !matches!(self.phase, Phase::Gone)
    }

    /// Whether a read makes sense: it can bring something that is still wanted.
    pub(super) const fn is_readable(&self) -> bool {
        !self.read_ended && self.is_open()
    }

    /// Whether the peer has ended its direction.
    pub(super) const fn read_ended(&self) -> bool {
        self.read_ended
    }

    /// Whether neither direction works any more, although nobody has ended the leg yet.
    pub(super) const fn is_dead(&self) -> bool {
        self.is_open() && self.read_ended && self.writes_failed
    }

    /// Whether it still is as it was at the start: neither finishing nor gone.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
    }

    pub(super) const fn is_gone(&self) -> bool {
        matches!(self.phase, Phase::Gone)
    }

    /// When something is due although the socket is not ready.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.backlog.deadline().into_iter().chain(self.finish_by()).min()
    }

    /// When patience with a leg that is finishing ends.
    fn finish_by(&self) -> Option<Instant> {
        match (&self.phase, self.fin) {
            (Phase::Finishing(_, patience, progress), Fin::Sent) => Some(*progress + patience.after_fin),
            (Phase::Finishing(_, patience, progress), Fin::NotYet | Fin::Due) => {
                Some(*progress + patience.taking)
            }
            (Phase::Open(_) | Phase::Gone, _) => None,
        }
    }

    /// Whether the peer has taken nothing for too long.
    pub(super) fn is_stalled(&self, now: Instant) -> bool {
        self.backlog.deadline().is_some_and(|deadline| now >= deadline)
    }

    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<Read> {
        if !self.early.is_empty() {
            let bytes = self.early.len().min(into.len());
            self.early.copy_to_slice(&mut into[..bytes]);
            if self.early.is_empty() {
                self.early = Bytes::new(); // gives the handshake's buffer back
            }
            return Poll::Ready(Read::Bytes(bytes));
        }
        let Some(socket) = self.phase.socket() else { return Poll::Pending };
        let mut buffer = ReadBuf::new(into);
        let result = match Pin::new(socket).poll_read(cx, &mut buffer) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(result) => result,
        };
        let bytes = buffer.filled().len();
        Poll::Ready(match result {
            Ok(()) if bytes > 0 => Read::Bytes(bytes),
            Ok(()) if !self.writes_failed => self.ended(),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !self.writes_failed => {
                self.read_ended = true;
                Read::Cut
            }
            Ok(()) | Err(_) => {
                self.abort();
                Read::Failed
            }
        })
    }

    /// Sends what the socket takes at once and keeps the rest. A leg that takes no more drops the bytes.
    pub(super) fn send(&mut self, cx: &mut Context<'_>, now: Instant, bytes: &[u8]) {
        if !self.is_writable() || bytes.is_empty() {
            return;
        }
        let taken = if self.backlog.is_empty() { self.write(cx, bytes) } else { 0 };
        if taken < bytes.len() && self.is_writable() {
            self.backlog.push(&bytes[taken..], now);
        }
        self.flush_socket(cx);
    }

    /// Sends what was kept, and the FIN when it is due. Whether anything moved.
    pub(super) fn flush(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut moved = false;
        if !self.backlog.is_empty() {
            let mut backlog = std::mem::take(&mut self.backlog);
            let taken = self.write(cx, backlog.pending());
            backlog.consume(taken, now);
            moved = taken > 0;
            if self.fin != Fin::Sent {
                self.backlog = backlog;
            }
        }
        if moved {
            self.phase.progressed(now);
        }
        self.flush_socket(cx);
        if self.fin == Fin::Due && self.backlog.is_empty() {
            moved |= self.shut_down(cx, now);
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
    /// of ours can overtake what was sent. Gone when the peer has ended too, or patience has.
    pub(super) fn finish(&mut self, now: Instant, patience: Patience) {
        self.phase = match std::mem::replace(&mut self.phase, Phase::Gone) {
            Phase::Open(socket) => Phase::Finishing(socket, patience, now),
            finishing_or_gone @ (Phase::Finishing(..) | Phase::Gone) => finishing_or_gone,
        };
        self.half_close();
        self.early = Bytes::new();
    }

    /// Drops the socket as it is.
    pub(super) fn abort(&mut self) {
        self.phase = Phase::Gone;
        self.read_ended = true;
        self.early = Bytes::new();
        self.backlog.clear();
    }

    /// Goes on finishing. Whether anything moved.
    pub(super) fn poll_finish(&mut self, cx: &mut Context<'_>, now: Instant, scratch: &mut [u8]) -> bool {
        let Some(finish_by) = self.finish_by() else { return false };
        if now >= finish_by || (self.read_ended && self.fin == Fin::Sent) {
            self.abort();
            return true;
        }
        !self.read_ended && self.poll_read(cx, scratch).is_ready()
    }

    /// Writes until the socket takes no more; how much it took.
    fn write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while taken < bytes.len() && self.fin != Fin::Sent {
            let Some(socket) = self.phase.socket() else { break };
            match Pin::new(socket).poll_write(cx, &bytes[taken..]) {
                Poll::Ready(Ok(more)) => taken += more,
                Poll::Ready(Err(_)) => self.give_up_writing(),
                Poll::Pending => break,
            }
        }
        self.unflushed |= taken > 0;
        taken
    }

    /// TLS keeps records of its own that a write has made but the socket has not taken.
    fn flush_socket(&mut self, cx: &mut Context<'_>) {
        let Some(socket) = self.phase.socket().filter(|socket| self.unflushed && socket.buffers_writes())
        else {
            return;
        };
        match Pin::new(socket).poll_flush(cx) {
            Poll::Ready(Ok(())) => self.unflushed = false,
            Poll::Ready(Err(_)) => self.give_up_writing(),
            Poll::Pending => {}
        }
    }

    fn shut_down(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        self.phase.progressed(now);
        let Some(socket) = self.phase.socket() else { return false };
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
        self.backlog.clear();
    }

    fn ended(&mut self) -> Read {
        self.read_ended = true;
        Read::End
    }
}

impl Phase {
    fn socket(&mut self) -> Option<&mut Socket> {
        match self {
            Self::Open(socket) | Self::Finishing(socket, ..) => Some(socket),
            Self::Gone => None,
        }
    }

    const fn progressed(&mut self, now: Instant) {
        if let Self::Finishing(.., progress) = self {
            *progress = now;
        }
    }
}
