//! A limit of how many of something there may be at a time, which may change while they are there.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// A number of places that may change while they are taken.
#[derive(Debug)]
pub(super) struct Limit {
    max: AtomicUsize,
    taken: AtomicUsize,
    /// Told when a place is given back, or when there are more.
    freed: Notify,
}

/// One place of a [`Limit`], given back by dropping it.
#[derive(Debug)]
pub(crate) struct Place(Arc<Limit>);

impl Limit {
    /// With `max` places.
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max: AtomicUsize::new(max), taken: AtomicUsize::new(0), freed: Notify::new() })
    }

    /// Has `max` places from now on. Where more are taken already, nobody loses one: none is given until enough came back.
    pub(super) fn set(&self, max: usize) {
        self.max.store(max, Ordering::SeqCst);
        self.freed.notify_waiters();
    }

    /// How many there are.
    pub(super) fn max(&self) -> usize {
        self.max.load(Ordering::Relaxed)
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Takes a place, if one is free.
    pub(super) fn try_take(self: &Arc<Self>) -> Option<Place> {
        let free = |taken| (taken < self.max.load(Ordering::SeqCst)).then_some(taken + 1);
        let taken = self.taken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, free);
        taken.is_ok().then(|| Place(Arc::clone(self)))
    }

    /// Takes a place beyond the limit if need be.
    pub(super) fn take_anyway(self: &Arc<Self>) -> Place {
        self.taken.fetch_add(1, Ordering::SeqCst);
        Place(Arc::clone(self))
    }

    /// Takes a place as soon as one is free.
    pub(super) async fn take(self: &Arc<Self>) -> Place {
        loop {
            let mut freed = pin!(self.freed.notified());
            freed.as_mut().enable(); // before the look, so that no place comes back unnoticed between the two
            if let Some(place) = self.try_take() {
                return place;
            }
            freed.await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::SeqCst);
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn is_free(limit: &Arc<Limit>) -> Option<Place> {
        tokio::select! {
            biased;
            place = limit.take() => Some(place),
            () = tokio::task::yield_now() => None,
        }
    }

    #[tokio::test]
    async fn who_waits_gets_the_place_that_comes_back() {
        let limit = Limit::new(1);
        let first = limit.take().await;
        let waiting =
            [limit.clone(), limit.clone()].map(|limit| tokio::spawn(async move { limit.take().await }));
        tokio::task::yield_now().await;
        drop(first);
        for place in waiting {
            drop(place.await.unwrap());
        }
        assert!(is_free(&limit).await.is_some());
    }

    #[tokio::test]
    async fn the_number_may_change_while_places_are_taken() {
        let limit = Limit::new(2);
        let places = [limit.take().await, limit.take().await];
        assert!(is_free(&limit).await.is_none());
        limit.set(3);
        let third = is_free(&limit).await.unwrap();
        limit.set(1);
        let [first, second] = places;
        drop((first, second));
        assert!(is_free(&limit).await.is_none(), "one is taken, and there is one");
        drop(third);
        assert!(is_free(&limit).await.is_some());
    }
}
