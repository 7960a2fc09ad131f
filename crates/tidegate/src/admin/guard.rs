//! Who may ask: not everybody who can make a browser on this machine send a request.

use std::net::IpAddr;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::request::Parts;
use http::uri::Authority;
use subtle::ConstantTimeEq as _;

use crate::config::{Admin, ListenAddress};

/// What a request is held against before it is looked at.
#[derive(Debug)]
pub(crate) struct Guard {
    /// `None` behind a Unix socket, where no browser comes.
    names: Option<Vec<String>>,
    token: Option<Token>,
}

struct Token(String);

/// Why a request is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Turned {
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
        Self { names, token: admin.token.as_ref().map(|token| Token(token.secret.clone())) }
    }

    /// Whether it was asked for by a name that is ours. A page that has its own name point here cannot have the browser
    /// name an address instead.
    pub(super) fn host(&self, request: &Parts) -> Result<(), Turned> {
        let Some(names) = &self.names else { return Ok(()) };
        let field = request.headers.get(HOST).and_then(|host| host.to_str().ok()?.parse().ok());
        let asked: Option<Authority> = request.uri.authority().cloned().or(field);
        let is_ours = asked.is_some_and(|asked| {
            let host = asked.host().to_ascii_lowercase();
            let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
            host == "localhost" || address.is_ok() || names.contains(&host)
        });
        if is_ours { Ok(()) } else { Err(Turned::Misdirected) }
    }

    /// Whether it shows the token, where there is one.
    pub(super) fn token(&self, request: &Parts) -> Result<(), Turned> {
        let Some(Token(token)) = &self.token else { return Ok(()) };
        let shown = request.headers.get(AUTHORIZATION).map(|field| field.as_bytes());
        let bearer = shown.and_then(|field| field.split_at_checked(BEARER.len()));
        let is_right = bearer.is_some_and(|(scheme, shown)| {
            scheme.eq_ignore_ascii_case(BEARER) && bool::from(shown.trim_ascii().ct_eq(token.as_bytes()))
        });
        if is_right { Ok(()) } else { Err(Turned::Token) }
    }

    /// Whether no page can have sent it: a browser asks us first whether it may set such a field, and is not told yes.
    pub(super) fn deliberate(request: &Parts) -> Result<(), Turned> {
        let media = request.headers.get(CONTENT_TYPE).and_then(|media| media.to_str().ok());
        let is_json = media
            .and_then(|media| media.split(';').next())
            .is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"));
        if is_json || request.headers.contains_key(DELIBERATE) { Ok(()) } else { Err(Turned::Undeliberate) }
    }
}

/// Nothing of it.
impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

const BEARER: &[u8] = b"Bearer ";

/// A field that no page can make a browser send to us.
pub(super) const DELIBERATE: &str = "x-tidegate";
