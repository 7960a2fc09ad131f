//! Listening sockets: no connection is served without a place, so that overload waits in the kernel and not in our
//! memory.

mod bind;
mod gate;
mod handed;
mod inherited;
mod limit;
mod listening;
mod places;
mod share;
pub(crate) mod unix;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::ServerConfig;
use tokio::net::{TcpStream, UnixStream};

pub(crate) use self::gate::Gate;
pub(crate) use self::inherited::Inherited;
pub(crate) use self::limit::Place;
pub(crate) use self::listening::Listening;
pub(crate) use self::places::{Handshake, Places};
pub(crate) use self::share::ShareExceeded;
pub(crate) use self::unix::SocketFile;
use crate::config::Listener;
use crate::io::{Arrival, Peer, Socket};
use crate::proxy_header::ProxyInfo;

/// Connections that the kernel keeps while none is accepted.
const BACKLOG: i32 = 4096;

/// A connection that was accepted, with everything that is taken from it when it ends.
#[derive(Debug)]
pub(crate) struct Accepted {
    socket: Option<Incoming>,
    arrival: Arrival,
    served: Arc<Served>,
    connection: Place,
    handshake: Handshake,
    places: Places,
}

/// An accepted socket that no runtime knows yet: it is still to be given to a worker.
#[derive(Debug)]
enum Incoming {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

/// TLS as a listener serves it.
#[derive(Debug)]
pub(crate) struct Acceptor {
    pub(crate) config: Arc<ServerConfig>,
    /// The file of each certificate, and when clients stop to take it; without those that are good for ever.
    pub(crate) ends: Vec<(PathBuf, SystemTime)>,
}

/// A listener as it is served.
pub(crate) struct Served {
    /// Its configuration.
    pub(crate) listener: Listener,
    /// TLS, where it has any.
    pub(crate) acceptor: Option<Acceptor>,
}

impl Accepted {
    /// Where it came in.
    pub(crate) fn arrival(&self) -> Arrival {
        self.arrival.clone()
    }

    /// Notes what a trusted proxy says about where it came in.
    pub(crate) fn announce(&mut self, told: ProxyInfo) {
        if let Some((client, local)) = told.addresses {
            self.arrival.client = Peer::Tcp(client);
            self.arrival.local = Some(local);
        } else {
            self.arrival.unnamed = true;
        }
        self.arrival.secure = told.secure;
    }

    /// The listener.
    pub(crate) fn listener(&self) -> &Listener {
        &self.served.listener
    }

    pub(crate) fn acceptor(&self) -> Option<Arc<ServerConfig>> {
        self.served.acceptor.as_ref().map(|acceptor| Arc::clone(&acceptor.config))
    }

    /// Registers the socket with the runtime of this thread; once.
    pub(crate) fn take_socket(&mut self) -> io::Result<Socket> {
        match self.socket.take().expect("the socket is taken once") {
            Incoming::Tcp(socket) => Ok(Socket::Plain(TcpStream::from_std(socket)?)),
            Incoming::Unix(socket) => Ok(Socket::Unix(UnixStream::from_std(socket)?)),
        }
    }

    /// Counts it towards its client address's share of the handshakes, and waits for that without a place among them. A
    /// trusted proxy's connection counts towards none, since nobody knows yet for whom it comes; nor does one of a Unix
    /// socket, which has no address.
    ///
    /// # Errors
    /// Too many of the address are under way, and none comes to its end.
    pub(crate) async fn take_share(&mut self) -> Result<(), ShareExceeded> {
        match self.arrival.client.ip() {
            Some(client) if !self.listener().trusted_proxies.trust(Some(client)) => {
                self.places.take_share(client, &mut self.handshake).await
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The listener, and its places: among the connections, kept until its end, and among the handshakes, until the
    /// first answer.
    pub(crate) fn into_parts(self) -> (Arc<Served>, Place, Handshake) {
        (self.served, self.connection, self.handshake)
    }
}

impl std::fmt::Debug for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Served").field("listener", &self.listener).finish_non_exhaustive()
    }
}
