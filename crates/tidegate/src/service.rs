//! What one generation of the configuration serves with: made once, shared by all its connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::access_log::AccessLog;
use crate::auth::Guards;
use crate::backend::trust::Trust;
use crate::clock;
use crate::config::Route;
use crate::drain::Drain;
use crate::lookup::Lookups;
use crate::policy::quota::Quota;
use crate::recording::{Recorder, Tape, Unrecorded};
use crate::request::Request;
use crate::route::Table;

/// Routes, log and stop signal.
#[derive(Debug)]
pub(crate) struct Service {
    /// The route table.
    pub(crate) table: Table,
    /// The access log.
    pub(crate) access_log: AccessLog,
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
    connections: AtomicU64,
    websockets: AtomicU64,
    websockets_open: AtomicU64,
    /// Told when a WebSocket is opened or over.
    changed: Notify,
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

/// Counts since the start, and of what is open just now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) connections: u64,
    pub(crate) websockets: u64,
    pub(crate) websockets_open: u64,
}

/// Counts a WebSocket as open until it is dropped.
#[derive(Debug)]
pub(crate) struct Open(Arc<Service>);

impl Service {
    /// A service that starts now.
    pub(crate) fn new(stages: Stages, access_log: AccessLog, drain: Drain, quota: Quota) -> Self {
        let Stages { table, guards, lookups, trust, recorder } = stages;
        Self {
            table,
            access_log,
            drain,
            quota,
            trust,
            guards,
            lookups,
            recorder,
            connections: AtomicU64::new(0),
            websockets: AtomicU64::new(0),
            websockets_open: AtomicU64::new(0),
            changed: Notify::new(),
            started: clock::now(),
        }
    }

    /// The number of the next connection, from 1.
    pub(crate) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
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

    pub(crate) fn open(self: &Arc<Self>) -> Open {
        self.websockets.fetch_add(1, Ordering::Relaxed);
        self.websockets_open.fetch_add(1, Ordering::Relaxed);
        self.changed.notify_waiters();
        Open(Arc::clone(self))
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            connections: self.connections.load(Ordering::Relaxed),
            websockets: self.websockets.load(Ordering::Relaxed),
            websockets_open: self.websockets_open.load(Ordering::Relaxed),
        }
    }

    /// Waits until this is true of the number of WebSockets.
    pub(crate) async fn wait_for(&self, is_so: impl Fn(Counts) -> bool) {
        loop {
            let changed = self.changed.notified(); // before the look, so that no change goes by between the two
            if is_so(self.counts()) {
                return;
            }
            changed.await;
        }
    }

    /// How it is, for the status page.
    pub(crate) fn status(&self) -> Value {
        let counts = self.counts();
        json!({
            "name": "tidegate",
            "version": env!("CARGO_PKG_VERSION"),
            "uptime_seconds": (clock::now() - self.started).as_secs(),
            "connections": counts.connections,
            "websockets": counts.websockets,
            "websockets_open": counts.websockets_open,
        })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.websockets_open.fetch_sub(1, Ordering::Relaxed);
        self.0.changed.notify_waiters();
    }
}
