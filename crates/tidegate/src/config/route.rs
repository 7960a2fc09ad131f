//! `[[route]]`: what is served, to whom, and within which bounds.

use std::time::Duration;

use tidegate_proto::Limits;

use super::{Auth, Backend, BackendTls, HostPattern, LookupKey, OriginPolicy, PathPattern};
use crate::recording;

/// One `[[route]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// The name used in logs; unique in the file. Default: its path pattern.
    pub name: String,
    /// Host served; `None` is every host.
    pub host: Option<HostPattern>,
    /// Path served.
    pub path: PathPattern,
    /// What stands behind it; at least one, of one kind.
    pub backends: Vec<Backend>,
    /// Who may use what the route serves; `None`, the default: everybody.
    pub auth: Option<Auth>,
    /// Who may open a WebSocket from a browser.
    pub origins: OriginPolicy,
    /// Accept an upgrade without Origin. Default true: it comes from no browser.
    pub allow_missing_origin: bool,
    /// Which subprotocol is selected.
    pub subprotocols: Subprotocols,
    /// Type of the messages made from bytes of a TCP backend. Default binary.
    pub message: MessageType,
    /// A TCP backend is sent the bytes of binary messages only; text ends with 1003. Default false.
    pub binary_only: bool,
    /// Serve hybi-00 clients as well. Default false.
    pub legacy_hybi00: bool,
    /// Time between pings of our own; `None` is never. Default 20 s.
    pub ping_interval: Option<Duration>,
    /// Time a ping may stay unanswered before 1011; `None` is for ever. Default 20 s.
    pub ping_timeout: Option<Duration>,
    /// Time without a byte from the client (pongs to our pings do not count) before 1001; `None` is off, the default.
    pub idle_timeout: Option<Duration>,
    /// Age of a connection before 1001, a tenth more or less; `None` is off, the default.
    pub age_max: Option<Duration>,
    /// What becomes of open WebSockets when a reload changes or removes the route. Default: nothing.
    pub on_change: OnChange,
    /// Payload bytes of one frame before 1009. Default 1 MiB.
    pub frame_bytes_max: u64,
    /// Payload bytes of one message before 1009; `None`: not set in the file (the kind of backend decides: 1 MiB, or no limit for WS→TCP).
    pub message_bytes_max: Option<u64>,
    /// Frames of one message before 1008; `None`: not set in the file (1024, or no limit for WS→TCP).
    pub fragments_max: Option<u32>,
    /// Time for connecting the backend, all attempts together, before 504. Default 5 s.
    pub connect_timeout: Duration,
    /// Time for a `ws://` or `http://` backend to answer a request, from the end of its body, before 504. Default 10 s.
    pub upgrade_timeout: Duration,
    /// Time for a client to send more of the body of a plain request, before 408. Default 60 s.
    pub body_timeout: Duration,
    /// WebSockets and requests at once that one backend has not answered yet, before others are tried, or 503; the same of
    /// look-ups, of questions to the server of `auth`, and of passwords that are to be compared. Default 250.
    pub pending_max: usize,
    /// Which backend of several is tried first. Default: the one with the fewest connections.
    pub balance: Balance,
    /// How long others are tried before a backend that did not take a connection. Default 1 s; zero is not at all.
    pub disable_time: Duration,
    /// Whom TLS to the backend believes.
    pub backend_tls: BackendTls,
    /// The gateway itself compresses with permessage-deflate. Default false.
    pub compression: bool,
    /// PROXY header sent to the backend.
    pub send_proxy: Option<ProxyVersion>,
    /// Where its WebSockets are recorded. Default: nowhere.
    pub record: Option<Record>,
    /// What plain requests are told where there is no page for them: 405, and not 426; cannot be written in a file.
    pub pages_not_allowed: bool,
}

/// `on_change = …` of a route: what becomes of WebSockets that were opened on it as it was before a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnChange {
    /// They go on as they were opened.
    Keep,
    /// They are closed with 1001, spread over this time.
    Drain(Duration),
    /// They are closed with 1001, at the pace of `drain_rate`.
    Close,
}

/// `record = { … }` of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The files, one for each session.
    pub name: recording::Name,
    /// How they are written. Default: as websockify does.
    pub format: recording::Format,
    /// Bytes of one file; then the recording ends, and the session goes on. Default 64 MiB.
    pub bytes_max: u64,
    /// What cannot be recorded is refused with 503. Default false: it is served, and logged.
    pub required: bool,
}

/// `subprotocols = …` of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subprotocols {
    /// Not set: WS→TCP selects the client's first offer; for `ws://` the backend chooses.
    Unset,
    /// The client's first offer that is in the list; an empty list selects none.
    List {
        /// What may be selected.
        names: Vec<String>,
        /// `subprotocol_required = true`: none selected is 400.
        required: bool,
    },
}

/// `balance = …` of a route with several backends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    /// The backend with the fewest connections; equals take turns.
    LeastConnections,
    /// Each in its turn.
    RoundRobin,
    /// By host and path of the request.
    Hash,
    /// By the client's address.
    Sticky,
}

/// Type of a data message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageType {
    /// Opcode 1.
    Text,
    /// Opcode 2.
    Binary,
    /// Opcode 2 for clients that are answered the subprotocol `binary`, opcode 1 for all others.
    BySubprotocol,
}

impl MessageType {
    /// The subprotocol that means binary messages.
    pub const BINARY: &str = "binary";

    /// Whether a client with this subprotocol gets text.
    pub(crate) fn is_text_for(self, subprotocol: Option<&str>) -> bool {
        match self {
            Self::Text => true,
            Self::Binary => false,
            Self::BySubprotocol => subprotocol != Some(Self::BINARY),
        }
    }
}

/// Version of the PROXY protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyVersion {
    /// The text form.
    V1,
    /// The binary form.
    V2,
}

/// Payload bytes of one message where the file says nothing: to backends that take bytes messages mean nothing and are
/// never held, so there is no limit.
pub(super) fn messages_max(backends: &[Backend]) -> Option<u64> {
    backends.iter().any(Backend::has_messages).then_some(Limits::default().message_bytes_max)
}

impl Route {
    /// Payload bytes of one message before 1009, set or by default; `None`: no limit, or no messages.
    pub fn message_limit(&self) -> Option<u64> {
        self.message_bytes_max.or_else(|| messages_max(&self.backends))
    }

    /// Frames of one message before 1008, in the same way.
    pub fn fragment_limit(&self) -> Option<u32> {
        let default =
            || self.backends.iter().any(Backend::has_messages).then_some(Limits::default().fragments_max);
        self.fragments_max.or_else(default)
    }

    /// Whether the host that a client asks for is its token, and with that a secret.
    pub fn host_is_token(&self) -> bool {
        matches!(self.backends.first(), Some(Backend::Lookup(lookup)) if lookup.key == LookupKey::Host)
    }
}
