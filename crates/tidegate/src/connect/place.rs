//! Where a WebSocket is: a URL that was read, and what a redirect makes of it.

use std::fmt;
use std::net::IpAddr;

use tidegate_proto::{UriError, WsUri};

/// What a `ws://` or `wss://` URL says. Shown without its query, which may be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) secure: bool,
    /// The host without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// The value of the `Host` field.
    pub(super) host_header: String,
    /// The request target: path and query.
    pub(super) resource: String,
}

/// Why a redirect is not followed. The server's fault.
#[derive(Debug, thiserror::Error)]
pub(super) enum RedirectError {
    /// It leads nowhere.
    #[error("has no Location, or more than one")]
    NoLocation,
    /// It leads from `wss://` to `ws://`.
    #[error("leads from wss:// to ws://, where everybody on the way could read")]
    Downgrade,
    /// A location that depends on the path of the request.
    #[error("leads to {0:?}: only a whole URL, or a path that begins with /, is followed")]
    Relative(String),
    /// No URL that can be asked for a WebSocket.
    #[error("leads to a URL that cannot be used: {0}")]
    Uri(#[from] UriError),
}

impl Place {
    /// Reads a `ws://` or `wss://` URL (RFC 6455 §3).
    pub(super) fn parse(url: &str) -> Result<Self, UriError> {
        Ok(Self::of(&WsUri::parse(url)?))
    }

    /// Reads a URL that may also be written with `http://` or `https://`.
    pub(super) fn parse_any(url: &str) -> Result<Self, UriError> {
        match WsUri::from_http(url) {
            Err(UriError::SchemeOther { .. }) => Self::parse(url),
            read => Ok(Self::of(&read?)),
        }
    }

    /// Where a redirect from here leads.
    pub(super) fn redirected(&self, location: &str) -> Result<Self, RedirectError> {
        let to = if location.contains("://") {
            Self::parse_any(location)?
        } else if location.starts_with('/') && !location.starts_with("//") {
            let scheme = if self.secure { "wss" } else { "ws" };
            Self::parse(&format!("{scheme}://{}{location}", self.host_header))?
        } else {
            return Err(RedirectError::Relative(location.chars().take(SHOWN_CHARS_MAX).collect()));
        };
        if self.secure && !to.secure { Err(RedirectError::Downgrade) } else { Ok(to) }
    }

    /// Whether credentials for the one are meant for the other: scheme, host and port (RFC 6454).
    pub(super) fn is_same_origin(&self, other: &Self) -> bool {
        (self.secure, self.port) == (other.secure, other.port) && self.host.eq_ignore_ascii_case(&other.host)
    }

    /// Whether it is on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        let address = self.host.parse::<IpAddr>();
        address.map_or_else(|_| self.host.eq_ignore_ascii_case("localhost"), |address| address.is_loopback())
    }

    /// `HOST:PORT`, with brackets around an IPv6 address.
    pub(super) fn authority(&self) -> String {
        authority(&self.host, self.port)
    }

    fn of(uri: &WsUri<'_>) -> Self {
        Self {
            secure: uri.is_secure(),
            host: uri.host().trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: uri.port(),
            host_header: uri.host_header().into_owned(),
            resource: uri.resource_name().into_owned(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        let path = self.resource.split('?').next().unwrap_or_default();
        write!(f, "{scheme}://{}{path}", self.host_header)
    }
}

/// `HOST:PORT`, with brackets around an IPv6 address.
pub(super) fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// How much of what a server sent is repeated in an error.
const SHOWN_CHARS_MAX: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> Place {
        Place::parse(url).unwrap()
    }

    #[test]
    fn a_url_is_shown_without_its_query() {
        let with_query = place("wss://Example.com:8443/a?token=secret");
        assert_eq!(with_query.to_string(), "wss://Example.com:8443/a");
        assert_eq!(with_query.resource, "/a?token=secret");
        assert_eq!(place("ws://[::1]:81").authority(), "[::1]:81");
    }

    #[test]
    fn where_redirects_lead() {
        let from = place("wss://a.test/x");
        for (location, to) in [
            ("/y?z", "wss://a.test/y?z"),
            ("https://b.test/y", "wss://b.test/y"),
            ("wss://b.test:444", "wss://b.test:444/"),
        ] {
            assert_eq!(from.redirected(location).unwrap(), place(to));
        }
        assert!(matches!(from.redirected("http://a.test/"), Err(RedirectError::Downgrade)));
        assert!(matches!(from.redirected("ws://a.test/"), Err(RedirectError::Downgrade)));
        assert!(matches!(from.redirected("y"), Err(RedirectError::Relative(_))));
        assert!(matches!(from.redirected("//b.test/"), Err(RedirectError::Relative(_))));
        assert!(matches!(from.redirected("ftp://b.test/"), Err(RedirectError::Uri(_))));
        assert!(place("ws://a.test/").redirected("https://a.test/").unwrap().secure);
    }

    #[test]
    fn what_is_on_this_machine() {
        for (url, is_loopback) in [
            ("ws://localhost", true),
            ("ws://127.1.2.3:1", true),
            ("ws://[::1]", true),
            ("ws://192.0.2.1", false),
            ("ws://localhost.test", false),
        ] {
            assert_eq!(place(url).is_loopback(), is_loopback, "{url}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let here = place("wss://a.test/x");
        assert!(here.is_same_origin(&place("wss://A.test:443/y?z")));
        for other in ["ws://a.test:443/x", "wss://a.test:444/x", "wss://b.test/x"] {
            assert!(!here.is_same_origin(&place(other)), "{other}");
        }
    }
}
