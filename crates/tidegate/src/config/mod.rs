//! The validated configuration: the only form of it that the rest of the gateway sees.
//!
//! `check` turns the text of a file (or the command line) into these types and reports every error at once.
//! Whatever is wrong with a configuration is found there; a value of these types can be served as it is.

mod admin;
mod auth;
mod backend;
mod builtin;
mod check;
mod diagnostic;
mod embedded;
mod listener;
mod lookup;
mod pattern;
mod route;
mod shown;
mod table;
mod value;

use std::path::PathBuf;
use std::time::Duration;

pub use crate::certificate::{KeyPassword, NamesIn};
pub(crate) use admin::AdminPlace;
pub use admin::{Admin, AdminToken};
pub use auth::{Auth, AuthKind, CertificateAuth, ClientCertificates, JwtAuth, Secret, TokenFrom, User};
pub use backend::{Authority, Backend, BackendTls, Folder, HttpTarget};
pub(crate) use check::{
    Chapter, FILE_BYTES_MAX, Row, admin_place, chapters, check_address, check_backend, check_host,
    check_path, check_subprotocol, in_place_of_flag, read,
};
pub use check::{Checked, Overrides, from_routes, parse};
pub use diagnostic::{Diagnostic, Location, Severity};
pub(crate) use embedded::gone;
pub use embedded::{embedded, replaying};
pub use listener::{CertificateFiles, ListenAddress, Listener, ListenerTls, TlsVersion, TrustedProxies};
pub use lookup::{Lookup, LookupKey, LookupSource, RedisSource, TargetPattern, UrlTemplate};
pub use pattern::{HostPattern, OriginPattern, OriginPolicy, OriginTuple, PathPattern};
use route::messages_max;
pub use route::{Balance, MessageType, OnChange, ProxyVersion, Record, Route, Subprotocols};
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
