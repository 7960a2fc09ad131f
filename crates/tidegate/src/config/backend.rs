//! `backend = …` of a route: what stands behind it.

use std::fmt;
use std::path::PathBuf;

use super::Lookup;
use crate::replay::Replay;

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

impl Backend {
    /// Whether messages keep their bounds on the way to it.
    pub(super) const fn has_messages(&self) -> bool {
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
