//! What is written down about a request: exactly one access line, whatever becomes of it.

mod summary;

use std::sync::Arc;

use tokio::time::Instant;

use self::summary::RequestSummary;
use crate::access_log::{AccessLog, Line, WebSocketLine};
use crate::backend::NotTaken;
use crate::clock;
use crate::config::Route;
use crate::handover::{Record, record};
use crate::io::Peer;
use crate::live::{Counts, Live};
use crate::metrics::{AnsweredRequest, Closed, Metrics, RouteMetrics, Traffic};
use crate::opening::HYBI00;
use crate::outcome::{End, Party};
use crate::policy::Denied;
use crate::refused::Refused;
use crate::request::{Kind, Request};
use crate::ticker::Ticker;

/// Bytes of a path that are logged.
const PATH_BYTES_MAX: usize = 512;

/// In the place of a host that is a token.
pub(crate) const TOKEN: &str = "(token)";

/// Bytes of an origin that are logged.
const ORIGIN_BYTES_MAX: usize = 256;

/// Where it is written down: the access log, and the counters.
#[derive(Debug)]
pub(crate) struct Telemetry {
    pub(crate) log: AccessLog,
    pub(crate) metrics: Metrics,
    /// What prints a symbol for each read and write, where that is wanted.
    pub(crate) ticker: Option<Ticker>,
}

/// The access line of a request, open until it is known what became of it. Dropped before that, it says so: the client
/// went, the gateway was stopped, or a bug of ours ended the task. What it says is counted as well.
#[derive(Debug)]
pub(crate) struct Entry {
    telemetry: Arc<Telemetry>,
    /// Of the route, as soon as it is known.
    metrics: Arc<RouteMetrics>,
    since: Instant,
    conn: u64,
    summary: RequestSummary,
    route: Option<Arc<Route>>,
    /// Of several, the one that was chosen.
    backend: Option<Box<str>>,
    /// The WebSocket that it asks for is one of hybi-00, and not of RFC 6455.
    hybi00: bool,
    /// It asks for a WebSocket.
    asks_upgrade: bool,
    /// A WebSocket was opened.
    websocket: bool,
    written: bool,
}

/// What became of a request, as its line says it.
#[derive(Default)]
struct Fate<'a> {
    status: u16,
    reason: Option<&'a str>,
    origin: Option<&'a str>,
    websocket: Option<WebSocketLine<'a>>,
}

impl Entry {
    /// The entry of a request that was understood; `host` is the one that it asks for, or [`TOKEN`].
    pub(crate) fn new(
        telemetry: &Arc<Telemetry>,
        conn: u64,
        request: &Request,
        host: &str,
        since: Instant,
    ) -> Self {
        let (method, path) = (Some(&request.method), beginning(&request.path, PATH_BYTES_MAX));
        // A client is logged with its port where it is known, so where no proxy stands between.
        let summary = match request.via.client {
            Some(client) if request.via.trusted => RequestSummary::new(client, method, host, path),
            _ => RequestSummary::new(request.arrival.client, method, host, path),
        };
        let mut entry = Self::of(telemetry, conn, summary, since);
        entry.asks_upgrade = request.kind() == Kind::WebSocket;
        entry
    }

    /// The entry of what was no request, or was refused before its path meant anything.
    pub(crate) fn unread(telemetry: &Arc<Telemetry>, conn: u64, client: Peer, since: Instant) -> Self {
        Self::of(telemetry, conn, RequestSummary::new(client, None, "", ""), since)
    }

    fn of(telemetry: &Arc<Telemetry>, conn: u64, summary: RequestSummary, since: Instant) -> Self {
        Self {
            telemetry: Arc::clone(telemetry),
            metrics: telemetry.metrics.unrouted(),
            since,
            conn,
            summary,
            route: None,
            backend: None,
            hybi00: false,
            asks_upgrade: false,
            websocket: false,
            written: false,
        }
    }

    /// Names the route.
    pub(crate) fn on_route(&mut self, route: &Arc<Route>) {
        self.metrics = self.telemetry.metrics.route(&route.name);
        self.route = Some(Arc::clone(route));
    }

    /// Notes that the WebSocket that is asked for is one of hybi-00.
    pub(crate) const fn in_hybi00(&mut self) {
        self.hybi00 = true;
    }

