//! How a session ends: what each side is told, how long it is waited for, and when it is over.

use std::io;
use std::time::Duration;

use tidegate_proto::{Close, CloseCode};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{End, STOP_PATIENCE, Session};

impl<L: AsyncRead + AsyncWrite + Unpin> Session<'_, L> {
    pub(super) fn local_ended(&mut self, now: Duration) {
        self.local.ended = true;
        self.moved_at = now;
        if self.outgoing.holds_text() && self.end.is_none() {
            self.end_with(End::NotText, CloseCode::INVALID_PAYLOAD, now);
        } else {
            self.close(CloseCode::NORMAL, now);
        }
    }

    pub(super) fn local_lost(&mut self, now: Duration) {
        self.local.ended = true;
        self.local.finished = true;
        self.incoming.discard();
        self.end_with(End::LocalLost, CloseCode::GOING_AWAY, now);
    }

    pub(super) fn server_ended(&mut self, error: Option<io::Error>, now: Duration) {
        self.server.ended = true;
        self.server.finish_due = true;
        self.moved_at = now;
        let is_broken = error.as_ref().is_some_and(|error| error.kind() != io::ErrorKind::UnexpectedEof);
        if is_broken {
            self.server_takes_no_more();
        }
        self.connection.handle_end();
        self.end.get_or_insert(match error {
            None if !self.settings.says_close => End::Ended,
            // The Close, not TLS, says whether a WebSocket ended well; many servers leave close_notify out.
            Some(error) if error.kind() == io::ErrorKind::UnexpectedEof => End::Lost(None),
            error => End::Lost(error),
        });
    }

    /// Whether the server may still send something that is wanted.
    pub(super) const fn expects_data(&self) -> bool {
        !self.server.ended && !self.server.said_all
    }

    /// Begins the end for a cause of our own, and tells the server.
    pub(super) fn end_with(&mut self, end: End, code: CloseCode, now: Duration) {
        self.moved_at = now;
        self.end.get_or_insert(end);
        self.close(code, now);
    }

    /// Tells the server that nothing more will be sent.
    fn close(&mut self, code: CloseCode, now: Duration) {
        if self.settings.says_close {
            self.connection.close(now, &Close::code(code));
        } else {
            self.server.finish_due = true;
        }
    }

    pub(super) fn stop(&mut self) {
        let now = self.now();
        self.stop_by = Some(now + STOP_PATIENCE);
        self.local.lingers = false;
        self.end_with(End::Stopped, CloseCode::GOING_AWAY, now);
    }

    /// Whether the end has begun, from either side.
    pub(super) fn is_ending(&self) -> bool {
        self.end.is_some() || self.server.finish_due || !self.connection.may_send()
    }

    /// When patience with an end that has begun is over.
    pub(super) fn end_by(&self) -> Option<Duration> {
        let waits_for_local = !self.incoming.is_delivered() || self.local.unflushed;
        let limit = if waits_for_local || !self.outgoing.is_empty() {
            self.settings.stall_timeout
        } else {
            self.settings.close_timeout
        };
        let quiet = self.is_ending().then(|| self.moved_at + limit);
        quiet.into_iter().chain(self.stop_by).min()
    }

    pub(super) const fn is_over(&self) -> bool {
        let server_done = self.server.ended && self.server.finished;
        let local_done = self.local.finished && (self.local.ended || !self.local.lingers);
        (server_done && local_done) || self.out_of_patience
    }
}
