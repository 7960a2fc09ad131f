//! What has passed through a session, in figures that anybody may read while its relay goes on.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::handover::record;

/// Payload that has passed. One relay writes, so an addition needs no lock of the bus; others only read.
#[derive(Debug, Default)]
pub struct Traffic {
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    messages_in: AtomicU64,
    messages_out: AtomicU64,
    held: AtomicU32,
}

/// What was relayed, payload only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bytes from the client.
    pub bytes_in: u64,
    /// Bytes to the client.
    pub bytes_out: u64,
    /// Messages from the client.
    pub messages_in: u64,
    /// Messages to the client.
    pub messages_out: u64,
}

impl Traffic {
    /// Begins with what has passed elsewhere.
    pub(super) fn going_on(counts: Counts) -> Self {
        Self {
            bytes_in: counts.bytes_in.into(),
            bytes_out: counts.bytes_out.into(),
            messages_in: counts.messages_in.into(),
            messages_out: counts.messages_out.into(),
            held: AtomicU32::new(0),
        }
    }

    /// Notes how many bytes wait for a socket to take them. Only the session's own relay may.
    pub fn hold(&self, bytes: usize) {
        self.held.store(u32::try_from(bytes).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// How many bytes wait.
    pub fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed).into()
    }

    /// Notes what came from the client. Only the session's own relay may.
    pub fn inbound(&self, bytes: u64, messages: u64) {
        add(&self.bytes_in, bytes);
        add(&self.messages_in, messages);
    }

    /// Notes what went to the client. Only the session's own relay may.
    pub fn outbound(&self, bytes: u64, messages: u64) {
        add(&self.bytes_out, bytes);
        add(&self.messages_out, messages);
    }

    /// The figures so far.
    pub fn counts(&self) -> Counts {
        Counts {
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
            messages_in: self.messages_in.load(Ordering::Relaxed),
            messages_out: self.messages_out.load(Ordering::Relaxed),
        }
    }
}

impl From<Counts> for record::Counts {
    fn from(counts: Counts) -> Self {
        let Counts { bytes_in, bytes_out, messages_in, messages_out } = counts;
        Self { bytes_in, bytes_out, messages_in, messages_out }
    }
}

impl From<record::Counts> for Counts {
    fn from(written: record::Counts) -> Self {
        let record::Counts { bytes_in, bytes_out, messages_in, messages_out } = written;
        Self { bytes_in, bytes_out, messages_in, messages_out }
    }
}

fn add(figure: &AtomicU64, more: u64) {
    figure.store(figure.load(Ordering::Relaxed) + more, Ordering::Relaxed);
}