    /// The protocol that it asks for, where it is not RFC 6455.
    fn protocol(&self) -> Option<&'static str> {
        self.hybi00.then_some(HYBI00)
    }

    /// Names the backend, where there was one to choose.
    pub(crate) fn on_backend(&mut self, name: Option<&str>) {
        self.backend = name.map(Into::into);
    }

    /// Notes that the client was told yes.
    pub(crate) fn opened(&mut self) {
        self.websocket = true;
        self.metrics.requests.add(AnsweredRequest::new(true, 101));
        self.metrics.open();
    }

    /// What another process has to know to write it.
    pub(crate) fn write_down(&self) -> record::Line {
        let method = self.summary.method();
        record::Line {
            client: self.summary.client().to_owned(),
            age: clock::now() - self.since,
            method: (!method.is_empty()).then(|| method.to_owned()),
            host: self.summary.host().to_owned(),
            path: self.summary.path().to_owned(),
            protocol: self.protocol().map(ToOwned::to_owned),
        }
    }

    /// The entry of a WebSocket that another process has opened.
    pub(crate) fn resumed(telemetry: &Arc<Telemetry>, record: &Record, route: &Arc<Route>) -> Self {
        let Record { about, line: written, .. } = record;
        let method = written.method.as_deref().unwrap_or_default();
        let summary = RequestSummary::of(&written.client, method, &written.host, &written.path);
        let mut entry = Self::of(telemetry, about.conn, summary, clock::ago(written.age));
        entry.on_route(route);
        entry.on_backend(about.backend.as_deref());
        entry.hybi00 = about.hybi00;
        entry.metrics.open_again();
        entry.asks_upgrade = true;
        entry.websocket = true;
        entry
    }

    /// Another process writes it: here the WebSocket counts as open no more, and has not ended either.
    pub(crate) fn moved(mut self) {
        self.written = true;
        self.metrics.leave();
    }

    /// Where this thread counts what such a WebSocket moves.
    pub(crate) fn traffic(&self) -> Arc<Traffic> {
        self.metrics.traffic()
    }

    /// Writes it for a request that was refused.
    pub(crate) fn refused(mut self, refused: &Refused) {
        self.metrics.refusals.add(refused.label());
        if let Refused::Misdirected { host, path } = refused {
            let path = beginning(path, PATH_BYTES_MAX);
            self.summary = RequestSummary::of(self.summary.client(), self.summary.method(), host, path);
        }
        let origin =
            if let Refused::Policy(Denied::Origin(origin)) = refused { Some(&**origin) } else { None };
        let reason = refused.to_string();
        let origin = origin.map(|origin| beginning(origin, ORIGIN_BYTES_MAX));
        let status = refused.status().as_u16();
        self.answered_with(Fate { status, reason: Some(&reason), origin, websocket: None });
    }

    /// Writes it for a request that was answered.
    pub(crate) fn answered(mut self, status: u16, reason: Option<String>) {
        self.answered_with(Fate { status, reason: reason.as_deref(), ..Fate::default() });
    }

    fn answered_with(&mut self, fate: Fate<'_>) {
        if self.websocket {
            self.metrics.close(UNPROVEN, clock::now() - self.since);
        }
        self.write("http", fate);
    }

    /// Writes it for a WebSocket that was to be handed over to another process. How that one ends is not known here.
    pub(crate) fn handed_over(mut self, given: Result<(), NotTaken>) {
        let (end, reason) = given.map_or_else(
            |error| ("not_taken", error.to_string()),
            |()| ("handed_over", "handed over".to_owned()),
        );
        self.metrics.close(Closed::new(end, 1006, Party::Gateway), clock::now() - self.since);
        self.write("websocket", Fate { status: 101, reason: Some(&reason), ..Fate::default() });
    }

    /// Writes it for a WebSocket that has ended.
    pub(crate) fn ended(mut self, end: End, live: &Live) {
        let reason = end.violation().map(|violation| violation.to_string()).or_else(|| live.leash.reason());
        let passed = (live.traffic.counts(), live.about.subprotocol.as_deref());
        self.write_websocket(passed, (end.label(), end.logged_code(), end.party()), reason.as_deref());
    }

    fn write_websocket(
        &mut self,
        (counts, subprotocol): (Counts, Option<&str>),
        (end, close_code, closed_by): (&'static str, u16, Party),
        reason: Option<&str>,
    ) {
        self.metrics.close(Closed::new(end, close_code, closed_by), clock::now() - self.since);
        let Counts { bytes_in, bytes_out, messages_in, messages_out } = counts;
        let websocket = Some(WebSocketLine {
            subprotocol,
            bytes_in,
            bytes_out,
            messages_in,
            messages_out,
            end,
            close_code,
            closed_by,
        });
        self.write("websocket", Fate { status: 101, reason, origin: None, websocket });
    }

    fn write(&mut self, kind: &'static str, fate: Fate<'_>) {
        self.written = true;
        if !self.websocket {
            self.metrics.requests.add(AnsweredRequest::new(self.asks_upgrade, fate.status));
        }
        let Fate { status, reason, origin, websocket } = fate;
        self.telemetry.log.write(|| Line {
            time: String::new(), // whoever writes it knows
            conn: self.conn,
            client: self.summary.client(),
            kind,
            route: self.route.as_ref().map(|route| &*route.name),
            backend: self.backend.as_deref(),
            method: self.summary.method(),
            host: self.summary.host(),
            path: self.summary.path(),
            origin,
            status,
            protocol: self.protocol(),
            reason,
            duration_ms: u64::try_from((clock::now() - self.since).as_millis()).unwrap_or(u64::MAX),
            websocket,
        });
    }
}

/// The beginning of a text, `bytes_max` bytes at most.
fn beginning(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// A client of hybi-00 that was told yes and did not go on.
const UNPROVEN: Closed = Closed::new("unproven", 1006, Party::Client);

impl Drop for Entry {
    fn drop(&mut self) {
        if self.written {
            return;
        }
        if self.websocket {
            return self.write_websocket((Counts::default(), None), ("cut", 1006, Party::Gateway), None);
        }
        let reason = Some("the connection ended before there was an answer");
        // There is no status for it in HTTP; this is the number that others log.
        self.write("http", Fate { status: 499, reason, ..Fate::default() });
    }
}
