//! The other process after a hand-over, for as long as both live: whoever stops the gateway means both.

use std::future::pending;

use crate::app::Stop;
use crate::handover::message::Notice;
use crate::handover::wire::{Receiver, SharedSender};

/// The process before this one, or the one after it, as long as it is there.
#[derive(Debug, Default)]
pub(in crate::app) struct Counterpart(Option<Line>);

#[derive(Debug)]
struct Line {
    sender: SharedSender,
    receiver: Receiver,
}

impl Counterpart {
    /// The process at the other end of this line, over which a hand-over has come to its end.
    pub(super) const fn at(sender: SharedSender, receiver: Receiver) -> Self {
        Self(Some(Line { sender, receiver }))
    }

    /// Whether it lives, as far as is known.
    pub(in crate::app) const fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// Has it stop as well. Builds that hang up behind a hand-over do not hear it.
    pub(in crate::app) fn tell(&self, stop: Stop) {
        let Some(line) = &self.0 else { return };
        if let Err(error) = line.sender.say_at_once(&Notice::Stop { restart: stop.is_restart() }) {
            tracing::debug!(%error, "the other process of a hand-over is gone");
        }
    }

    /// The next stop that it was told of; `None` when it has gone. Where it is not there, this never completes.
    /// Cancelled, it loses nothing.
    pub(in crate::app) async fn next(&mut self) -> Option<Stop> {
        let Some(line) = &mut self.0 else { return pending().await };
        let word = line.receiver.receive().await.ok().flatten().and_then(|frame| frame.message().ok());
        match word {
            Some(Notice::Stop { restart: true }) => Some(Stop::Restart),
            Some(Notice::Stop { restart: false }) => Some(Stop::Shutdown),
            None => {
                self.0 = None;
                None
            }
        }
    }
}
