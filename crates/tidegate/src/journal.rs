//! What is written down about a request: exactly one access line, whatever becomes of it.

use tokio::time::Instant;

use crate::access_log::{AccessLog, Line, WebSocketLine};
use crate::backend::NotTaken;
use crate::clock;
use crate::config::Route;
use crate::io::Peer;
use crate::live::{Counts, Live};
use crate::outcome::{End, Party};
use crate::request::Request;

/// Bytes of a path that are logged.
const PATH_BYTES_MAX: usize = 512;

/// The access line of a request, open until it is known what became of it. Dropped before that, it says so: the client
/// went, the gateway was stopped, or a bug of ours ended the task.
#[derive(Debug)]
pub(crate) struct Entry {
    log: AccessLog,
    since: Instant,
    line: Line,
    /// A WebSocket was opened.
    websocket: bool,
    written: bool,
}

impl Entry {
    /// The entry of a request that was understood.
    pub(crate) fn new(log: &AccessLog, conn: u64, request: &Request, since: Instant) -> Self {
        // A client is logged with its port where it is known, so where no proxy stands between.
        let client = match request.via.client {
            Some(client) if request.via.trusted => client.to_string(),
            _ => request.arrival.client.to_string(),
        };
        let path = &request.path[..request.path.floor_char_boundary(PATH_BYTES_MAX)];
        let line = Line {
            conn,
            client,
            kind: "http",
            method: Some(request.method.to_string()),
            host: request.host.clone(),
            path: path.to_owned(),
            ..Line::default()
        };
        Self { log: log.clone(), since, line, websocket: false, written: false }
    }

    /// The entry of what was no request, or was refused before its path meant anything.
    pub(crate) fn unread(log: &AccessLog, conn: u64, client: Peer, since: Instant) -> Self {
        let line = Line { conn, client: client.to_string(), kind: "http", ..Line::default() };
        Self { log: log.clone(), since, line, websocket: false, written: false }
    }

    /// Names the route. Where the host is a token, it is a secret from now on.
    pub(crate) fn on_route(&mut self, route: &Route) {
        self.line.route = Some(route.name.clone());
        if route.host_is_token() {
            "(token)".clone_into(&mut self.line.host);
        }
    }

    /// Names the protocol of the WebSocket that is asked for, where it is not RFC 6455.
    pub(crate) fn in_protocol(&mut self, protocol: &'static str) {
        self.line.protocol = Some(protocol);
    }

    /// Names the backend, where there was one to choose.
    pub(crate) fn on_backend(&mut self, name: Option<&str>) {
        self.line.backend = name.map(Into::into);
    }

    /// Notes that the client was told yes.
    pub(crate) fn opened(&mut self) {
        self.websocket = true;
    }

    /// Writes it for a request that was answered.
    pub(crate) fn answered(mut self, status: u16, reason: Option<String>) {
        self.line.status = status;
        self.line.reason = reason;
        self.write();
    }

    /// Writes it for a WebSocket that was to be handed over to another process. How that one ends is not known here.
    pub(crate) fn handed_over(mut self, given: Result<(), NotTaken>) {
        self.line.kind = "websocket";
        let reason = given.map_or_else(|error| error.to_string(), |()| "handed over".to_owned());
        self.answered(101, Some(reason));
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
        self.line.duration_ms = u64::try_from((clock::now() - self.since).as_millis()).unwrap_or(u64::MAX);
        self.log.write(&mut self.line);
    }
}

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
