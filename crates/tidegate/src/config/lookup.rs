//! `lookup = { … }` of a route: which backend a client gets is decided by a token that it shows.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

use super::Authority;

/// Takes the place of `backend`: a token of the client's is looked up, and the answer is where it is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// Where tokens are looked up.
    pub source: LookupSource,
    /// Where in the request the token stands. Default: the query parameter `token`.
    pub key: LookupKey,
    /// Time for one look-up, before 504. Default 5 s.
    pub timeout: Duration,
    /// Where a look-up may lead, judged by resolved addresses; `None`, the default: wherever the source says.
    pub targets: Option<Vec<TargetPattern>>,
    /// Speak TLS to a TCP target, which is checked as `backend_tls` says. Default false.
    pub tls: bool,
}

/// Where tokens are looked up: `kind` and `source`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupSource {
    /// `file`: lines `token: host:port` of a file, or of all files of a folder, read for each look-up.
    File(PathBuf),
    /// `read-only-file`: the same, read once at the start.
    ReadOnlyFile(PathBuf),
    /// `directory`: the token is the name of a file there, whose content is the target.
    Directory(PathBuf),
    /// `http`: the body of the answer is the target.
    Http(UrlTemplate),
    /// `json`: the answer is an object with `host` and `port`.
    Json(UrlTemplate),
    /// `jwt`: the token itself says `host` and `port`, signed with the key in this file.
    Jwt(PathBuf),
    /// `redis`: the value of a key there is the target.
    Redis(RedisSource),
    /// `unix-directory`: the token is the path of a Unix socket below this folder.
    UnixDirectory(PathBuf),
}

/// An `http://` or `https://` URL with a place for the token behind its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlTemplate {
    /// What stands before the token.
    pub before: String,
    /// What stands behind it.
    pub after: String,
}

/// A Redis server, and where in it the tokens are.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisSource {
    /// Default port 6379.
    pub address: Authority,
    /// Default 0.
    pub database: u32,
    /// Default none.
    pub password: Option<String>,
    /// Begins each key, followed by a colon. Default none.
    pub namespace: Option<String>,
}

/// Where in the request the token stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupKey {
    /// `query:NAME`: the first query parameter of this name.
    Query(String),
    /// `host`: the host asked for, without its port.
    Host,
    /// `header:NAME`: a header field that stands there once; lower-case.
    Header(String),
}

/// One entry of `targets`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetPattern {
    /// `10.0.0.0/8:5900-5999`.
    Tcp {
        /// Addresses.
        net: IpNet,
        /// Ports.
        ports: RangeInclusive<u16>,
    },
    /// `unix:/run/a.sock`: this socket.
    Unix(PathBuf),
    /// `unix:/run/vnc/*`: every socket below this folder.
    UnixBelow(PathBuf),
}

impl Lookup {
    /// A look-up with every other setting at its default.
    pub fn new(source: LookupSource) -> Self {
        let key = LookupKey::Query("token".to_owned());
        Self { source, key, timeout: Duration::from_secs(5), targets: None, tls: false }
    }
}

impl LookupSource {
    /// Reads what `kind` and `source` say; a relative path starts at `folder`.
    ///
    /// # Errors
    /// What is wrong, and the way out, in one sentence.
    pub fn read(kind: &str, source: &str, folder: &Path) -> Result<Self, String> {
        super::check::lookup_source(kind, source, folder).map_err(|fault| {
            format!("{} {}; {}", super::diagnostic::quoted(source), fault.problem, fault.remedy)
        })
    }
}

/// Without the password.
impl fmt::Debug for RedisSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSource")
            .field("address", &self.address)
            .field("database", &self.database)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

/// As `tidegate check` shows it: kind and place, and no password.
impl fmt::Display for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = |f: &mut fmt::Formatter<'_>, kind: &str, url: &UrlTemplate| {
            // Credentials may stand anywhere behind the host.
            let end = url.before.match_indices('/').nth(2).map_or(url.before.len(), |(at, _)| at);
            write!(f, "{kind} {}/…", &url.before[..end])
        };
        f.write_str("by token, ")?;
        match &self.source {
            LookupSource::File(path) => write!(f, "file {}", path.display()),
            LookupSource::ReadOnlyFile(path) => write!(f, "read-only-file {}", path.display()),
            LookupSource::Directory(path) => write!(f, "directory {}", path.display()),
            LookupSource::Http(template) => url(f, "http", template),
            LookupSource::Json(template) => url(f, "json", template),
            LookupSource::Jwt(path) => write!(f, "jwt {}", path.display()),
            LookupSource::Redis(redis) => write!(f, "redis {}", redis.address),
            LookupSource::UnixDirectory(path) => write!(f, "unix-directory {}", path.display()),
        }
    }
}
