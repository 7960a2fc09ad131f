//! The validated configuration: the only form of it that the rest of the gateway sees.
//!
//! `check` turns the text of a file (or the command line) into these types and reports every error at once.
//! Whatever is wrong with a configuration is found there; a value of these types can be served as it is.

mod admin;
mod auth;
mod builtin;
mod check;
mod diagnostic;
mod embedded;
mod lookup;
mod shown;
mod table;
mod value;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use regex::Regex;
use tidegate_proto::Limits;

use crate::recording;
use crate::replay::Replay;

pub use crate::certificate::{KeyPassword, NamesIn};
pub(crate) use admin::AdminPlace;
pub use admin::{Admin, AdminToken};
pub use auth::{Auth, AuthKind, CertificateAuth, ClientCertificates, JwtAuth, Secret, TokenFrom, User};
pub(crate) use check::{Chapter, Row, admin_place, chapters, in_place_of_flag};
pub use check::{Checked, Overrides, from_routes, parse};
pub use diagnostic::{Diagnostic, Location, Severity};
pub(crate) use embedded::gone;
pub use embedded::{embedded, replaying};
pub use lookup::{Lookup, LookupKey, LookupSource, RedisSource, TargetPattern, UrlTemplate};
pub use shown::shown;
pub use table::table;
pub(crate) use value::spoken_size;

/// Reads a duration as it is written in a configuration, for a flag; else what is wrong with it.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    value::duration(text).map_err(|fault| fault.to_string())
}

/// Reads a size as it is written in a configuration, for a flag; else what is wrong with it.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    value::size(text).map_err(|fault| fault.to_string())
}

/// Everything that one generation of the gateway serves.
#[derive(Debug, Clone)]
pub struct Config {
    /// Worker threads; never 0 (0 in the file means one per core).
    pub workers: usize,
    /// Connections at once; above it the gateway stops accepting. `None`: what the descriptor limit allows.
    pub connections_max: Option<usize>,
    /// Connections of one client address; above it 503. 0: no limit.
    pub connections_per_client_max: usize,
    /// Connections at once that have not finished their handshake. Default 1000.
    pub handshakes_max: usize,
    /// Bytes that may wait for sockets, all connections together; `None`, the default: a quarter of the memory there is.
    pub buffered_max: Option<u64>,
    /// The admin listener. Default: none.
    pub admin: Option<Admin>,
    /// The longest that a drain waits for connections to end. Default 30 s.
    pub drain: Duration,
    /// Close frames a second while draining. Default 500.
    pub drain_rate: u32,
    /// Where the access log goes. Default: standard output.
    pub access_log: AccessLog,
    /// A symbol for each thing that passes, on standard output; cannot be written in a file.
    pub traffic_symbols: bool,
    /// Where connections come in; at least one.
    pub listeners: Vec<Listener>,
    /// The route table, in file order; the first match wins.
    pub routes: Vec<Route>,
}

/// Where the access log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessLog {
    /// Standard output.
    Stdout,
    /// Appended to this file.
    File(PathBuf),
    /// Among the diagnosis, on standard error and wherever else that goes.
    Diagnosis,
    /// Nowhere.
    Off,
}

/// One `[[listener]]`.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Where it listens.
    pub address: ListenAddress,
    /// Permissions of the socket's file, for [`ListenAddress::Unix`]. Default 0660.
    pub socket_mode: u32,
    /// What it does about TLS.
    pub tls: ListenerTls,
    /// The lowest version of TLS. Default 1.2.
    pub tls_version_min: TlsVersion,
    /// Connections over TLS 1.3 move to the new process of a hand-over, and cipher suites that can do so are preferred.
    /// Default false.
    pub tls_hand_over: bool,
    /// The certificates that clients may or must show; `None`, the default: they are not asked.
    pub client_certificates: Option<ClientCertificates>,
    /// Who may set `X-Forwarded-*` or a PROXY header.
    pub trusted_proxies: TrustedProxies,
    /// Expect a PROXY header from trusted sources.
    pub proxy_protocol: bool,
    /// Accept a `Sec-WebSocket-Key` that does not decode to 16 bytes.
    pub lenient_key: bool,
    /// Host values served, lower-case, without a port; others get 421. `None`: any.
    pub server_names: Option<Vec<String>>,
    /// Absolute time for a complete request head. Default 10 s.
    pub head_timeout: Duration,
    /// Absolute time for the TLS handshake. Default 10 s.
    pub tls_timeout: Duration,
}

