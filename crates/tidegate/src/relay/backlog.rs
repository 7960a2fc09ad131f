//! Bytes that a socket could not take yet.

use std::time::Duration;

use tokio::time::Instant;

/// Bytes in a backlog above which nothing more is read for its socket.
pub(super) const BYTES_SOFT: usize = 64 << 10;

/// Time without progress after which a backlog means that the peer has stalled.
pub(super) const STALL: Duration = Duration::from_secs(30);

/// A queue of bytes, empty most of the time, and a pointer then.
#[derive(Debug, Default)]
pub(super) struct Backlog(Option<Box<Kept>>);

/// What waits: at least one byte.
#[derive(Debug)]
struct Kept {
    bytes: Vec<u8>,
    /// How many bytes at the front have gone.
    gone: usize,
    /// When it last became shorter, or came to be.
    progress: Instant,
}

impl Backlog {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn pending(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |kept| &kept.bytes[kept.gone..])
    }

    /// What waits, and since when nothing of it was taken.
    pub(super) fn to_parts(&self) -> (&[u8], Option<Instant>) {
        (self.pending(), self.0.as_ref().map(|kept| kept.progress))
    }

    /// One of which nothing was taken since then.
    pub(super) fn from_parts(bytes: Vec<u8>, since: Instant) -> Self {
        Self((!bytes.is_empty()).then(|| Box::new(Kept { bytes, gone: 0, progress: since })))
    }

    pub(super) fn push(&mut self, bytes: &[u8], now: Instant) {
        match &mut self.0 {
            None => *self = Self::from_parts(bytes.to_vec(), now),
            Some(kept) => {
                kept.bytes.drain(..kept.gone);
                kept.gone = 0;
                kept.bytes.extend_from_slice(bytes);
            }
        }
    }

    /// Notes that the socket has taken this many bytes more.
    pub(super) fn consume(&mut self, bytes: usize, now: Instant) {
        let Some(kept) = self.0.as_mut().filter(|_| bytes > 0) else { return };
        kept.gone += bytes;
        kept.progress = now;
        if kept.gone == kept.bytes.len() {
            self.clear();
        }
    }

    pub(super) fn clear(&mut self) {
        self.0 = None;
    }

    /// When the peer counts as stalled if nothing moves until then.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.as_ref().map(|kept| kept.progress + STALL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_backlog_that_is_topped_up_for_ever_does_not_grow() {
        let now = crate::clock::now();
        let mut backlog = Backlog::default();
        backlog.push(&[0; BYTES_SOFT], now);
        for _ in 0..1000 {
            backlog.consume(4096, now);
            backlog.push(&vec![0; BYTES_SOFT - backlog.pending().len()], now);
            assert_eq!(backlog.pending().len(), BYTES_SOFT);
        }
        let capacity = backlog.0.as_ref().map_or(0, |kept| kept.bytes.capacity());
        assert!(capacity <= 4 * BYTES_SOFT, "{capacity}");
        backlog.consume(BYTES_SOFT, now);
        assert!(backlog.is_empty() && backlog.deadline().is_none(), "empty means without memory");
    }

    #[tokio::test(start_paused = true)]
    async fn only_progress_moves_the_deadline() {
        let start = crate::clock::now();
        let mut backlog = Backlog::default();
        backlog.push(b"ab", start);
        backlog.push(b"cd", start + STALL / 2);
        backlog.consume(0, start + STALL / 2);
        assert_eq!(backlog.deadline(), Some(start + STALL));
        backlog.consume(1, start + STALL / 2);
        assert_eq!((backlog.deadline(), backlog.pending()), (Some(start + STALL / 2 + STALL), &b"bcd"[..]));
    }
}
