//! `ws` and `wss` URIs (RFC 6455 §3).

use alloc::{
    borrow::{Cow, ToOwned as _},
    format,
    string::String,
};
use core::fmt;

use crate::handshake::Authority;

/// A `ws` or `wss` URI: where a client connects to, and what it asks for there.
///
/// Narrower than RFC 3986 where two parties could read it differently: the host is what [`Authority`] takes, and
/// user information, which the grammar of RFC 6455 §3 does not have, is refused.
///
/// ```
/// use tidegate_proto::WsUri;
///
/// let uri = WsUri::parse("WSS://example.com:8443?room=1")?;
/// assert!(uri.is_secure());
/// assert_eq!((uri.host(), uri.port()), ("example.com", 8443));
/// assert_eq!(uri.host_header(), "example.com:8443");
/// assert_eq!(uri.resource_name(), "/?room=1");
/// # Ok::<(), tidegate_proto::UriError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WsUri<'a> {
    secure: bool,
    authority: Authority<'a>,
    path: &'a str,
    query: &'a str,
}

impl<'a> WsUri<'a> {
    /// Reads a URI whose scheme is `ws` or `wss`; schemes have no case.
    ///
    /// # Errors
    /// The fault of whoever wrote the URI, at the first thing that is wrong.
    pub fn parse(text: &'a str) -> Result<Self, UriError> {
        Self::read(text, &WS)
    }

    /// Reads a URI whose scheme is `http` or `https`, as descriptions of services give it where they mean the
    /// WebSocket there: `http` becomes `ws`, `https` becomes `wss`.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn from_http(text: &'a str) -> Result<Self, UriError> {
        Self::read(text, &HTTP)
    }

    /// Whether TLS is asked for: `wss`.
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// `ws` or `wss`.
    pub const fn scheme(&self) -> &'static str {
        if self.secure { "wss" } else { "ws" }
    }

    /// `http` or `https`, the `:scheme` of an extended CONNECT (RFC 8441 §5).
    pub const fn http_scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// The host as it was written: not lower-cased, an IPv6 address in its brackets.
    pub fn host(&self) -> &'a str {
        self.authority.host()
    }

    /// The port; where none was written, 80 for `ws` and 443 for `wss`.
    pub fn port(&self) -> u16 {
        self.authority.port().unwrap_or(self.default_port())
    }

    /// The value of `Host`: with the port only where it is not the scheme's own (RFC 6455 §4.1, item 4).
    pub fn host_header(&self) -> Cow<'a, str> {
        let (host, port) = (self.host(), self.port());
        if port == self.default_port() { Cow::Borrowed(host) } else { Cow::Owned(format!("{host}:{port}")) }
    }

    /// The request target: the path, `/` where it is empty, and the query where there is one.
    pub fn resource_name(&self) -> Cow<'a, str> {
        match (self.path, self.query) {
            ("", "") => Cow::Borrowed("/"),
            (path, "") => Cow::Borrowed(path),
            ("", query) => Cow::Owned(format!("/?{query}")),
            (path, query) => Cow::Owned(format!("{path}?{query}")),
        }
    }

    const fn default_port(&self) -> u16 {
        if self.secure { 443 } else { 80 }
    }

    fn read(text: &'a str, schemes: &Schemes) -> Result<Self, UriError> {
        check_bytes(text)?;
        let (scheme, rest) = text.split_once("://").ok_or(UriError::SchemeMissing(schemes.shown))?;
        let secure = schemes.is_secure(scheme)?;
        let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        check_escapes(rest, text.len() - rest.len())?;
        Ok(Self { secure, authority: read_authority(authority)?, path, query })
    }
}

/// The URI in its shortest form, without a default port.
impl fmt::Display for WsUri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme(), self.host_header(), self.resource_name())
    }
}

/// The two schemes that are allowed in one place.
struct Schemes {
    plain: &'static str,
    secure: &'static str,
    /// Both, for errors.
    shown: &'static str,
}

const WS: Schemes = Schemes { plain: "ws", secure: "wss", shown: "ws:// or wss://" };
const HTTP: Schemes = Schemes { plain: "http", secure: "https", shown: "http:// or https://" };

