//! What all connections are served with: the generation of the configuration that is in force, and what outlives it.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde_json::{Value, json};
use tidegate_proto::CloseCode;
use tokio::time::Instant;

use crate::clock;
use crate::config::OnChange;
use crate::drain::{Drain, Pace, chance};
use crate::generation::Generation;
use crate::handover::record;
use crate::journal::Books;
use crate::live::{About, Because, Filter, Idle, Live, Order, Register, Registered};
use crate::metrics::TlsHandshake;
use crate::outcome::Cause;
use crate::policy::quota::Quota;
use crate::swap::Swap;

/// What lives as long as the process does.
#[derive(Debug)]
pub(crate) struct Service {
    generation: Swap<Generation>,
    /// The access log, and the counters.
    pub(crate) books: Arc<Books>,
    /// The stop signal.
    pub(crate) drain: Drain,
    /// How many connections one client may have.
    pub(crate) quota: Quota,
    /// How many handshakes one client may have under way: as many.
    pub(crate) handshakes: Quota,
    /// The WebSockets that are open.
    pub(crate) live: Arc<Register>,
    /// Sessions that are told to close in a second.
    drain_rate: AtomicU32,
    is_short_of_memory: AtomicBool,
    connections: AtomicU64,
    /// Another process takes the place of this one just now.
    pub(crate) hands_over: AtomicBool,
    started: Instant,
}

/// Whom a drain of a part spares, and for how long it goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    /// They are told over this time; zero is as fast as `drain_rate` lets them.
    pub(crate) window: Duration,
    /// Only who is quiet for so long within the window is closed; `None` is everybody.
    pub(crate) quiet: Option<Duration>,
}

impl Service {
    /// A service that starts now.
    pub(crate) fn new(generation: Generation, books: Arc<Books>, quota: Quota, drain_rate: u32) -> Self {
        Self {
            generation: Swap::new(Arc::new(generation)),
            books,
            drain: Drain::default(),
            handshakes: quota.beside(),
            quota,
            live: Arc::default(),
            drain_rate: AtomicU32::new(drain_rate),
            is_short_of_memory: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            hands_over: AtomicBool::new(false),
            started: clock::now(),
        }
    }

    /// The generation that is in force.
    pub(crate) fn generation(&self) -> Arc<Generation> {
        self.generation.load()
    }

    /// Puts another generation in force. WebSockets that are open go on as they are, but for those whose route says what
    /// is to become of them when it changes; how many those are.
    pub(crate) fn succeed(&self, generation: Generation) -> usize {
        let generation = Arc::new(generation);
        let former = self.generation.store(Arc::clone(&generation));
        let now = clock::now();
        let mut fates = HashMap::new();
        let mut told: HashMap<Duration, Vec<Arc<Live>>> = HashMap::new();
        for live in self.live.sessions(&Filter::default()) {
            let route = &live.about.route;
            let fate = fates
                .entry(Arc::as_ptr(route)) // alive, and so the only one at its address, for as long as the session is
                .or_insert_with(|| generation.table.fate(Some(&former.table), route));
            // Whose end is nearer than what it would be told now keeps its moment, however often the file changes.
            if let Some(window) = window(*fate)
                && !live.leash.is_told(&RELOADED, now + window)
            {
                told.entry(window).or_default().push(live);
            }
        }
        told.iter()
            .map(|(window, sessions)| {
                let spread = Spread { window: *window, quiet: None };
                self.tell(sessions, &RELOADED, spread);
                sessions.len()
            })
            .sum()
    }

    /// Enters a WebSocket that is open from now on, and `until` its token expires at the latest.
    ///
    /// What has been told to others since it was let in holds for it as well: behind its entry, so that whoever told
    /// them has found it there, or it finds what they were told here.
    pub(crate) fn enter(&self, about: About, until: Option<Instant>) -> Registered {
        let live = self.live.enter(about);
        let route = &live.about.route;
        if let Some(age) = route.age_max {
            let at = live.since + age.mul_f64(0.9 + 0.2 * chance());
            live.leash.tell(Order { at, idle: None, because: Arc::clone(&MAX_AGE) });
        }
        if let Some(at) = until {
            live.leash.tell(Order { at, idle: None, because: Arc::clone(&TOKEN_EXPIRED) });
        }
        if let Some(window) = window(self.generation().table.fate(None, route)) {
            let at = live.since + window.mul_f64(chance());
            live.leash.tell(Order { at, idle: None, because: Arc::clone(&RELOADED) });
        }
        if let Some(order) = self.drain.order() {
            live.leash.tell(order);
        }
        live
    }

    /// Enters a WebSocket that another process has opened, with what it was told there; connections are numbered behind
    /// it. `None`: one of its number is here.
    pub(crate) fn enter_again(
        &self,
        about: About,
        age: Duration,
        counts: record::Counts,
        orders: Vec<record::Order>,
    ) -> Option<Registered> {
        // The other process may end before it says how far it has counted.
        self.number_connections_from(about.conn);
        let live = self.live.enter_again(about, age, counts)?;
        let now = clock::now();
        for order in orders {
            live.leash.tell(Order::read(order, now));
        }
        if let Some(order) = self.drain.order() {
            live.leash.tell(order);
        }
        Some(live)
    }

    /// Tells these sessions to close.
    pub(crate) fn tell(&self, sessions: &[Arc<Live>], because: &Arc<Because>, spread: Spread) {
        let begun = clock::now();
        let pace = Pace::over(spread.window, sessions.len(), self.drain_rate(), begun);
        for live in sessions {
            let idle = spread.quiet.map(|quiet| Idle::new(quiet, begun + spread.window));
            live.leash.tell(Order { at: pace.next(), idle, because: Arc::clone(because) });
        }
    }

