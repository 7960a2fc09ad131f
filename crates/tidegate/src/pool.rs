//! The backends of a route as all workers see them: how many connections each has, and which took none lately.

use std::cmp::Reverse;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::config::{Backend, Balance};
use crate::metrics::Tally;

/// The backends of one route, at least one.
#[derive(Debug)]
pub(crate) struct Pool {
    /// Each may be in the pools of several generations.
    members: Vec<Arc<Member>>,
    /// Whose turn it is, counted without end.
    turn: AtomicUsize,
}

#[derive(Debug)]
struct Member {
    /// As it is logged, and as hashes know it: it keeps its clients when others come and go.
    name: String,
    /// Connections, those included that are being tried.
    live: AtomicUsize,
    /// Of these, the WebSockets and requests that it has not taken or not answered yet.
    pending: AtomicUsize,
    /// What came of those that were tried.
    tried: Tally<&'static str>,
    /// It did not take the last connection: others are asked before it until then. `None` since it took one.
    resting_until: Mutex<Option<Instant>>,
}

/// A backend at one moment.
#[derive(Debug)]
pub(crate) struct BackendStatus {
    pub(crate) name: String,
    /// Connections, those included that are being tried.
    pub(crate) live: usize,
    /// Others are tried before it.
    pub(crate) resting: bool,
    /// How often which result came of trying it.
    pub(crate) tried: Vec<(&'static str, u64)>,
}

/// A WebSocket or a request that a backend has not answered yet, counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Pending(Arc<Member>);

/// A connection to a backend, counted until it is dropped.
#[derive(Debug)]
pub struct Seat {
    pool: Arc<Pool>,
    member: usize,
}

impl Pool {
    pub(crate) fn new(backends: &[Backend]) -> Self {
        Self::succeeding(&Self { members: Vec::new(), turn: AtomicUsize::new(0) }, backends)
    }

    /// The pool of a route that has changed: of backends that stay, what is known stays.
    pub(crate) fn succeeding(former: &Self, backends: &[Backend]) -> Self {
        let member = |backend: &Backend| {
            let name = backend.to_string();
            let known = former.members.iter().find(|member| member.name == name);
            known.cloned().unwrap_or_else(|| {
                Arc::new(Member {
                    name,
                    live: AtomicUsize::new(0),
                    pending: AtomicUsize::new(0),
                    tried: Tally::default(),
                    resting_until: Mutex::new(None),
                })
            })
        };
        Self { members: backends.iter().map(member).collect(), turn: AtomicUsize::new(0) }
    }

    /// All backends, by their number, in the order in which they are to be tried. `key` is what hashes are made of.
    ///
    /// Those that rest come last instead of never: if all do, one that is back is found at once.
    pub(crate) fn order(
        &self,
        rule: Balance,
        key: impl FnOnce(&mut DefaultHasher),
        now: Instant,
    ) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.members.len()).collect();
        match rule {
            Balance::RoundRobin => self.take_turns(&mut order),
            Balance::LeastConnections => {
                self.take_turns(&mut order);
                order.sort_by_key(|member| self.members[*member].live.load(Ordering::Relaxed));
            }
            Balance::Hash | Balance::Sticky => {
                let mut hasher = DefaultHasher::new();
                key(&mut hasher);
                // Rendezvous: each backend scores for itself, so one that leaves takes only its own clients along.
                let score = |member: &usize| {
                    let mut hasher = hasher.clone();
                    self.members[*member].name.hash(&mut hasher);
                    Reverse(hasher.finish())
                };
                order.sort_by_cached_key(score);
            }
        }
        order.sort_by_key(|member| self.members[*member].is_resting(now));
        order
    }

    /// Counts a connection to this backend, as soon as it is tried.
    pub(crate) fn seat(self: &Arc<Self>, member: usize) -> Seat {
        self.members[member].live.fetch_add(1, Ordering::Relaxed);
        Seat { pool: Arc::clone(self), member }
    }

    /// Counts a connection to the backend of this name that was made elsewhere; of several, where there is no name, there
    /// is none to count.
    pub(crate) fn seat_of(self: &Arc<Self>, name: Option<&str>) -> Option<Seat> {
        let member = match (name, &self.members[..]) {
            (Some(name), members) => members.iter().position(|member| member.name == name)?,
            (None, [_]) => 0,
            (None, _) => return None,
        };
        Some(self.seat(member))
    }

    /// How each backend stands.
    pub(crate) fn statuses(&self, now: Instant) -> Vec<BackendStatus> {
        let status = |member: &Arc<Member>| BackendStatus {
            name: member.name.clone(),
            live: member.live.load(Ordering::Relaxed),
            resting: member.is_resting(now),
            tried: member.tried.all(),
        };
        self.members.iter().map(status).collect()
    }

    fn take_turns(&self, order: &mut [usize]) {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % order.len();
        order.rotate_left(turn);
    }
}

impl Member {
    fn is_resting(&self, now: Instant) -> bool {
        self.resting_until.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| until > now)
    }
}

impl Seat {
    /// The backend as it is logged.
    pub fn name(&self) -> &str {
        &self.pool.members[self.member].name
    }

