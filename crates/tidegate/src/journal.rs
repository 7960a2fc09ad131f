//! What is written down about a request: exactly one access line, whatever becomes of it.

use std::borrow::Cow;
use std::sync::Arc;

use tokio::time::Instant;

use crate::access_log::{AccessLog, Line, WebSocketLine};
use crate::backend::NotTaken;
use crate::clock;
use crate::config::Route;
use crate::handover::{Record, record};
use crate::io::Peer;
use crate::live::{Counts, Live};
use crate::metrics::{Asked, Closed, Metrics, RouteMetrics, Traffic};
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

/// Where it is written down: the log, and the counters.
#[derive(Debug)]
pub(crate) struct Books {
    pub(crate) log: AccessLog,
    pub(crate) metrics: Metrics,
    /// What prints a symbol for each read and write, where that is wanted.
    pub(crate) ticker: Option<Ticker>,
}

/// The access line of a request, open until it is known what became of it. Dropped before that, it says so: the client
/// went, the gateway was stopped, or a bug of ours ended the task. What it says is counted as well.
#[derive(Debug)]
pub(crate) struct Entry {
    books: Arc<Books>,
    /// Of the route, as soon as it is known.
    metrics: Arc<RouteMetrics>,
    since: Instant,
    line: Line,
    /// It asks for a WebSocket.
    asks_upgrade: bool,
    /// A WebSocket was opened.
    websocket: bool,
    written: bool,
}

impl Entry {
    /// The entry of a request that was understood; `host` is the one that it asks for, or [`TOKEN`].
    pub(crate) fn new(books: &Arc<Books>, conn: u64, request: &Request, host: &str, since: Instant) -> Self {
        // A client is logged with its port where it is known, so where no proxy stands between.
        let client = match request.via.client {
            Some(client) if request.via.trusted => client.to_string(),
            _ => request.arrival.client.to_string(),
        };
        let path = beginning(&request.path, PATH_BYTES_MAX);
        let line = Line {
            conn,
            client,
            kind: "http",
            method: Some(request.method.to_string()),
            host: host.to_owned(),
            path: path.to_owned(),
            ..Line::default()
        };
        let mut entry = Self::of(books, line, since);
        entry.asks_upgrade = request.kind() == Kind::WebSocket;
        entry
    }

    /// The entry of what was no request, or was refused before its path meant anything.
    pub(crate) fn unread(books: &Arc<Books>, conn: u64, client: Peer, since: Instant) -> Self {
        let line = Line { conn, client: client.to_string(), kind: "http", ..Line::default() };
        Self::of(books, line, since)
    }

    fn of(books: &Arc<Books>, line: Line, since: Instant) -> Self {
        Self {
            books: Arc::clone(books),
            metrics: books.metrics.unrouted(),
            since,
            line,
            asks_upgrade: false,
            websocket: false,
            written: false,
        }
    }

    /// Names the route.
    pub(crate) fn on_route(&mut self, route: &Route) {
        self.line.route = Some(route.name.clone());
        self.metrics = self.books.metrics.route(&route.name);
    }

    /// Names the protocol of the WebSocket that is asked for, where it is not RFC 6455.
    pub(crate) fn in_protocol(&mut self, protocol: &'static str) {
        self.line.protocol = Some(Cow::Borrowed(protocol));
    }

    /// Names the backend, where there was one to choose.
    pub(crate) fn on_backend(&mut self, name: Option<&str>) {
        self.line.backend = name.map(Into::into);
    }

    /// Notes that the client was told yes.
    pub(crate) fn opened(&mut self) {
        self.websocket = true;
        self.metrics.requests.add(Asked::new(true, 101));
        self.metrics.open();
    }

    /// What another process has to know to write it.
    pub(crate) fn write_down(&self) -> record::Line {
        let line = &self.line;
        record::Line {
            client: line.client.clone(),
            age: clock::now() - self.since,
            method: line.method.clone(),
            host: line.host.clone(),
            path: line.path.clone(),
            protocol: line.protocol.as_deref().map(ToOwned::to_owned),
        }
    }

