//! What the ticker is told, for `websockify --traffic`: the way there is WebSocket to TCP only.

use std::task::Context;

use tokio::time::Instant;

use super::Relay;
use super::leg::Leg;
use crate::recording::{Chunk, Side};
use crate::ticker::{Event, Whole};

impl Relay {
    /// Payload was read.
    pub(super) fn tick_read(&self, side: Side, chunk: Chunk<'_>) {
        let Some(ticker) = &self.ticker else { return };
        if chunk.ends_message || !chunk.payload.is_empty() {
            ticker.tell(Event::Read(side, chunk.ends_message.into()));
        }
    }

    /// As [`Relay::flush`].
    pub(super) fn flush_and_tick(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut any_moved = false;
        for side in [Side::Client, Side::Backend] {
            let Some(leg) = self.leg_mut(side) else { continue };
            let waited = leg.has_backlog();
            let moved = leg.flush(cx, now);
            any_moved |= moved;
            if waited && moved {
                self.tick_written(side);
            }
        }
        any_moved
    }

    /// Payload was written to this side; what its socket did not take waits.
    pub(super) fn tick_written(&mut self, side: Side) {
        if self.ticker.is_none() {
            return;
        }
        let waits = self.leg_mut(side).is_some_and(|leg| leg.has_backlog());
        if let Some(ticker) = &self.ticker {
            ticker.tell(Event::Written(side, Whole::from(!waits)));
        }
    }

    /// `None` for the far side of an echo.
    fn leg_mut(&mut self, side: Side) -> Option<&mut Leg> {
        match side {
            Side::Client => Some(&mut self.client.leg),
            Side::Backend => self.far.leg_mut(),
        }
    }
}
