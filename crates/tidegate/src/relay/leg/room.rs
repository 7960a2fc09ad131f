//! How much is read for a socket at once: little of it may be left over when the socket turns out to be full.

use tokio::time::Instant;

use super::Leg;
use super::sending::PROMPT;
use crate::relay::backlog::BYTES_SOFT;
use crate::scratch::READ_BYTES_MAX;

/// Below this the kernel is asked anew how much it takes: seldom enough for small messages.
const SURE_BYTES_MIN: usize = BYTES_SOFT / 2;

/// What the kernel was last heard to take.
#[derive(Debug)]
pub(super) struct Room {
    /// Bytes that the socket takes without a doubt.
    sure: usize,
    /// When that was asked last, if it took all that it had promised.
    asked: Option<Instant>,
}

impl Default for Room {
    /// A socket that is new takes something, and what it does not take of that is little.
    fn default() -> Self {
        Self { sure: BYTES_SOFT, asked: None }
    }
}

impl Room {
    pub(super) const fn took(&mut self, bytes: usize) {
        self.sure = self.sure.saturating_sub(bytes);
    }

    pub(super) const fn is_full(&mut self) {
        *self = Self { sure: 0, asked: None };
    }
}

impl Leg {
    /// How many bytes may be read for this leg now; 0 is back-pressure. Above what the socket takes for certain, at most
    /// [`BYTES_SOFT`] are left over. What takes no more holds nothing back: its bytes are dropped.
    pub(in crate::relay) fn room(&self) -> usize {
        if self.piped.is_some() {
            return 0;
        }
        // What TLS has made records of and the socket has not taken is in our memory as well.
        let soft = if self.unflushed { BYTES_SOFT / 2 } else { BYTES_SOFT };
        match self.backlog.pending().len() {
            0 if self.unflushed => soft,
            0 => self.room.sure.clamp(soft, READ_BYTES_MAX),
            pending => soft.saturating_sub(pending),
        }
    }

    /// Asks the kernel how much it takes, where that is not known any more. Before a read for this leg.
    pub(in crate::relay) fn look_for_room(&mut self, now: Instant) {
        if self.room.sure >= SURE_BYTES_MIN || self.has_backlog() {
            return;
        }
        let Some(socket) = self.phase.socket() else { return };
        let mut sure = socket.takes_surely(self.prompt);
        // Half of what the kernel may hold has gone in this time, as with a backlog.
        let is_prompt = sure > 0 && self.room.asked.is_some_and(|asked| now - asked <= PROMPT);
        if is_prompt && !self.prompt {
            self.set_prompt(true);
            sure = self.phase.socket().map_or(0, |socket| socket.takes_surely(true));
        }
        self.room = Room { sure, asked: (sure > 0).then_some(now) };
    }
}
