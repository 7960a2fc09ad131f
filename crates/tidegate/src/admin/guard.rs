//! Who may ask: not everybody who can make a browser on this machine send a request.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::request::Parts;
use http::uri::Authority;
use subtle::ConstantTimeEq as _;
use tokio::time::Instant;

use crate::clock;
use crate::config::{Admin, AdminToken, ListenAddress};

/// The checks that a request must pass before anything else of it is looked at.
#[derive(Debug)]
pub(crate) struct Guard {
    /// `None` behind a Unix socket, where no browser comes.
    names: Option<Vec<String>>,
    token: Option<Mutex<Token>>,
    /// Only the operator comes here: by the permissions of a Unix socket, a token or a certificate. Any user of this
    /// machine can connect to an address of it.
    exclusive: bool,
}

/// The token, as its file had it when somebody last looked.
struct Token {
    current: AdminToken,
    stamp: Option<Stamp>,
    looked: Instant,
}

/// What changes with a file.
type Stamp = (u64, u64, i64, i64);

/// Why a request is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Rejected {
    /// Called by a name that is none of ours, as a page does whose DNS name was pointed here: 421.
    #[error("the admin listener is not called so; set admin_names, or ask by address")]
    Misdirected,
    /// 401.
    #[error("the admin listener wants its token: Authorization: Bearer TOKEN")]
    Token,
    /// It would change something, and a page could have made a browser send it: 403.
    #[error("a request that changes something needs Content-Type: application/json, or a field X-Tidegate")]
    Undeliberate,
}

impl Guard {
    pub(crate) fn new(admin: &Admin) -> Self {
        let names = match admin.listener.address {
            ListenAddress::Tcp(_) => Some(admin.names.clone()),
            ListenAddress::Unix(_)
            | ListenAddress::Abstract(_)
            | ListenAddress::Systemd(_)
            | ListenAddress::Stdin => None,
        };
        let token = admin.token.clone().map(|token| Mutex::new(Token::new(token)));
        let has_file = matches!(admin.listener.address, ListenAddress::Unix(_));
        let exclusive = has_file || token.is_some() || admin.listener.client_certificates.is_some();
        Self { names, token, exclusive }
    }

    /// Whether it was asked for by a name that is ours. A page that has its own name point here cannot have the browser
    /// name an address instead.
    pub(super) fn host(&self, request: &Parts) -> Result<(), Rejected> {
        let Some(names) = &self.names else { return Ok(()) };
        let field = request.headers.get(HOST).and_then(|host| host.to_str().ok()?.parse().ok());
        let asked: Option<Authority> = request.uri.authority().cloned().or(field);
        let is_ours = asked.is_some_and(|asked| {
            let host = asked.host().to_ascii_lowercase();
            let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
            host == "localhost" || address.is_ok() || names.contains(&host)
        });
        if is_ours { Ok(()) } else { Err(Rejected::Misdirected) }
    }

    /// Whether it shows the token, where there is one.
    pub(super) fn token(&self, request: &Parts) -> Result<(), Rejected> {
        let Some(token) = &self.token else { return Ok(()) };
        let mut token = token.lock().unwrap_or_else(PoisonError::into_inner);
        let secret = token.current(clock::now());
        let shown = request.headers.get(AUTHORIZATION).map(|field| field.as_bytes());
        let bearer = shown.and_then(|field| field.split_at_checked(BEARER.len()));
        let is_right = bearer.is_some_and(|(scheme, shown)| {
            scheme.eq_ignore_ascii_case(BEARER) && bool::from(shown.trim_ascii().ct_eq(secret.as_bytes()))
        });
        if is_right { Ok(()) } else { Err(Rejected::Token) }
    }

    /// Whether nobody but the operator can ask.
    pub(super) const fn is_exclusive(&self) -> bool {
        self.exclusive
    }

    /// Whether no page can have sent it: a browser asks us first whether it may set such a field, and is not told yes.
    pub(super) fn deliberate(request: &Parts) -> Result<(), Rejected> {
        let media = request.headers.get(CONTENT_TYPE).and_then(|media| media.to_str().ok());
        let is_json = media
            .and_then(|media| media.split(';').next())
            .is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"));
        if is_json || request.headers.contains_key(DELIBERATE) { Ok(()) } else { Err(Rejected::Undeliberate) }
    }
}

impl Token {
    fn new(current: AdminToken) -> Self {
        let stamp = stamp(&current.file);
        Self { current, stamp, looked: clock::now() }
    }

    /// The secret. Where the file has changed since, it is read again; what is no token leaves the one before in force.
    fn current(&mut self, now: Instant) -> &str {
        if now - self.looked >= LOOK {
            self.looked = now;
            let stamp = stamp(&self.current.file);
            if stamp != self.stamp {
                self.stamp = stamp;
                self.read_again();
            }
        }
        &self.current.secret
    }

    fn read_again(&mut self) {
        let file = self.current.file.display();
        match AdminToken::read(&self.current.file) {
            Some(token) => {
                tracing::info!("admin_token_file {file} has changed: its token counts from now on");
                self.current = token;
            }
            None => {
                tracing::warn!(
                    "admin_token_file {file} has changed, and holds no token: the one before counts"
                );
            }
        }
    }
}

fn stamp(file: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(file).ok()?;
    Some((metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec()))
}

/// Nothing of it.
impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

/// How often the file of the token is looked at, at most: somebody may guess tokens as fast as he can.
const LOOK: Duration = Duration::from_millis(250);

const BEARER: &[u8] = b"Bearer ";

/// A field that no page can make a browser send to us.
pub(super) const DELIBERATE: &str = "x-tidegate";
