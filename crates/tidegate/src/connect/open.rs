//! Opening one WebSocket: name, TCP, proxy, TLS, handshake, redirects; each step with a deadline of its own.

use std::io;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tidegate_proto::handshake::Agreed;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::failure::Failure;
use super::handshake::{self, Answer, Asking};
use super::place::{Place, RedirectError, authority};
use super::proxy::Proxies;
use crate::backend::dial;
use crate::clock::timeout;
use crate::io::Socket;

/// Redirects that are followed, at most.
const REDIRECTS_MAX: usize = 5;

/// Everything that it takes to open a WebSocket.
pub(super) struct Opener {
    pub(super) place: Place,
    /// Where to connect to instead of the place's own host and port.
    pub(super) connect_to: Option<(String, u16)>,
    pub(super) asking: Asking,
    pub(super) proxies: Proxies,
    /// Where TLS may be needed.
    pub(super) connector: Option<TlsConnector>,
    /// A client certificate is shown to whoever asks for it.
    pub(super) shows_certificate: bool,
    /// Redirects are followed.
    pub(super) follow: bool,
    pub(super) limits: Limits,
}

/// How long each step may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Resolving a name and connecting over TCP, to the server or to the proxy.
    pub(super) dial: Duration,
    /// The proxy's answer.
    pub(super) proxy: Duration,
    /// TLS, and once more the opening handshake.
    pub(super) handshake: Duration,
}

/// An open WebSocket.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) socket: Socket,
    pub(super) agreed: Agreed,
    /// What the server sent right behind its answer.
    pub(super) early: Vec<u8>,
}

impl Opener {
    /// Opens one WebSocket, or tells why there is none. Dropping the future lets go of everything.
    pub(super) async fn open(&self) -> Result<Opened, Failure> {
        let mut place = self.place.clone();
        let strangers = self.asking.for_strangers();
        // For good: behind a stranger's redirect it is the stranger who has chosen what is asked for, here as elsewhere.
        let mut is_trusted = true;
        for _ in 0..=REDIRECTS_MAX {
            let is_ours = place.is_same_origin(&self.place);
            is_trusted &= is_ours;
            let mut socket = self.connect(&place, is_ours).await?;
            let asking = if is_trusted { &self.asking } else { &strangers };
            match handshake::ask(&mut socket, &place, asking, self.limits.handshake).await? {
                Answer::Open { agreed, early } => return Ok(Opened { socket, agreed, early }),
                Answer::Redirect { status, locations } => {
                    place = self.redirected(&place, status, &locations)?;
                    tracing::debug!("redirected with status {status} to {place}");
                }
            }
        }
        Err(Failure::RedirectedTooOften(REDIRECTS_MAX))
    }

    fn redirected(&self, place: &Place, status: u16, locations: &[String]) -> Result<Place, Failure> {
        let refused = |error| Failure::Redirect { status, error };
        let [location] = locations else { return Err(refused(RedirectError::NoLocation)) };
        let to = place.redirected(location).map_err(refused)?;
        if !self.follow {
            let advice = format!(": it redirects to {to}; name that as the URL, or give --follow");
            return Err(Failure::Refused { status, advice });
        }
        if self.shows_certificate && !to.is_same_origin(&self.place) {
            return Err(Failure::RedirectedWithCertificate(to.to_string()));
        }
        Ok(to)
    }

    /// A connection to the server, over TLS where the place says so. `connect_to` is for the place of the URL only.
    async fn connect(&self, place: &Place, is_ours: bool) -> Result<Socket, Failure> {
        let (host, port) = match &self.connect_to {
            Some((host, port)) if is_ours => (host.as_str(), *port),
            Some(_) | None => (place.host.as_str(), place.port),
        };
        let socket = match self.proxies.of(place)? {
            None => self.dial(host, port, &authority(host, port)).await?,
            Some(proxy) => {
                let socket = self.dial(&proxy.host, proxy.port, &proxy.to_string()).await?;
                proxy.tunnel(socket, host, port, self.limits.proxy).await?
            }
        };
        if place.secure { self.secure(socket, &place.host).await } else { Ok(Socket::Plain(socket)) }
    }

    async fn dial(&self, host: &str, port: u16, shown: &str) -> Result<TcpStream, Failure> {
        let limit = self.limits.dial;
        let too_long = Failure::TooLong { step: "reaching the server", limit, flag: "--dial-timeout" };
        let dialled = timeout(limit, dial::connected(host, port)).await.map_err(|_elapsed| too_long)?;
        let socket = dialled.map_err(|error| Failure::Unreachable { to: shown.to_owned(), error })?;
        Ok(socket)
    }

    async fn secure(&self, socket: TcpStream, host: &str) -> Result<Socket, Failure> {
        let limit = self.limits.handshake;
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| Failure::Tls { error: io::Error::other(error) })?;
        let too_long = Failure::TooLong { step: "the TLS handshake", limit, flag: "--handshake-timeout" };
        let connector =
            self.connector.as_ref().expect("there is one where a place is secure or may redirect");
        let stream = timeout(limit, connector.connect(name, socket)).await.map_err(|_elapsed| too_long)?;
        Ok(Socket::Tls(Box::new(stream.map_err(|error| Failure::Tls { error })?)))
    }
}
