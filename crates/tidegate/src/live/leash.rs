//! How a session is told something by whoever holds its entry: the order is put down, and its task woken.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use tokio::time::Instant;

use super::order::Verdict;
use super::{CloseNotice, Counts, Order};
use crate::handover::{MoveRequest, StayReason};

/// One end is with the relay, the other with everybody else.
#[derive(Debug, Default)]
pub struct Leash {
    /// There are orders that the relay has not seen: all that it looks at in its turns.
    pulled: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Wakes the relay's task, which is the same for its whole life.
    waker: Option<Waker>,
    orders: Orders,
    /// They have changed since they were handed out.
    is_told: bool,
    /// Why it is closing.
    obeyed: Option<Arc<CloseNotice>>,
    /// It is asked whether it can be moved to another process.
    move_request: Option<Box<MoveRequest>>,
}

/// What the relay has not seen yet.
#[derive(Debug)]
pub(crate) struct News {
    /// If there are new ones, all orders that hold.
    pub(crate) orders: Option<Orders>,
    pub(crate) move_request: Option<Box<MoveRequest>>,
}

/// What a session is to do: at most one thing for sure, and one if it is quiet.
#[derive(Debug, Default, Clone)]
pub(crate) struct Orders {
    firm: Option<Box<Order>>,
    if_idle: Option<Box<Order>>,
}

impl Leash {
    /// Gives an order. Of two without a condition the earlier one holds, of two with one the later one given.
    pub fn tell(&self, order: Order) {
        let mut state = self.state();
        if !state.orders.take_up(order) {
            return;
        }
        state.is_told = true;
        self.pulled.store(true, Ordering::Release);
        let waker = state.waker.clone();
        drop(state); // waking may run what we do not know
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whom to wake from now on.
    pub(crate) fn watch(&self, waker: &Waker) {
        self.state().waker = Some(waker.clone());
    }

    /// Asks it to stand still and be written down. Where there is no relay to ask, the request is refused.
    pub(crate) fn ask(&self, request: MoveRequest) {
        let mut state = self.state();
        let Some(waker) = state.waker.clone() else {
            drop(state);
            return request.refuse(StayReason::NotRelayed);
        };
        let former = state.move_request.replace(Box::new(request));
        self.pulled.store(true, Ordering::Release);
        drop(state);
        drop(former);
        waker.wake();
    }

    /// The orders, if there are any that were not handed out yet, and what it is asked.
    pub(crate) fn news(&self) -> Option<News> {
        if !self.pulled.load(Ordering::Acquire) {
            return None;
        }
        let mut state = self.state();
        self.pulled.store(false, Ordering::Relaxed); // under the lock, so no order is between this and the next line
        let is_told = std::mem::take(&mut state.is_told);
        Some(News { orders: is_told.then(|| state.orders.clone()), move_request: state.move_request.take() })
    }

    /// Whether it was told to close for this reason, not later than at this time.
    pub(crate) fn is_told(&self, notice: &Arc<CloseNotice>, by: Instant) -> bool {
        let state = self.state();
        let firm = state.orders.firm.as_ref();
        firm.is_some_and(|order| order.notice.cause == notice.cause && order.at <= by)
    }

    /// Notes that the relay does what it was told.
    pub(crate) fn obeyed(&self, notice: &Arc<CloseNotice>) {
        self.state().obeyed = Some(Arc::clone(notice));
    }

    /// Why the relay has closed, where it was told to.
    pub fn reason(&self) -> Option<String> {
        self.state().obeyed.as_ref().map(|notice| notice.reason.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Orders {
    /// Each of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Order> {
        self.firm.iter().chain(&self.if_idle).map(|order| &**order)
    }

    /// When the next of them is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let at = |order: &Option<Box<Order>>| order.as_ref().map(|order| order.at);
        at(&self.firm).into_iter().chain(at(&self.if_idle)).min()
    }

    /// Why to close now, if it is time to, by what has passed so far.
    pub(crate) fn due(&mut self, now: Instant, counts: impl Fn() -> Counts) -> Option<Arc<CloseNotice>> {
        for order in [&mut self.firm, &mut self.if_idle] {
            let Some(told) = order.as_mut().filter(|told| now >= told.at) else { continue };
            match told.judge(now, counts()) {
                Verdict::Obey => return Some(Arc::clone(&told.notice)),
                Verdict::Wait => {}
                Verdict::Void => *order = None,
            }
        }
        None
    }

    /// Whether the order changes anything.
    fn take_up(&mut self, order: Order) -> bool {
        if order.idle.is_some() {
            self.if_idle = Some(Box::new(order));
            return true;
        }
        if self.firm.as_ref().is_some_and(|firm| firm.at <= order.at) {
            return false;
        }
        self.firm = Some(Box::new(order));
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;
    use std::time::Duration;

    use tidegate_proto::CloseCode;

    use super::*;
    use crate::live::Idle;
    use crate::outcome::Cause;

    const S: Duration = Duration::from_secs(1);

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn order(at: Instant, idle: Option<Idle>, reason: &str) -> Order {
        Order {
            at,
            idle,
            notice: CloseNotice::new(Cause::Operator, CloseCode::GOING_AWAY, reason.to_owned()),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_task_is_woken_and_finds_the_earliest_order() {
        let start = crate::clock::now();
        let (leash, woken) = (Leash::default(), Arc::new(Woken::default()));
        assert!(leash.news().is_none());
        leash.tell(order(start + 9 * S, None, "before anybody listens"));
        leash.watch(&Waker::from(Arc::clone(&woken)));
        assert_eq!(leash.news().unwrap().orders.unwrap().deadline(), Some(start + 9 * S));
        assert!(leash.news().is_none(), "it was handed out");
        leash.tell(order(start + 5 * S, None, "earlier"));
        leash.tell(order(start + 7 * S, None, "later: nothing new"));
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        let mut orders = leash.news().unwrap().orders.unwrap();
        assert!(orders.due(start + 4 * S, Counts::default).is_none());
        assert_eq!(orders.due(start + 5 * S, Counts::default).unwrap().reason, "earlier");
    }

    #[tokio::test(start_paused = true)]
    async fn an_order_for_the_quiet_stands_beside_one_for_all() {
        let start = crate::clock::now();
        let leash = Leash::default();
        leash.tell(order(start + 9 * S, None, "for all"));
        leash.tell(order(start, Some(Idle::new(S, start + 2 * S)), "if idle"));
        let mut orders = leash.news().unwrap().orders.unwrap();
        let busy = |bytes_in| move || Counts { bytes_in, ..Counts::default() };
        for second in 0..2 {
            assert!(orders.due(start + second * S, busy(u64::from(second))).is_none());
        }
        assert_eq!(orders.deadline(), Some(start + 2 * S));
        assert!(orders.due(start + 2 * S, busy(2)).is_none());
        assert_eq!(orders.deadline(), Some(start + 9 * S), "it was never quiet, and the other still holds");
        leash.tell(order(start + 2 * S, Some(Idle::new(S, start + 9 * S)), "again"));
        let mut orders = leash.news().unwrap().orders.unwrap();
        assert!(orders.due(start + 2 * S, busy(3)).is_none());
        assert_eq!(orders.due(start + 3 * S, busy(3)).unwrap().reason, "again");
    }
}
