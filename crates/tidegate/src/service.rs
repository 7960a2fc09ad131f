//! What one generation of the configuration serves with: made once, shared by all its connections.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::auth::Guards;
use crate::backend::trust::Trust;
use crate::clock;
use crate::config::Route;
use crate::drain::{Drain, Pace};
use crate::journal::Books;
use crate::live::{About, Because, Filter, Register, Registered};
use crate::lookup::Lookups;
use crate::metrics::TlsHandshake;
use crate::policy::quota::Quota;
use crate::recording::{Recorder, Tape, Unrecorded};
use crate::request::Request;
use crate::route::Table;

/// Routes, log and stop signal.
#[derive(Debug)]
pub(crate) struct Service {
    /// The route table.
    pub(crate) table: Table,
    /// The access log, and the counters.
    pub(crate) books: Arc<Books>,
    /// The stop signal.
    pub(crate) drain: Drain,
    /// Whom TLS to backends believes.
    pub(crate) trust: Trust,
    /// Who guards which route.
    pub(crate) guards: Guards,
    /// Where tokens are looked up.
    pub(crate) lookups: Lookups,
    /// How many connections one client may have.
    pub(crate) quota: Quota,
    /// What records sessions, if any route has it.
    pub(crate) recorder: Option<Recorder>,
    /// The WebSockets that are open.
    pub(crate) live: Arc<Register>,
    connections: AtomicU64,
    started: Instant,
}

/// What the stages of a connection work with, in their order.
#[derive(Debug)]
pub(crate) struct Stages {
    pub(crate) table: Table,
    pub(crate) guards: Guards,
    pub(crate) lookups: Lookups,
    pub(crate) trust: Trust,
    pub(crate) recorder: Option<Recorder>,
}

impl Service {
    /// A service that starts now.
    pub(crate) fn new(stages: Stages, books: Arc<Books>, drain: Drain, quota: Quota) -> Self {
        let Stages { table, guards, lookups, trust, recorder } = stages;
        Self {
            table,
            books,
            drain,
            quota,
            trust,
            guards,
            lookups,
            recorder,
            live: Arc::default(),
            connections: AtomicU64::new(0),
            started: clock::now(),
        }
    }

    /// The number of the next connection, from 1.
    pub(crate) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
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

    /// Begins the recording of a session, if its route has that.
    ///
    /// # Errors
    /// The route does without no recording, and there cannot be one.
    pub(crate) async fn tape(
        &self,
        route: &Route,
        request: &Request,
        conn: u64,
    ) -> Result<Option<Box<Tape>>, Unrecorded> {
        let (Some(recorder), Some(record)) = (&self.recorder, &route.record) else { return Ok(None) };
        let scheme = if request.via.secure { "wss" } else { "ws" };
        let host = if route.host_is_token() { "(token)" } else { &request.authority };
        let url = format!("{scheme}://{host}{}", request.path);
        match recorder.open(&record.name, record.format, record.bytes_max, (conn, url)).await {
            Ok(tape) => Ok(Some(Box::new(tape))),
            Err(error) if record.required => Err(Unrecorded(error)),
            Err(error) => {
                tracing::warn!(conn, route = route.name, %error, "a session is not recorded");
                Ok(None)
            }
        }
    }

    /// Enters a WebSocket that is open from now on; while the gateway drains, it is told so at once.
    pub(crate) fn enter(&self, about: About) -> Registered {
        let live = self.live.enter(about);
        // Behind the entry: whoever started the drain in between has found the session there, or is found here.
        if let Some(order) = self.drain.order() {
            live.leash.tell(order);
        }
        live
    }

    /// Connections since the start.
    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Begins the end of everything: no more is accepted from connections that there are, and each WebSocket is told to
    /// close, all of them within `patience`. The first time counts.
    pub(crate) fn drain(&self, because: Arc<Because>, patience: Duration, rate: u32) {
        let count = usize::try_from(self.live.open()).unwrap_or(usize::MAX);
        self.drain.start(because, Pace::within(patience, count, rate, clock::now()));
        for live in self.live.sessions(&Filter::default()) {
            if let Some(order) = self.drain.order() {
                live.leash.tell(order);
            }
        }
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
            "connections": self.connections(),
            "websockets": self.live.opened(),
            "websockets_open": self.live.open(),
        })
    }
}
