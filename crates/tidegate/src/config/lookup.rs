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
            let told = format!("{}; {}", fault.problem, fault.remedy);
            match kind {
                "http" | "json" | "redis" => format!("the source {told}"), // it may have a password in it
                _ => format!("{} {told}", super::diagnostic::quoted(source)),
            }
        })
    }
}

impl UrlTemplate {
    /// Scheme and authority: behind them credentials may stand anywhere, and no slash need part them.
    fn origin(&self) -> &str {
        let begin = self.before.find("://").map_or(0, |at| at + "://".len());
        let end = self.before[begin..].find(['/', '?']).map_or(self.before.len(), |len| begin + len);
        &self.before[..end]
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
            write!(f, "{kind} {}/…", url.origin())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t235_no_secret_of_a_source_is_shown() {
        for (kind, source, shown) in [
            ("http", "http://a.test:81/tokens/S3CRET/%s", "by token, http http://a.test:81/…"),
            ("http", "http://a.test?key=S3CRET&t=%s", "by token, http http://a.test/…"),
            ("json", "https://a.test/?key=S3CRET/a/%s", "by token, json https://a.test/…"),
            ("redis", "a.test::1:S3CRET:ns", "by token, redis a.test:6379"),
        ] {
            let source = LookupSource::read(kind, source, Path::new("")).unwrap();
            assert_eq!(Lookup::new(source).to_string(), shown);
        }
        for (kind, source) in [
            ("redis", "127.0.0.1:63x79:0:S3CRET"),
            ("http", "http://a.test/?key=S3CRET"),
            ("json", "http://S3CRET:S3CRET@a.test/%s"),
        ] {
            let problem = LookupSource::read(kind, source, Path::new("")).unwrap_err();
            assert!(
                problem.starts_with("the source has ") || problem.starts_with("the source is "),
                "{problem}"
            );
            assert!(!problem.contains("S3CRET"), "{problem}");
        }
    }
}