    /// Begins the end of everything: connections that there are get no more requests answered, and each WebSocket is
    /// told to close, all of them within `patience`: as fast as `drain_rate` lets them, or with `all_of_it` spread over it,
    /// where nobody waits for the end. The first time counts.
    pub(crate) fn drain(&self, because: Arc<Because>, patience: Duration, all_of_it: bool) {
        let (count, now) = (usize::try_from(self.live.open()).unwrap_or(usize::MAX), clock::now());
        let pace = if all_of_it {
            Pace::evenly(patience, count, now)
        } else {
            Pace::within(patience, count, self.drain_rate(), now)
        };
        self.drain.start(because, pace);
        for live in self.live.sessions(&Filter::default()) {
            if let Some(order) = self.drain.order() {
                live.leash.tell(order);
            }
        }
    }

    /// Has those told within `patience`, as fast as `drain_rate` lets them, that a drain would tell later. The drain has
    /// begun.
    pub(crate) fn make_haste(&self, because: &Arc<Because>, patience: Duration) {
        let sessions = self.live.sessions(&Filter::default());
        let pace = Pace::within(patience, sessions.len(), self.drain_rate(), clock::now());
        for live in sessions {
            live.leash.tell(Order { at: pace.next(), idle: None, because: Arc::clone(because) });
        }
    }

    /// Whether it takes new connections, and means to go on doing so.
    pub(crate) fn is_ready(&self) -> bool {
        !self.drain.is_started() && !self.is_short_of_memory()
    }

    /// Whether there is no memory for another session.
    pub(crate) fn is_short_of_memory(&self) -> bool {
        self.is_short_of_memory.load(Ordering::Relaxed)
    }

    /// Says whether there is; what was said before.
    pub(crate) fn set_short_of_memory(&self, is_short: bool) -> bool {
        self.is_short_of_memory.swap(is_short, Ordering::Relaxed)
    }

    /// So many from now on.
    pub(crate) fn set_drain_rate(&self, rate: u32) {
        self.drain_rate.store(rate, Ordering::Relaxed);
    }

    /// Sessions that are told to close in a second.
    pub(crate) fn drain_rate(&self) -> u32 {
        self.drain_rate.load(Ordering::Relaxed)
    }

    /// Goes on with numbers behind this one, if it has not come as far.
    pub(crate) fn number_connections_from(&self, last: u64) {
        self.connections.fetch_max(last, Ordering::Relaxed);
    }

    /// The number of the next connection, from 1.
    pub(crate) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Connections since the start.
    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Counts a client that has come as far as its first request, over this version of TLS, if over any.
    pub(crate) fn with_tls(&self, version: Option<&'static str>) {
        if let Some(version) = version {
            self.books.metrics.tls.add(TlsHandshake { result: "ok", version });
        }
    }

    /// Counts a client that has not, and says why.
    pub(crate) fn without_tls(&self, conn: u64, error: &io::Error) {
        let result = if error.kind() == io::ErrorKind::TimedOut { "timeout" } else { "failed" };
        self.books.metrics.tls.add(TlsHandshake { result, version: "" });
        tracing::debug!(conn, %error, "no TLS");
    }

    /// Time since the start.
    pub(crate) fn uptime(&self) -> Duration {
        clock::now() - self.started
    }

    /// How it is, for the status page.
    pub(crate) fn status(&self) -> Value {
        json!({
            "name": "tidegate",
            "version": env!("CARGO_PKG_VERSION"),
            "uptime_seconds": self.uptime().as_secs(),
            "generation": self.generation().number,
            "ready": self.is_ready(),
            "connections": self.connections(),
            "websockets": self.live.opened(),
            "websockets_open": self.live.open(),
        })
    }
}

/// Over how long those are closed whose route has changed; `None`: they are not.
const fn window(fate: OnChange) -> Option<Duration> {
    match fate {
        OnChange::Keep => None,
        OnChange::Drain(window) => Some(window),
        OnChange::Close => Some(Duration::ZERO),
    }
}

static RELOADED: LazyLock<Arc<Because>> = LazyLock::new(|| {
    Because::new(Cause::Reloaded, CloseCode::GOING_AWAY, "the route has changed".to_owned())
});

static TOKEN_EXPIRED: LazyLock<Arc<Because>> = LazyLock::new(|| {
    Because::new(Cause::TokenExpired, CloseCode::POLICY_VIOLATION, "token expired".to_owned())
});

static MAX_AGE: LazyLock<Arc<Because>> =
    LazyLock::new(|| Because::new(Cause::MaxAge, CloseCode::GOING_AWAY, "open for max_age".to_owned()));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access_log::AccessLog;
    use crate::config::embedded;
    use crate::metrics::Metrics;

    /// Whether or not the process that had them lives to say how far it has counted.
    #[tokio::test]
    async fn connections_are_numbered_behind_every_session_that_was_taken() {
        let config = embedded();
        let log = AccessLog::open(&config.access_log).unwrap();
        let books = Books { log, metrics: Metrics::default(), ticker: None };
        let generation = Generation::first(config.routes).unwrap();
        let service = Service::new(generation, Arc::new(books), Quota::new(0), 1);
        let take = |conn| {
            let about = About {
                conn,
                route: Arc::new(embedded().routes.remove(0)),
                client: None,
                port: 0,
                hybi00: false,
                backend: None,
                subprotocol: None,
            };
            service.enter_again(about, Duration::ZERO, record::Counts::default(), Vec::new())
        };
        let taken = [take(7), take(3)];
        assert!(taken.iter().all(Option::is_some) && take(7).is_none());
        assert_eq!(service.next_connection(), 8);
        service.number_connections_from(5);
        assert_eq!(service.next_connection(), 9, "numbers never go back");
    }
}