/// Where a listener listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// An IP address and a port; port 0 lets the system choose.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
    /// A Unix socket under this name of Linux's abstract namespace: no file, and so no permissions.
    Abstract(String),
    /// The sockets of this name that the process was started with, as systemd opens them.
    Systemd(String),
    /// The listening socket that is standard input, as inetd gives it; cannot be written in a file.
    Stdin,
}

/// Whose word about the client counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    /// Peers over TCP.
    pub networks: Vec<IpNet>,
    /// `"unix:"`: whoever is let in by a Unix socket.
    pub unix: bool,
}

/// What a listener does about TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenerTls {
    /// Plain `ws://` and `http://`.
    Off,
    /// TLS only; the certificate is chosen by SNI, the first is the default. Never empty.
    Required(Vec<CertificateFiles>),
    /// Plain and TLS on one port, told apart by the first byte.
    Auto(Vec<CertificateFiles>),
}

/// A PEM certificate chain and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain, leaf first.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
    /// What the key is encrypted with. Default: nothing.
    pub key_password: Option<KeyPassword>,
}

/// The lowest version of TLS that a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246) and 1.3.
    V1_2,
    /// TLS 1.3 (RFC 8446) only.
    V1_3,
}

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
    /// questions to the server of `auth` or of a look-up. Default 250.
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

/// `backend_tls = { … }` of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendTls {
    /// The certificate authorities, PEM. Default: the system's.
    pub ca: Option<PathBuf>,
    /// Whether the backend's certificate is verified at all. Default true.
    pub verify: bool,
    /// The name that its certificate must have. Default: its host.
    pub server_name: Option<String>,
}

impl Default for BackendTls {
    fn default() -> Self {
        Self { ca: None, verify: true, server_name: None }
    }
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

/// `host = …` of a route: lower-case, without a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// This name.
    Exact(String),
    /// `*.example.com`: one or more labels in place of the star.
    Subdomains(String),
}

/// `path = …` of a route. The query takes no part.
#[derive(Debug, Clone)]
pub enum PathPattern {
    /// `"/vnc"`: this path.
    Exact(String),
    /// `"/vnc/*"`: this path (kept here without the `/*`) and everything below it; `"/*"` is the empty string, everything.
    Prefix(String),
    /// `"~regex"`: anchored at both ends; the regex kept here has the anchors, the text is as written, with the tilde.
    Regex(Regex, String),
}

/// `backend = …` of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backend {
    /// `tcp://host:port`: raw bytes.
    Tcp(Authority),
    /// `tls://host:port`: raw bytes over TLS.
    Tls(Authority),
    /// `unix:/path`: raw bytes.
    Unix(PathBuf),
    /// `ws://host[:port][/base]`, or `wss://`.
    WebSocket(HttpTarget),
    /// `http://host[:port][/base]`, or `https://`.
    Http(HttpTarget),
    /// `file:DIR`: static files.
    File(Folder),
    /// `echo:`: answers each message with itself.
    Echo,
    /// `handoff:unix:PATH`: the connection is passed to the process that listens there.
    Handoff(PathBuf),
    /// `lookup = { … }`: a token decides.
    Lookup(Box<Lookup>),
    /// A recording takes the place of the backend; cannot be written in a file.
    Replay(Replay),
    /// The pages of the embedded default; cannot be written in a file.
    Builtin,
}

/// The folder of a `file:` backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// `listing = …`: whether folders without `index.html` are listed. Default false.
    pub listing: bool,
}

/// Host and port of a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// Name or IP address; IPv6 without brackets.
    pub host: String,
    /// Port, never 0.
    pub port: u16,
}

/// Where a `ws://`, `wss://`, `http://` or `https://` backend is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpTarget {
    /// `wss://` or `https://`.
    pub tls: bool,
    /// Host and port; the port defaults to 80 or 443.
    pub authority: Authority,
    /// What takes the place of the matched prefix; `None`: path and query pass unchanged. No trailing slash.
    pub base: Option<String>,
}

/// `origins = …` of a route.
#[derive(Debug, Clone, PartialEq)]
pub enum OriginPolicy {
    /// Not set: an Origin equal to the request's own scheme, host and port.
    SameOrigin,
    /// `["*"]`: every site, `null` included.
    Any,
    /// One of these.
    List(Vec<OriginPattern>),
}

