//! What is owed when a WebSocket is over: its access line, and everything that it had a share of.

use crate::handover::record;
use crate::journal::Entry;
use crate::live::Registered;
use crate::outcome::End;
use crate::pool::Seat;
use crate::relay::Owner;

/// Draws the consequences of a relay. `kept` is what its end gives back.
pub(super) struct Settling<K> {
    pub(super) entry: Entry,
    /// None where the backend is not known to the configuration any more.
    pub(super) seat: Option<Seat>,
    pub(super) kept: K,
}

impl<K: Send + Sync> Owner for Settling<K> {
    type Fate = ();

    fn line(&self) -> record::Line {
        self.entry.write_down()
    }

    fn ended(self, end: End, live: Registered) {
        self.entry.ended(end, &live);
        drop((live, self.seat));
        drop(self.kept); // last: whoever waits for this connection's end finds its line written
    }

    fn moved(self, live: Registered) {
        self.entry.moved();
        drop((live, self.seat));
        drop(self.kept);
    }
}
