//! What is counted for one route.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use super::histogram::{Histogram, Snapshot};
use super::tally::Tally;
use super::traffic::{Moved, Traffic};
use crate::outcome::Party;

/// The counters of a route.
#[derive(Debug)]
pub(crate) struct RouteMetrics {
    /// Requests that were answered.
    pub(crate) requests: Tally<AnsweredRequest>,
    /// Requests that were refused, by the reason.
    pub(crate) refusals: Tally<&'static str>,
    /// WebSockets that have ended.
    pub(crate) closed: Tally<Closed>,
    opened: AtomicU64,
    /// WebSockets that are open.
    open: AtomicU64,
    durations: Histogram<9>,
    /// One of each worker that has served it.
    traffic: Mutex<Vec<(ThreadId, Arc<Traffic>)>>,
}

/// An answered request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AnsweredRequest {
    /// It asked for a WebSocket.
    pub(crate) websocket: bool,
    /// The status; 0 where a backend has made up one of its own.
    pub(crate) status: u16,
}

/// The end of a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Closed {
    /// The label of the [`End`](crate::outcome::End).
    pub(crate) end: &'static str,
    /// The Close code; of those that endpoints choose freely, the first of its range.
    pub(crate) code: u16,
    /// Who began it.
    pub(crate) by: Party,
}

impl Default for RouteMetrics {
    fn default() -> Self {
        Self {
            requests: Tally::default(),
            refusals: Tally::default(),
            closed: Tally::default(),
            opened: AtomicU64::new(0),
            open: AtomicU64::new(0),
            durations: Histogram::new(&DURATIONS),
            traffic: Mutex::default(),
        }
    }
}

impl RouteMetrics {
    /// A WebSocket was opened.
    pub(crate) fn open(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    /// One that another process has opened goes on here.
    pub(crate) fn open_again(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    /// It goes on in another process.
    pub(crate) fn leave(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// It has ended, this long after it was opened.
    pub(crate) fn close(&self, closed: Closed, after: Duration) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        self.durations.observe(after);
        self.closed.add(closed);
    }

    /// WebSockets that are open.
    pub(crate) fn open_now(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// WebSockets that were opened so far.
    pub(crate) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// How long WebSockets lasted that have ended.
    pub(crate) fn durations(&self) -> Snapshot {
        self.durations.snapshot()
    }

    /// The counters of this thread's sessions. Nobody else writes to them.
    pub(crate) fn traffic(&self) -> Arc<Traffic> {
        let this = thread::current().id();
        let mut all = self.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, own)) = all.iter().find(|(thread, _)| *thread == this) {
            return Arc::clone(own);
        }
        let own = Arc::<Traffic>::default();
        all.push((this, Arc::clone(&own)));
        own
    }

    /// What all threads have moved, and how long answers to pings took.
    pub(crate) fn moved(&self) -> (Moved, Snapshot) {
        let all = self.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sum = (Moved::default(), Traffic::default().round_trips());
        for (_, traffic) in all.iter() {
            sum.0.add(&traffic.moved());
            sum.1.add(&traffic.round_trips());
        }
        sum
    }
}

impl AnsweredRequest {
    /// A request with this answer. Whoever is behind the route may answer with any number: those without a meaning
    /// count as one.
    pub(crate) fn new(websocket: bool, status: u16) -> Self {
        let is_known =
            http::StatusCode::from_u16(status).is_ok_and(|known| known.canonical_reason().is_some());
        Self { websocket, status: if is_known || status == GONE { status } else { 0 } }
    }
}

impl Closed {
    /// An end with this code. Endpoints may choose from 3000 to 4999 as they like: that is two codes here.
    pub(crate) const fn new(end: &'static str, code: u16, by: Party) -> Self {
        let code = match code {
            3000..4000 => 3000,
            4000..5000 => 4000,
            code => code,
        };
        Self { end, code, by }
    }
}

/// Of WebSockets, in seconds: from a request in disguise to a working day.
const DURATIONS: [f64; 9] = [0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 14_400.0, 28_800.0, 86_400.0];

/// The client went before there was an answer: no status of HTTP, but one that is logged.
const GONE: u16 = 499;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t239_what_peers_choose_freely_is_a_bounded_number_of_labels() {
        let codes: std::collections::BTreeSet<u16> =
            (1000..5000).map(|code| Closed::new("client_closed", code, Party::Client).code).collect();
        assert!(codes.contains(&1000) && codes.contains(&4000) && !codes.contains(&4001));
        let statuses: std::collections::BTreeSet<u16> =
            (0..1000).map(|status| AnsweredRequest::new(false, status).status).collect();
        assert!(statuses.len() < 80 && statuses.contains(&499) && statuses.contains(&0), "{statuses:?}");
    }

    #[test]
    fn each_thread_has_its_own_and_all_are_added_up() {
        let route = RouteMetrics::default();
        route.traffic().pinged();
        assert!(Arc::ptr_eq(&route.traffic(), &route.traffic()));
        thread::scope(|scope| {
            scope.spawn(|| route.traffic().pinged());
        });
        assert_eq!(route.moved().0.pings, 2);
    }
}
