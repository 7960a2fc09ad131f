//! What the sessions of one route move on one worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tidegate_proto::MessageType;

use super::histogram::{Histogram, Snapshot};

/// Counters that one thread writes and others read.
#[derive(Debug)]
#[repr(align(64))] // of cache lines: what one worker writes slows down no other
pub(crate) struct Traffic {
    inbound: Direction,
    outbound: Direction,
    controls: Count,
    pings: Count,
    buffered: Count,
    round_trips: Histogram<10>,
}

#[derive(Debug, Default)]
struct Direction {
    bytes: Count,
    text: Count,
    binary: Count,
}

/// Written by one thread: so adding takes no locked instruction, which would cost several times as much.
#[derive(Debug, Default)]
struct Count(AtomicU64);

/// The same at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Moved {
    /// From the client.
    pub(crate) inbound: MovedOneWay,
    /// To the client.
    pub(crate) outbound: MovedOneWay,
    /// Pings and pongs of clients, but for answers to our pings.
    pub(crate) controls: u64,
    /// Pings of our own.
    pub(crate) pings: u64,
    /// Bytes that wait for a socket to take them.
    pub(crate) buffered: u64,
}

/// Payload in one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct MovedOneWay {
    pub(crate) bytes: u64,
    pub(crate) text: u64,
    pub(crate) binary: u64,
}

/// One session's way to count.
#[derive(Debug)]
pub(crate) struct Meter {
    traffic: Arc<Traffic>,
    /// Bytes of it that are counted as buffered.
    buffered: u32,
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            inbound: Direction::default(),
            outbound: Direction::default(),
            controls: Count::default(),
            pings: Count::default(),
            buffered: Count::default(),
            round_trips: Histogram::new(&ROUND_TRIPS),
        }
    }
}

impl Traffic {
    /// A ping of ours was sent.
    pub(crate) fn pinged(&self) {
        self.pings.add(1);
    }

    pub(crate) fn moved(&self) -> Moved {
        let one_way = |direction: &Direction| MovedOneWay {
            bytes: direction.bytes.get(),
            text: direction.text.get(),
            binary: direction.binary.get(),
        };
        Moved {
            inbound: one_way(&self.inbound),
            outbound: one_way(&self.outbound),
            controls: self.controls.get(),
            pings: self.pings.get(),
            buffered: self.buffered.get(),
        }
    }

    pub(crate) fn round_trips(&self) -> Snapshot {
        self.round_trips.snapshot()
    }
}

impl Direction {
    fn add(&self, message: MessageType, messages: u64, bytes: u64) {
        self.bytes.add(bytes);
        match message {
            MessageType::Text => self.text.add(messages),
            MessageType::Binary => self.binary.add(messages),
        }
    }
}

impl Count {
    fn add(&self, more: u64) {
        self.0.store(self.get().wrapping_add(more), Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Moved {
    pub(crate) const fn add(&mut self, other: &Self) {
        self.inbound.add(&other.inbound);
        self.outbound.add(&other.outbound);
        self.controls += other.controls;
        self.pings += other.pings;
        self.buffered = self.buffered.wrapping_add(other.buffered);
    }
}

impl MovedOneWay {
    const fn add(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.text += other.text;
        self.binary += other.binary;
    }

    /// Messages of both types.
    pub(crate) const fn messages(&self) -> u64 {
        self.text + self.binary
    }
}

impl Meter {
    pub(crate) const fn new(traffic: Arc<Traffic>) -> Self {
        Self { traffic, buffered: 0 }
    }

    /// Messages from the client that have ended, and bytes of them.
    pub(crate) fn inbound(&self, message: MessageType, messages: u64, bytes: u64) {
        self.traffic.inbound.add(message, messages, bytes);
    }

    /// The same to the client.
    pub(crate) fn outbound(&self, message: MessageType, messages: u64, bytes: u64) {
        self.traffic.outbound.add(message, messages, bytes);
    }

    pub(crate) fn controls(&self, frames: u32) {
        self.traffic.controls.add(frames.into());
    }

    pub(crate) fn pinged(&self) {
        self.traffic.pinged();
    }

    pub(crate) fn round_trip(&self, time: Duration) {
        self.traffic.round_trips.observe(time);
    }

    /// Notes how many bytes of the session wait for a socket now.
    pub(crate) fn buffered(&mut self, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        if bytes != self.buffered {
            self.traffic.buffered.add(u64::from(bytes).wrapping_sub(self.buffered.into()));
            self.buffered = bytes;
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.buffered(0);
    }
}

/// Of answers to pings, in seconds: from the same machine to the other side of the world, and on to a lost cause.
const ROUND_TRIPS: [f64; 10] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_buffered_goes_with_its_session() {
        let traffic = Arc::<Traffic>::default();
        let (mut one, mut other) = (Meter::new(Arc::clone(&traffic)), Meter::new(Arc::clone(&traffic)));
        one.buffered(1000);
        other.buffered(500);
        one.buffered(200);
        assert_eq!(traffic.moved().buffered, 700);
        drop((one, other));
        assert_eq!(traffic.moved().buffered, 0);
    }
}