impl Schemes {
    fn is_secure(&self, scheme: &str) -> Result<bool, UriError> {
        if scheme.eq_ignore_ascii_case(self.secure) {
            Ok(true)
        } else if scheme.eq_ignore_ascii_case(self.plain) {
            Ok(false)
        } else {
            let found = scheme.get(..SCHEME_BYTES_SHOWN).unwrap_or(scheme).to_owned();
            Err(UriError::SchemeOther { found, allowed: self.shown })
        }
    }
}

/// Why a text is no `ws` or `wss` URI. Positions are counted in bytes from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// There is no scheme with `://` behind it, and it may be one of these.
    #[error("the URI has no scheme: it must begin with {0}")]
    SchemeMissing(&'static str),
    /// The scheme is another one.
    #[error("the scheme of the URI is {found:?}: it must begin with {allowed}")]
    SchemeOther {
        /// The beginning of the scheme.
        found: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// There is a name or password before the host. It is not repeated here, because it is a secret.
    #[error("the URI has user information before an @: credentials go into an Authorization field")]
    UserInfo,
    /// The host is empty, or is neither a name nor an address.
    #[error("the host of the URI is not a name, an IPv4 address, or an IPv6 address in brackets")]
    Host,
    /// The port is 0 or too large.
    #[error("the port of the URI is {found}: it must be a number from 1 to 65535")]
    Port {
        /// The digits.
        found: String,
    },
    /// There is a `#` (RFC 6455 §3 allows no fragment).
    #[error("the URI has a fragment at byte {at}, which means nothing here: # in a path or query is %23")]
    Fragment {
        /// Where the `#` is.
        at: usize,
    },
    /// A `%` begins no escape.
    #[error("the % at byte {at} of the URI is not followed by two hexadecimal digits")]
    Escape {
        /// Where the `%` is.
        at: usize,
    },
    /// A character may not stand in a URI as it is.
    #[error(
        "the {found:?} at byte {at} of the URI must be percent-encoded, or in a host be in its xn-- form"
    )]
    Character {
        /// The character.
        found: char,
        /// Where it is.
        at: usize,
    },
}

/// The whole text must be made of what RFC 3986 §2 lets stand in a URI; a `#` is refused by its own name.
fn check_bytes(text: &str) -> Result<(), UriError> {
    match text.char_indices().find(|&(_, found)| !is_uri_character(found)) {
        None => Ok(()),
        Some((at, '#')) => Err(UriError::Fragment { at }),
        Some((at, found)) => Err(UriError::Character { found, at }),
    }
}

/// Unreserved and reserved characters but `#`, and `%`. Brackets are for the host alone.
fn is_uri_character(found: char) -> bool {
    found.is_ascii_alphanumeric() || "-._~:/?[]@!$&'()*+,;=%".contains(found)
}

/// `resource` is path and query, `start` where they begin in the URI.
fn check_escapes(resource: &str, start: usize) -> Result<(), UriError> {
    for (offset, found) in resource.char_indices() {
        let at = start + offset;
        if matches!(found, '[' | ']') {
            return Err(UriError::Character { found, at });
        }
        let digits = resource.get(offset + 1..offset + 3).unwrap_or_default();
        let escapes = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        if found == '%' && !escapes {
            return Err(UriError::Escape { at });
        }
    }
    Ok(())
}

fn read_authority(text: &str) -> Result<Authority<'_>, UriError> {
    if text.contains('@') {
        return Err(UriError::UserInfo);
    }
    let authority = Authority::parse(text.as_bytes()).map_err(|_| host_or_port(text))?;
    if authority.port() == Some(0) { Err(host_or_port(text)) } else { Ok(authority) }
}

/// Which of the two is wrong: digits behind the last colon are meant as a port, whatever their value.
fn host_or_port(authority: &str) -> UriError {
    let Some((host, port)) = authority.rsplit_once(':') else { return UriError::Host };
    let is_port = !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit());
    if is_port && Authority::parse(host.as_bytes()).is_ok_and(|authority| authority.port().is_none()) {
        let shown = port.get(..PORT_BYTES_SHOWN).unwrap_or(port);
        return UriError::Port { found: shown.to_owned() };
    }
    UriError::Host
}

/// How much of what was found is repeated in an error.
const SCHEME_BYTES_SHOWN: usize = 16;
const PORT_BYTES_SHOWN: usize = 8;
