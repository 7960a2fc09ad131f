//! Bytes on their way: what each round of a turn does, as far as the sockets let it.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tidegate_proto::{CloseCode, Phase};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::incoming::Stopped;
use super::outgoing::NotText;
use super::{End, Session};

impl<L: AsyncRead + AsyncWrite + Unpin> Session<'_, L> {
    /// To the server: what is pending, then our FIN where it is due. Whether anything moved.
    pub(super) fn send(&mut self, cx: &mut Context<'_>, now: Duration) -> bool {
        let mut moved = false;
        while !self.outgoing.is_empty() && !self.server.finished {
            match Pin::new(&mut self.server.socket).poll_write(cx, self.outgoing.pending()) {
                Poll::Pending => break,
                Poll::Ready(Ok(bytes @ 1..)) => {
                    self.outgoing.consume(bytes);
                    (self.taken_at, self.moved_at) = (now, now);
                    self.server.unflushed = self.server.socket.buffers_writes();
                    moved = true;
                }
                Poll::Ready(Ok(0) | Err(_)) => return self.server_takes_no_more(),
            }
        }
        if self.server.unflushed {
            match Pin::new(&mut self.server.socket).poll_flush(cx) {
                Poll::Pending => return moved,
                Poll::Ready(Ok(())) => {
                    self.server.unflushed = false;
                    self.taken_at = now;
                    moved = true;
                }
                Poll::Ready(Err(_)) => return self.server_takes_no_more(),
            }
        }
        let all_sent = self.outgoing.is_empty() && !self.server.finished;
        if all_sent && self.server.finish_due {
            // How it went shows where the server's own direction ends.
            if Pin::new(&mut self.server.socket).poll_shutdown(cx).is_ready() {
                self.server.finished = true;
                moved = true;
            }
        }
        moved
    }

    /// What the server sent before may still wait to be read: its end is seen there.
    pub(super) fn server_takes_no_more(&mut self) -> bool {
        self.server.finished = true;
        self.server.unflushed = false;
        self.outgoing.clear();
        true
    }

    /// Control frames find their place between data frames.
    pub(super) fn take_controls(&mut self, now: Duration) -> bool {
        self.outgoing.is_empty() && self.append_controls(now)
    }

    /// Puts those that are due behind what is pending, as far as there is room.
    fn append_controls(&mut self, now: Duration) -> bool {
        if self.server.finished {
            return false;
        }
        let was_empty = self.outgoing.is_empty();
        let connection = &mut self.connection;
        let taken = self.outgoing.append_controls(|key| {
            connection.poll_control(now, Some(key)).expect("a client's frame has a key")
        });
        if taken {
            if was_empty {
                self.taken_at = now;
            }
            if std::mem::take(&mut self.ping_due) {
                self.keepalive.pinged(self.now()); // a turn may have been held up behind its beginning
            }
        }
        if self.connection.phase() == Phase::Over {
            self.server.finish_due = true;
        }
        taken
    }

    /// From the local side: one chunk becomes one frame.
    pub(super) fn read_local(&mut self, cx: &mut Context<'_>, now: Duration) -> bool {
        if self.local.ended || !self.outgoing.is_empty() || self.server.unflushed {
            return false;
        }
        let is_wanted = self.connection.may_send() && !self.server.finish_due && !self.server.finished;
        let is_drained = self.local.finished && self.local.lingers;
        if !is_wanted && !is_drained {
            return false;
        }
        let mut buffer = ReadBuf::new(self.outgoing.room());
        let read = match Pin::new(&mut self.local.io).poll_read(cx, &mut buffer) {
            Poll::Pending => return false,
            Poll::Ready(read) => read.map(|()| buffer.filled().len()),
        };
        match read {
            Ok(0) => self.local_ended(now),
            Ok(_) if !is_wanted => {} // read to its end, so that no reset of ours eats what it was sent
            Ok(bytes) => {
                self.keepalive.heard(now);
                self.taken_at = now;
                if self.outgoing.frame(bytes, &mut self.connection) == Err(NotText) {
                    self.end_with(End::NotText, CloseCode::INVALID_PAYLOAD, now);
                }
            }
            Err(_) => self.local_lost(now),
        }
        true
    }

    /// To the local side: payload, then our FIN when no more will come.
    pub(super) fn deliver(&mut self, cx: &mut Context<'_>, now: Duration) -> bool {
        if self.local.finished {
            self.incoming.discard();
            return false;
        }
        let mut moved = false;
        while !self.incoming.is_delivered() {
            match Pin::new(&mut self.local.io).poll_write(cx, self.incoming.payload()) {
                Poll::Pending => break,
                Poll::Ready(Ok(bytes @ 1..)) => {
                    self.incoming.consume(bytes);
                    self.moved_at = now;
                    self.local.unflushed = true;
                    moved = true;
                }
                Poll::Ready(Ok(0) | Err(_)) => {
                    self.local_lost(now);
                    return true;
                }
            }
        }
        if self.local.unflushed {
            match Pin::new(&mut self.local.io).poll_flush(cx) {
                Poll::Pending => return moved,
                Poll::Ready(Ok(())) => self.local.unflushed = false,
                Poll::Ready(Err(_)) => {
                    self.local_lost(now);
                    return true;
                }
            }
        }
        if self.incoming.is_delivered() && !self.expects_data() {
            match Pin::new(&mut self.local.io).poll_shutdown(cx) {
                Poll::Pending => {}
                Poll::Ready(_) => {
                    self.local.finished = true;
                    moved = true;
                }
            }
        }
        moved
    }

    /// From the server: frames, or after its Close, and after a breach of the protocol, bytes that are dropped.
    pub(super) fn read_server(&mut self, cx: &mut Context<'_>, now: Duration) -> bool {
        if self.server.ended || !self.incoming.is_delivered() || self.local.unflushed {
            return false;
        }
        let mut buffer = ReadBuf::new(self.incoming.room());
        let read = match Pin::new(&mut self.server.socket).poll_read(cx, &mut buffer) {
            Poll::Pending => return false,
            Poll::Ready(read) => read.map(|()| buffer.filled().len()),
        };
        match read {
            Ok(0) => self.server_ended(None, now),
            Ok(bytes) => {
                if self.expects_data() {
                    self.moved_at = now;
                    self.decode(bytes, now);
                }
            }
            Err(error) => self.server_ended(Some(error), now),
        }
        true
    }

    pub(super) fn decode(&mut self, mut bytes: usize, now: Duration) {
        let end = loop {
            match self.incoming.decode(bytes, &mut self.connection, &mut self.keepalive, now) {
                Ok(Stopped::All) => return,
                // Each Ping gets its Pong while there is room; of all others the last one does (RFC 6455 §5.5.3).
                Ok(Stopped::Ping) => {
                    self.append_controls(now);
                    bytes = 0;
                }
                Ok(Stopped::Closed(closed)) => break End::Closed(closed),
                Err(violation) => break End::Violation(violation),
            }
        };
        self.end.get_or_insert(end);
        self.server.said_all = true;
        self.moved_at = now;
    }
}
