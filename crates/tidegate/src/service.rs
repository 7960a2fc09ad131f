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
use crate::drain::{Drain, Haste, Pace, chance};
use crate::generation::Generation;
use crate::handover::record;
use crate::journal::Telemetry;
use crate::live::{About, CloseNotice, Filter, Live, Order, Register, Registered};
use crate::metrics::TlsHandshake;
use crate::outcome::Cause;
use crate::policy::quota::Quota;
use crate::swap::Swap;

/// What lives as long as the process does.
#[derive(Debug)]
pub(crate) struct Service {
    generation: Swap<Generation>,
    /// The access log, and the counters.
    pub(crate) telemetry: Arc<Telemetry>,
    /// The stop signal.
    pub(crate) drain: Drain,
    /// How many connections one client may have.
    pub(crate) quota: Quota,
    /// How many handshakes one client may have under way: as many as connections.
    pub(crate) handshakes: Quota,
    /// The WebSockets that are open.
    pub(crate) live: Arc<Register>,
    /// How many sessions are told to close in a second.
    drain_rate: AtomicU32,
    is_short_of_memory: AtomicBool,
    connections: AtomicU64,
    /// A hand-over to another process is under way.
    pub(crate) hands_over: AtomicBool,
    started: Instant,
}

impl Service {
    /// A service that starts now.
    pub(crate) fn new(
        generation: Generation,
        telemetry: Arc<Telemetry>,
        quota: Quota,
        drain_rate: u32,
    ) -> Self {
        Self {
            generation: Swap::new(Arc::new(generation)),
            telemetry,
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

    /// Puts another generation in force, and returns how many WebSockets are told to close: those of routes that have
    /// changed and do not keep theirs. All others go on as they are.
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
            // A session that was told to close sooner keeps its moment, however often the file changes.
            if let Some(window) = window(*fate)
                && !live.leash.is_told(&RELOADED, now + window)
            {
                told.entry(window).or_default().push(live);
            }
        }
        told.iter()
            .map(|(window, sessions)| {
                let pace = Pace::over(*window, sessions.len(), self.drain_rate(), now);
                tell(sessions, &RELOADED, &pace);
                sessions.len()
            })
            .sum()
    }

    /// Enters a WebSocket that is open from now on; `until`: its token expires then.
    ///
    /// What all others were told since it was let in holds for it as well. It looks for that only once it is in the register:
    /// so whoever tells all sessions something finds it there, or it finds here what they were told.
    pub(crate) fn enter(&self, about: About, until: Option<Instant>) -> Registered {
        let live = self.live.enter(about);
        let route = &live.about.route;
        if let Some(age) = route.age_max {
            let at = live.since + age.mul_f64(0.9 + 0.2 * chance());
            live.leash.tell(Order { at, idle: None, notice: Arc::clone(&MAX_AGE) });
        }
        if let Some(at) = until {
            live.leash.tell(Order { at, idle: None, notice: Arc::clone(&TOKEN_EXPIRED) });
        }
        if let Some(window) = window(self.generation().table.fate(None, route)) {
            let at = live.since + window.mul_f64(chance());
            live.leash.tell(Order { at, idle: None, notice: Arc::clone(&RELOADED) });
        }
        if let Some(order) = self.drain.order() {
            live.leash.tell(order);
        }
        live
    }

    /// Enters a WebSocket that another process has opened, with what it was told there; connections are numbered behind
    /// it. `None`: there is one with its number here.
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

    /// Begins the end of everything: no connection gets another request answered, and each WebSocket is told to close, all
    /// of them within `patience`. The first call counts.
    pub(crate) fn drain(&self, notice: Arc<CloseNotice>, patience: Duration, haste: Haste) {
        let (count, now) = (usize::try_from(self.live.open()).unwrap_or(usize::MAX), clock::now());
        let pace = match haste {
            Haste::AtDrainRate => Pace::within(patience, count, self.drain_rate(), now),
            Haste::None => Pace::evenly(patience, count, now),
        };
        self.drain.start(notice, pace);
        for live in self.live.sessions(&Filter::default()) {
            if let Some(order) = self.drain.order() {
                live.leash.tell(order);
            }
        }
    }

    /// Makes haste of a drain that has begun: sessions that it would tell later are told within `patience`, as fast as
    /// `drain_rate` lets them.
    pub(crate) fn make_haste(&self, notice: &Arc<CloseNotice>, patience: Duration) {
        let sessions = self.live.sessions(&Filter::default());
        tell(&sessions, notice, &Pace::within(patience, sessions.len(), self.drain_rate(), clock::now()));
    }

    /// Whether it takes new connections, and means to go on doing so.
    pub(crate) fn is_ready(&self) -> bool {
        !self.drain.is_started() && !self.is_short_of_memory()
    }

    /// Whether there is no memory for another session.
    pub(crate) fn is_short_of_memory(&self) -> bool {
        self.is_short_of_memory.load(Ordering::Relaxed)
    }

    /// Sets whether there is; returns what it was before.
    pub(crate) fn set_short_of_memory(&self, is_short: bool) -> bool {
        self.is_short_of_memory.swap(is_short, Ordering::Relaxed)
    }

    /// Sets how many sessions are told to close in a second.
    pub(crate) fn set_drain_rate(&self, rate: u32) {
        self.drain_rate.store(rate, Ordering::Relaxed);
    }

    /// How many sessions are told to close in a second.
    pub(crate) fn drain_rate(&self) -> u32 {
        self.drain_rate.load(Ordering::Relaxed)
    }

    /// Numbers connections from behind this one on, unless it has come further already.
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
            self.telemetry.metrics.tls.add(TlsHandshake { result: "ok", version });
        }
    }

    /// Counts a client that has not, and says why.
    pub(crate) fn without_tls(&self, conn: u64, error: &io::Error) {
        let result = if error.kind() == io::ErrorKind::TimedOut { "timeout" } else { "failed" };
        self.telemetry.metrics.tls.add(TlsHandshake { result, version: "" });
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

/// Tells sessions to close, at this pace.
fn tell(sessions: &[Arc<Live>], notice: &Arc<CloseNotice>, pace: &Pace) {
    for live in sessions {
        live.leash.tell(Order { at: pace.next(), idle: None, notice: Arc::clone(notice) });
    }
}

/// Over how long the sessions of a route that has changed are closed; `None`: they are not.
const fn window(fate: OnChange) -> Option<Duration> {
    match fate {
        OnChange::Keep => None,
        OnChange::Drain(window) => Some(window),
        OnChange::Close => Some(Duration::ZERO),
    }
}

static RELOADED: LazyLock<Arc<CloseNotice>> = LazyLock::new(|| {
    CloseNotice::new(Cause::Reloaded, CloseCode::GOING_AWAY, "the route has changed".to_owned())
});

static TOKEN_EXPIRED: LazyLock<Arc<CloseNotice>> = LazyLock::new(|| {
    CloseNotice::new(Cause::TokenExpired, CloseCode::POLICY_VIOLATION, "token expired".to_owned())
});

static MAX_AGE: LazyLock<Arc<CloseNotice>> =
    LazyLock::new(|| CloseNotice::new(Cause::MaxAge, CloseCode::GOING_AWAY, "open for max_age".to_owned()));

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
        let telemetry = Telemetry { log, metrics: Metrics::default(), ticker: None };
        let generation = Generation::first(config.routes).unwrap();
        let service = Service::new(generation, Arc::new(telemetry), Quota::new(0), 1);
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