    /// The same, where there was another one to choose.
    pub(crate) fn chosen(&self) -> Option<&str> {
        (self.pool.members.len() > 1).then(|| self.name())
    }

    /// Counts a WebSocket or request that it is to answer, unless `pending_max` wait for that already.
    pub(crate) fn ask(&self, pending_max: usize) -> Option<Pending> {
        let pending = Pending(Arc::clone(&self.pool.members[self.member])); // counted back in any case
        let waiting = pending.0.pending.fetch_add(1, Ordering::Relaxed);
        (waiting < pending_max).then_some(pending)
    }

    /// Counts a WebSocket or request that it is to answer, however many wait for that.
    pub(crate) fn owe(&self) -> Pending {
        let member = &self.pool.members[self.member];
        member.pending.fetch_add(1, Ordering::Relaxed);
        Pending(Arc::clone(member))
    }

    /// Counts what came of trying it.
    pub(crate) fn tried(&self, result: &'static str) {
        self.pool.members[self.member].tried.add(result);
    }

    /// Notes that it did not take the connection: others are tried before it until then. Whether that is news; it is
    /// none where there are no others.
    pub(crate) fn rest(&self, until: Instant) -> bool {
        self.chosen().is_some() && self.resting().replace(until).is_none()
    }

    /// Notes that it took the connection. Whether that is news.
    pub(crate) fn took(&self) -> bool {
        self.resting().take().is_some()
    }

    fn resting(&self) -> MutexGuard<'_, Option<Instant>> {
        let member = &self.pool.members[self.member];
        member.resting_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.pending.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.pool.members[self.member].live.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::config::Authority;
    use std::time::Duration;

    fn pool(ports: std::ops::Range<u16>) -> Arc<Pool> {
        let backend = |port| Backend::Tcp(Authority { host: "backend".to_owned(), port });
        Arc::new(Pool::new(&ports.map(backend).collect::<Vec<_>>()))
    }

    fn order(pool: &Pool, rule: Balance, key: u32) -> Vec<usize> {
        pool.order(rule, |hasher| key.hash(hasher), clock::now())
    }

    #[test]
    fn what_is_known_of_a_backend_outlives_a_change_of_its_neighbours() {
        let former = pool(0..3);
        let _seats = [former.seat(1), former.seat(1), former.seat(2)];
        let backend = |port| Backend::Tcp(Authority { host: "backend".to_owned(), port });
        let changed = Pool::succeeding(&former, &[backend(1), backend(2), backend(7)]);
        assert_eq!(order(&changed, Balance::LeastConnections, 0), [2, 1, 0]);
    }

    #[test]
    fn turns_go_round() {
        let pool = pool(0..3);
        let firsts: Vec<_> = (0..6).map(|_| order(&pool, Balance::RoundRobin, 0)[0]).collect();
        assert_eq!(firsts, [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn the_one_with_the_fewest_connections_is_first() {
        let pool = pool(0..3);
        let seats = [pool.seat(0), pool.seat(1), pool.seat(0)];
        assert_eq!(order(&pool, Balance::LeastConnections, 0), [2, 1, 0]);
        drop(seats);
        let firsts: Vec<_> = (0..3).map(|_| order(&pool, Balance::LeastConnections, 0)[0]).collect();
        assert_eq!(firsts, [1, 2, 0], "of equals each has its turn");
    }

    #[test]
    fn a_backend_that_leaves_takes_only_its_own_clients_along() {
        let (before, after) = (pool(0..4), pool(0..3));
        let mut moved = 0;
        let mut shares = [0; 4];
        for key in 0..4000 {
            let (was, is) = (order(&before, Balance::Hash, key)[0], order(&after, Balance::Hash, key)[0]);
            shares[was] += 1;
            moved += u32::from(was != is);
            assert!(was == 3 || was == is, "client {key} has lost a backend that is still there");
        }
        assert_eq!(moved, shares[3]);
        assert!(shares.iter().all(|share| (800..1200).contains(share)), "{shares:?}");
    }

    #[test]
    fn those_that_rest_come_last_until_their_time_is_over() {
        let (pool, now) = (pool(0..3), clock::now());
        let until = now + Duration::from_secs(1);
        assert!(pool.seat(0).rest(until));
        assert!(!pool.seat(0).rest(until), "it is known");
        let order = |now| pool.order(Balance::LeastConnections, |_| {}, now);
        for _ in 0..3 {
            assert_eq!(order(now)[2], 0);
        }
        assert!((0..3).any(|_| order(until)[0] == 0));
        assert!(pool.seat(0).took());
        assert!((0..3).any(|_| order(now)[0] == 0), "it has taken one");
        assert!(!pool.seat(0).took());
    }

    #[test]
    fn a_single_backend_is_counted_and_never_rests() {
        let (pool, now) = (pool(0..1), clock::now());
        let seat = pool.seat(0);
        seat.tried("unreachable");
        assert!(!seat.rest(now + Duration::from_secs(1)));
        let status = &pool.statuses(now)[0];
        assert_eq!(
            (status.live, status.resting, status.tried.as_slice()),
            (1, false, &[("unreachable", 1)][..])
        );
        assert_eq!(seat.chosen(), None);
    }
}