/// One entry of `origins`.
#[derive(Debug, Clone)]
pub enum OriginPattern {
    /// `https://example.com[:port]`: lower-case, with the port always known.
    Exact(OriginTuple),
    /// `https://*.example.com[:port]`: one or more labels in place of the star; `host` is what follows `*.`.
    Subdomains(OriginTuple),
    /// `~regex`: anchored at both ends (the anchors are in it), over the whole origin.
    Regex(Regex),
    /// `"null"`.
    Null,
}

/// An origin as scheme, host and port (RFC 6454 §4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginTuple {
    /// Lower-case.
    pub scheme: String,
    /// Lower-case; IPv6 with brackets.
    pub host: String,
    /// Given, or the default of the scheme.
    pub port: u16,
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

impl TrustedProxies {
    /// Whether the word of this peer counts; one without an address has come through a Unix socket.
    pub fn trust(&self, peer: Option<IpAddr>) -> bool {
        peer.map_or(self.unix, |address| self.networks.iter().any(|network| network.contains(&address)))
    }
}

/// Payload bytes of one message where the file says nothing: to backends that take bytes messages mean nothing and are
/// never held, so there is no limit.
fn messages_max(backends: &[Backend]) -> Option<u64> {
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

impl PartialEq for PathPattern {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(one), Self::Exact(another)) | (Self::Prefix(one), Self::Prefix(another)) => {
                one == another
            }
            (Self::Regex(_, one), Self::Regex(_, another)) => one == another,
            (Self::Exact(_) | Self::Prefix(_) | Self::Regex(..), _) => false,
        }
    }
}

impl PartialEq for OriginPattern {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(one), Self::Exact(another)) | (Self::Subdomains(one), Self::Subdomains(another)) => {
                one == another
            }
            (Self::Regex(one), Self::Regex(another)) => one.as_str() == another.as_str(),
            (Self::Null, Self::Null) => true,
            (Self::Exact(_) | Self::Subdomains(_) | Self::Regex(_) | Self::Null, _) => false,
        }
    }
}

impl Backend {
    /// Whether messages keep their bounds on the way to it.
    const fn has_messages(&self) -> bool {
        match self {
            Self::WebSocket(_) | Self::Http(_) | Self::Echo | Self::Replay(_) => true,
            Self::Tcp(_) | Self::Tls(_) | Self::Unix(_) | Self::Lookup(_) => false,
            Self::File(_) | Self::Handoff(_) | Self::Builtin => false,
        }
    }

    /// Whether the connection to it is TLS.
    pub const fn is_tls(&self) -> bool {
        match self {
            Self::Tls(_) => true,
            Self::WebSocket(target) | Self::Http(target) => target.tls,
            Self::Lookup(lookup) => lookup.tls,
            Self::Tcp(_) | Self::Unix(_) | Self::File(_) | Self::Echo => false,
            Self::Handoff(_) | Self::Replay(_) | Self::Builtin => false,
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Abstract(name) => write!(f, "unix:@{name}"),
            Self::Systemd(name) => write!(f, "systemd:{name}"),
            Self::Stdin => f.write_str("(standard input)"),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => f.write_str(host),
            Self::Subdomains(host) => write!(f, "*.{host}"),
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => f.write_str(path),
            Self::Prefix(path) => write!(f, "{path}/*"),
            Self::Regex(_, text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = |f: &mut fmt::Formatter<'_>, plain: &str, tls: &str, target: &HttpTarget| {
            let scheme = if target.tls { tls } else { plain };
            write!(f, "{scheme}://{}{}", target.authority, target.base.as_deref().unwrap_or(""))
        };
        match self {
            Self::Tcp(authority) => write!(f, "tcp://{authority}"),
            Self::Tls(authority) => write!(f, "tls://{authority}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::WebSocket(t) => target(f, "ws", "wss", t),
            Self::Http(t) => target(f, "http", "https", t),
            Self::File(folder) => write!(f, "file:{}", folder.path.display()),
            Self::Echo => f.write_str("echo:"),
            Self::Lookup(lookup) => lookup.fmt(f),
            Self::Handoff(path) => write!(f, "handoff:unix:{}", path.display()),
            Self::Replay(_) => f.write_str("(recording)"),
            Self::Builtin => f.write_str("(built-in page)"),
        }
    }
}
