//! Proxies on the way to the server: HTTP CONNECT (RFC 9110 §9.3.6) and SOCKS5 (RFC 1928, 1929).

use std::fmt;
use std::time::Duration;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_socks::tcp::Socks5Stream;

use super::failure::Failure;
use super::head;
use super::mistake::ProxyError;
use super::place::{Place, authority};
use super::secret::Secret;
use crate::clock::timeout;

/// Which proxy leads to a place, if any does.
#[derive(Debug)]
pub(super) enum Proxies {
    /// None, whatever the environment says.
    None,
    /// This one, always.
    Always(Proxy),
    /// What `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    Environment(Box<Matcher>),
}

/// A proxy.
#[derive(Debug, Clone)]
pub(super) struct Proxy {
    kind: Kind,
    pub(super) host: String,
    pub(super) port: u16,
    login: Option<Login>,
}

/// A name and its password.
#[derive(Debug, Clone)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: Secret,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// HTTP CONNECT.
    Http,
    /// SOCKS5; the proxy resolves the name.
    Socks5,
}

impl Proxies {
    /// The proxy for this place.
    ///
    /// # Errors
    /// The environment names one that cannot be used. It is not passed by.
    pub(super) fn of(&self, place: &Place) -> Result<Option<Proxy>, ProxyError> {
        match self {
            Self::None => Ok(None),
            Self::Always(proxy) => Ok(Some(proxy.clone())),
            Self::Environment(matcher) => {
                let scheme = if place.secure { "https" } else { "http" };
                let uri = format!("{scheme}://{}/", place.authority());
                let uri = Uri::try_from(uri).map_err(|_| ProxyError::Malformed)?;
                let Some(found) = matcher.intercept(&uri) else { return Ok(None) };
                let login = found.raw_auth().map(|(user, password)| Login {
                    user: user.to_owned(),
                    password: Secret::of_field(password),
                });
                let basic = found.basic_auth().and_then(|value| value.to_str().ok()).map(Secret::of_field);
                Proxy::of(found.uri(), login.or_else(|| Login::of_basic(basic?))).map(Some)
            }
        }
    }
}

impl Proxy {
    /// Reads the URL of a proxy that was given on the command line.
    pub(super) fn parse(url: &str, login: Option<Login>) -> Result<Self, ProxyError> {
        let uri = Uri::try_from(url).map_err(|_| ProxyError::Malformed)?;
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(ProxyError::UserInfo);
        }
        Self::of(&uri, login)
    }

    /// Asks the proxy, which is connected already, for a connection to this host and port.
    pub(super) async fn tunnel(
        &self,
        socket: TcpStream,
        host: &str,
        port: u16,
        limit: Duration,
    ) -> Result<TcpStream, Failure> {
        let tunnel = async {
            match self.kind {
                Kind::Http => self.connect_http(socket, &authority(host, port)).await,
                Kind::Socks5 => self.connect_socks5(socket, host, port).await.map_err(Failure::Socks),
            }
        };
        let step = "the proxy's answer";
        timeout(limit, tunnel).await.unwrap_or(Err(Failure::TooLong { step, limit, flag: "--proxy-timeout" }))
    }

    async fn connect_http(&self, mut socket: TcpStream, to: &str) -> Result<TcpStream, Failure> {
        let login = self.login.as_ref().map(|login| Secret::basic(&login.user, &login.password));
        let login =
            login.map(|basic| format!("Proxy-Authorization: {}\r\n", basic.expose())).unwrap_or_default();
        let request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n{login}\r\n");
        socket.write_all(request.as_bytes()).await.map_err(Failure::Send)?;
        let head = head::read(&mut socket, head::Version::Http10).await.map_err(Failure::ProxyHead)?;
        match head.status {
            // The server says nothing before it is spoken to: these bytes are not its own.
            200..=299 if !head.rest.is_empty() => Err(Failure::ProxyAhead),
            200..=299 => Ok(socket),
            status => Err(Failure::ProxyRefused(status)),
        }
    }

    async fn connect_socks5(
        &self,
        socket: TcpStream,
        host: &str,
        port: u16,
    ) -> Result<TcpStream, tokio_socks::Error> {
        let stream = match &self.login {
            None => Socks5Stream::connect_with_socket(socket, (host, port)).await?,
            Some(Login { user, password }) => {
                let password = password.expose();
                Socks5Stream::connect_with_password_and_socket(socket, (host, port), user, password).await?
            }
        };
        Ok(stream.into_inner())
    }

    fn of(uri: &Uri, login: Option<Login>) -> Result<Self, ProxyError> {
        let (kind, default_port) = match uri.scheme_str() {
            None | Some("http") => (Kind::Http, 80),
            Some("socks5" | "socks5h") => (Kind::Socks5, 1080),
            Some(other) => return Err(ProxyError::Scheme(other.to_owned())),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(ProxyError::Malformed)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { kind, host, port: uri.port_u16().unwrap_or(default_port), login })
    }
}

impl Login {
    /// The name and password in a `Basic …` value.
    fn of_basic(basic: Secret) -> Option<Self> {
        use base64::Engine as _;
        let encoded = basic.expose().strip_prefix("Basic ")?;
        let decoded = base64::engine::general_purpose::STANDARD.decode(encoded).ok()?;
        let decoded = String::from_utf8(decoded).ok()?;
        let (user, password) = decoded.split_once(':')?;
        Some(Self { user: user.to_owned(), password: Secret::of_field(password) })
    }
}

/// Without the login.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.kind {
            Kind::Http => "http",
            Kind::Socks5 => "socks5",
        };
        write!(f, "the proxy {scheme}://{}", authority(&self.host, self.port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(all: &str, no: &str) -> Proxies {
        Proxies::Environment(Box::new(Matcher::builder().all(all).no(no).build()))
    }

    fn shown(proxies: &Proxies, url: &str) -> Option<String> {
        proxies.of(&Place::parse(url).unwrap()).unwrap().map(|proxy| proxy.to_string())
    }

    #[test]
    fn the_environment_names_a_proxy_and_whom_it_is_not_for() {
        let proxies = environment("http://u:p%40@proxy.test:3128", "near.test,10.0.0.0/8");
        assert_eq!(shown(&proxies, "wss://far.test/"), Some("the proxy http://proxy.test:3128".into()));
        assert_eq!(shown(&proxies, "wss://a.near.test/"), None);
        assert_eq!(shown(&proxies, "ws://10.1.2.3/"), None);
        let login = proxies.of(&Place::parse("ws://far.test").unwrap()).unwrap().unwrap().login.unwrap();
        assert_eq!((login.user.as_str(), login.password.expose()), ("u", "p@"));
        let socks = environment("socks5h://u:p@[::1]", "");
        assert_eq!(shown(&socks, "ws://far.test"), Some("the proxy socks5://[::1]:1080".into()));
        assert!(environment("https://proxy.test", "").of(&Place::parse("ws://far.test").unwrap()).is_err());
    }

    #[test]
    fn a_proxy_on_the_command_line() {
        assert_eq!(Proxy::parse("http://p", None).unwrap().port, 80);
        assert_eq!(Proxy::parse("p.test:3128", None).unwrap().to_string(), "the proxy http://p.test:3128");
        assert!(matches!(Proxy::parse("http://u:p@p", None), Err(ProxyError::UserInfo)));
        assert!(matches!(Proxy::parse("socks4://p", None), Err(ProxyError::Scheme(_))));
        assert!(matches!(Proxy::parse("/p", None), Err(ProxyError::Malformed)));
        assert!(matches!(Proxy::parse("http://", None), Err(ProxyError::Malformed)));
    }
}