    /// The entry of a WebSocket that another process has opened.
    pub(crate) fn resumed(books: &Arc<Books>, record: &Record, route: &Route) -> Self {
        let Record { about, line: written, .. } = record;
        let line = Line {
            conn: about.conn,
            client: written.client.clone(),
            kind: "http",
            route: Some(route.name.clone()),
            backend: about.backend.as_deref().map(Into::into),
            method: written.method.clone(),
            host: written.host.clone(),
            path: written.path.clone(),
            protocol: written.protocol.clone().map(Cow::Owned),
            ..Line::default()
        };
        let mut entry = Self::of(books, line, clock::ago(written.age));
        entry.metrics = books.metrics.route(&route.name);
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
            host.clone_into(&mut self.line.host);
            beginning(path, PATH_BYTES_MAX).clone_into(&mut self.line.path);
        } else if let Refused::Policy(Denied::Origin(origin)) = refused {
            self.line.origin = Some(beginning(origin, ORIGIN_BYTES_MAX).to_owned());
        }
        self.answered(refused.status().as_u16(), Some(refused.to_string()));
    }

    /// Writes it for a request that was answered.
    pub(crate) fn answered(mut self, status: u16, reason: Option<String>) {
        if self.websocket {
            self.metrics.close(UNPROVEN, clock::now() - self.since);
        }
        self.line.status = status;
        self.line.reason = reason;
        self.write();
    }

    /// Writes it for a WebSocket that was to be handed over to another process. How that one ends is not known here.
    pub(crate) fn handed_over(mut self, given: Result<(), NotTaken>) {
        self.line.kind = "websocket";
        let (end, reason) = given.map_or_else(
            |error| ("not_taken", error.to_string()),
            |()| ("handed_over", "handed over".to_owned()),
        );
        self.metrics.close(Closed::new(end, 1006, Party::Gateway), clock::now() - self.since);
        self.line.status = 101;
        self.line.reason = Some(reason);
        self.write();
    }

    /// Writes it for a WebSocket that has ended.
    pub(crate) fn ended(mut self, end: End, live: &Live) {
        self.line.reason =
            end.violation().map(|violation| violation.to_string()).or_else(|| live.leash.reason());
        let subprotocol = live.about.subprotocol.as_deref();
        self.websocket_line(
            live.traffic.counts(),
            subprotocol,
            (end.label(), end.logged_code(), end.party()),
        );
        self.write();
    }

    fn websocket_line(
        &mut self,
        counts: Counts,
        subprotocol: Option<&str>,
        (end, close_code, closed_by): (&'static str, u16, Party),
    ) {
        self.metrics.close(Closed::new(end, close_code, closed_by), clock::now() - self.since);
        self.line.kind = "websocket";
        self.line.status = 101;
        self.line.websocket = Some(WebSocketLine {
            subprotocol: subprotocol.map(ToOwned::to_owned),
            bytes_in: counts.bytes_in,
            bytes_out: counts.bytes_out,
            messages_in: counts.messages_in,
            messages_out: counts.messages_out,
            end,
            close_code,
            closed_by,
        });
    }

    fn write(&mut self) {
        self.written = true;
        if !self.websocket {
            self.metrics.requests.add(Asked::new(self.asks_upgrade, self.line.status));
        }
        self.line.duration_ms = u64::try_from((clock::now() - self.since).as_millis()).unwrap_or(u64::MAX);
        self.books.log.write(&mut self.line);
    }
}

/// No more than so many bytes.
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
            self.websocket_line(Counts::default(), None, ("cut", 1006, Party::Gateway));
        } else {
            // There is no status for it in HTTP; this is the number that others log.
            self.line.status = 499;
            self.line.reason = Some("the connection ended before there was an answer".to_owned());
        }
        self.write();
    }
}
