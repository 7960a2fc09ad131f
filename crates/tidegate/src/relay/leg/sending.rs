//! Sending on a leg: what the socket takes goes at once, the rest waits for it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::io::Errno;
use tokio::io::AsyncWrite;
use tokio::time::Instant;

use super::{Fin, Leg, SILENCE, Writes};
use crate::clock;

/// A peer that takes what was kept for it within this time is prompt. A socket that was full is writable again when half
/// of what the kernel holds is gone: that is half a megabyte a second at least.
pub(super) const PROMPT: Duration = Duration::from_millis(250);

/// How soon a write is tried again that the kernel had no memory for.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

impl Leg {
    /// Sends what the socket takes at once and keeps the rest. A leg that takes no more drops the bytes.
    pub(in crate::relay) fn send(&mut self, cx: &mut Context<'_>, now: Instant, bytes: &[u8]) {
        if !self.is_writable() || bytes.is_empty() {
            return;
        }
        if let Some(piped) = &mut self.piped {
            return piped.push(bytes);
        }
        let taken = if self.backlog.is_empty() { self.write(cx, bytes) } else { 0 };
        if taken < bytes.len() && self.is_writable() {
            self.backlog.push(&bytes[taken..], now);
        }
        self.note_pace(now);
        self.flush_socket(cx);
    }

    /// Notes whether something is kept for the socket. Once nothing is, the time that it took tells the kernel how much
    /// it may hold.
    pub(super) fn note_pace(&mut self, now: Instant) {
        if self.has_backlog() {
            self.kept_since.get_or_insert(now);
        } else if let Some(since) = self.kept_since.take() {
            let prompt = now - since <= PROMPT;
            if prompt != self.prompt {
                self.set_prompt(prompt);
            }
        }
    }

    pub(super) fn set_prompt(&mut self, prompt: bool) {
        if let Some(socket) = self.phase.socket() {
            socket.set_prompt(prompt);
            self.prompt = prompt;
        }
    }

    /// Sends what was kept, and the FIN when it is due. Whether anything moved.
    pub(in crate::relay) fn flush(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        if self.is_flushed() {
            return false;
        }
        if matches!(self.writes, Writes::Pause(until) if now >= until) {
            self.writes = Writes::Work;
        }
        let mut moved = self.flush_backlog(cx, now);
        if self.drain_pipe(cx, now) {
            self.flush_backlog(cx, now); // what has waited behind the pipe
            moved = true;
        }
        if moved {
            self.phase.progressed(now);
            self.note_pace(now);
        }
        self.flush_socket(cx);
        if self.fin == Fin::Due && !self.has_backlog() {
            moved |= self.shut_down(cx, now);
        }
        moved
    }

    /// Whether nothing waits, and no FIN: so it is between two messages, and a flush would do nothing.
    pub(in crate::relay) const fn is_flushed(&self) -> bool {
        let is_working = matches!(self.writes, Writes::Work);
        !matches!(self.fin, Fin::Due) && !self.unflushed && is_working && !self.has_backlog()
    }

    fn flush_backlog(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        if self.backlog.is_empty() {
            return false;
        }
        let mut backlog = std::mem::take(&mut self.backlog);
        let taken = self.write(cx, backlog.pending());
        backlog.consume(taken, now);
        let moved = taken > 0;
        if let Some(piped) = self.piped.as_deref_mut().filter(|_| moved) {
            piped.progress = now;
        }
        if self.fin != Fin::Sent {
            self.backlog = backlog;
        }
        moved
    }

    /// Writes until the socket takes no more; how much it took.
    fn write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while taken < bytes.len() && self.fin != Fin::Sent {
            let Some(socket) = self.phase.socket() else { break };
            match Pin::new(socket).poll_write(cx, &bytes[taken..]) {
                Poll::Ready(Ok(more)) => taken += more,
                Poll::Ready(Err(error)) => {
                    self.write_failed(&error);
                    break;
                }
                Poll::Pending => break,
            }
        }
        self.room.took(taken);
        if taken < bytes.len() {
            self.room.is_full();
        }
        self.unflushed |= taken > 0 && self.phase.socket().is_some_and(|socket| socket.buffers_writes());
        taken
    }

    /// TLS keeps records of its own that a write has made but the socket has not taken.
    fn flush_socket(&mut self, cx: &mut Context<'_>) {
        let Some(socket) = self.phase.socket().filter(|_| self.unflushed) else { return };
        match Pin::new(socket).poll_flush(cx) {
            Poll::Ready(Ok(())) => self.unflushed = false,
            Poll::Ready(Err(error)) => self.write_failed(&error),
            Poll::Pending => {}
        }
    }

    fn shut_down(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let Some(socket) = self.phase.socket() else { return false };
        match Pin::new(socket).poll_shutdown(cx) {
            Poll::Pending => return false, // over TLS: what it has to say before the end is not taken
            Poll::Ready(Ok(())) => self.fin = Fin::Sent,
            Poll::Ready(Err(error)) => {
                self.write_failed(&error);
                if self.fin == Fin::Due {
                    return false;
                }
            }
        }
        self.phase.progressed(now);
        true
    }

    /// Draws the consequence of a write that failed: for the moment, or for good.
    pub(super) fn write_failed(&mut self, error: &io::Error) {
        match Errno::from_io_error(error) {
            Some(Errno::INTR | Errno::NOBUFS | Errno::NOMEM) if !self.writes.have_failed() => {
                self.writes = Writes::Pause(clock::now() + AGAIN_AFTER);
            }
            Some(_) | None => self.give_up_writing(),
        }
    }

    /// The peer takes no more. What it sent before may still wait to be read: the socket lives until reading ends.
    pub(super) fn give_up_writing(&mut self) {
        self.writes = Writes::Failed(clock::now() + SILENCE);
        self.fin = Fin::Sent;
        self.backlog.clear();
        self.piped = None;
        self.unflushed = false; // the records of TLS are given up as well: a further failure must not begin the peer's time anew
    }
}
