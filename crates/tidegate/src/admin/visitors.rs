//! Who has come to the admin listener. Anybody who reaches it may connect, and nobody may keep others out by that: where
//! all places are taken, whoever has been idle for longest has to go.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use tokio_util::sync::CancellationToken;

/// Those that are there.
#[derive(Debug)]
pub(super) struct Visitors {
    max: usize,
    /// In no order.
    all: Vec<Weak<Visitor>>,
    /// Counts whatever anybody does.
    turn: Arc<AtomicU64>,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Visitor {
    /// Told when it has to go.
    pub(super) leave: CancellationToken,
    /// Requests that are being answered: one at most.
    answering: AtomicUsize,
    /// When it came, or was last answered.
    last: AtomicU64,
    turn: Arc<AtomicU64>,
}

/// A request is being answered, until this is dropped.
#[derive(Debug)]
pub(super) struct Answering(Arc<Visitor>);

impl Visitors {
    /// As many as this at once.
    pub(super) fn new(max: usize) -> Self {
        Self { max, all: Vec::new(), turn: Arc::default() }
    }

    /// One more. If it is the last for whom there is a place, somebody else is told to go, unless all are being answered.
    pub(super) fn enter(&mut self) -> Arc<Visitor> {
        self.all.retain(|visitor| visitor.upgrade().is_some_and(|visitor| !visitor.leave.is_cancelled()));
        if self.all.len() + 1 >= self.max {
            let there = self.all.iter().filter_map(Weak::upgrade);
            let idle = there.filter(|visitor| !visitor.is_answered());
            if let Some(longest) = idle.min_by_key(|visitor| visitor.last.load(Ordering::Relaxed)) {
                longest.leave.cancel();
            }
        }
        let turn = Arc::clone(&self.turn);
        let last = AtomicU64::new(turn.fetch_add(1, Ordering::Relaxed));
        let visitor =
            Arc::new(Visitor { leave: CancellationToken::new(), answering: AtomicUsize::new(0), last, turn });
        self.all.push(Arc::downgrade(&visitor));
        visitor
    }
}

impl Visitor {
    /// Notes that it is being answered.
    pub(super) fn answering(self: &Arc<Self>) -> Answering {
        self.answering.fetch_add(1, Ordering::Relaxed);
        Answering(Arc::clone(self))
    }

    /// Whether it is being answered.
    pub(super) fn is_answered(&self) -> bool {
        self.answering.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let visitor = &self.0;
        visitor.last.store(visitor.turn.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        visitor.answering.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_idle_for_longest_goes_first_and_who_is_answered_stays() {
        let mut visitors = Visitors::new(4);
        let [answered, idle, asked] = [(); 3].map(|()| visitors.enter());
        let _answering = answered.answering();
        drop(asked.answering());
        let told = |visitors: &[&Arc<Visitor>]| {
            visitors.iter().map(|one| one.leave.is_cancelled()).collect::<Vec<_>>()
        };
        let newest = visitors.enter();
        assert_eq!(told(&[&answered, &idle, &asked, &newest]), [false, true, false, false]);
        let next = visitors.enter();
        assert_eq!(told(&[&answered, &asked, &newest, &next]), [false, true, false, false]);
        drop((newest, next));
        let again = visitors.enter();
        assert_eq!(told(&[&answered, &again]), [false, false], "there is room");
    }
}
