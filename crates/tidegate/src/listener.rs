//! Listening sockets: no connection is served without a place, so that overload waits in the kernel and not in our
//! memory.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;

use crate::config::Listener;
use crate::io::{Arrival, tune};

/// Connections that the kernel keeps while none is accepted.
const BACKLOG: i32 = 4096;

/// How long accepting rests after the system had no descriptor or memory for a connection.
const BACK_OFF: Duration = Duration::from_millis(100);

/// A connection that was accepted, with everything that is taken from it when it ends.
#[derive(Debug)]
pub(crate) struct Accepted {
    socket: Option<std::net::TcpStream>,
    arrival: Arrival,
    served: Arc<Served>,
    connection: OwnedSemaphorePermit,
    handshake: OwnedSemaphorePermit,
}

/// A listener as it is served.
pub(crate) struct Served {
    /// Its configuration.
    pub(crate) listener: Listener,
    /// TLS, where it has any.
    pub(crate) acceptor: Option<TlsAcceptor>,
}

/// The places that connections take.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// All connections.
    pub(crate) connections: Arc<Semaphore>,
    /// Connections whose handshake is not finished.
    pub(crate) handshakes: Arc<Semaphore>,
}

impl Accepted {
    /// Where it came in.
    pub(crate) const fn arrival(&self) -> Arrival {
        self.arrival
    }

    /// The listener.
    pub(crate) fn listener(&self) -> &Listener {
        &self.served.listener
    }

    pub(crate) fn acceptor(&self) -> Option<TlsAcceptor> {
        self.served.acceptor.clone()
    }

    /// Registers the socket with the runtime of this thread; once.
    pub(crate) fn take_socket(&mut self) -> io::Result<TcpStream> {
        let socket = TcpStream::from_std(self.socket.take().expect("the socket is taken once"))?;
        tune(&socket);
        Ok(socket)
    }

    /// The listener, and its places: among the connections, kept until its end, and among the handshakes, until the
    /// first answer.
    pub(crate) fn into_parts(self) -> (Arc<Served>, OwnedSemaphorePermit, OwnedSemaphorePermit) {
        (self.served, self.connection, self.handshake)
    }
}

impl std::fmt::Debug for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Served").field("listener", &self.listener).finish_non_exhaustive()
    }
}

/// A listening socket. It has one connection in hand at most: the others wait in the kernel until there is a place.
#[derive(Debug)]
pub(crate) struct Listening {
    socket: TcpListener,
    pub(crate) served: Arc<Served>,
}

impl Listening {
    /// Binds. An IPv6 address takes IPv6 only, so that `0.0.0.0` and `[::]` can stand side by side.
    ///
    /// # Errors
    /// The address is taken, not ours, or not allowed.
    pub(crate) fn bind(address: SocketAddr, served: Served) -> io::Result<Self> {
        let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(Self { socket: TcpListener::from_std(socket.into())?, served: Arc::new(served) })
    }

    /// The address, with the port that the system chose.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The next connection, when there is a place for it; `None` when there are no places any more.
    ///
    /// A place is taken for a connection that is there: a listener that nobody calls holds none.
    pub(crate) async fn accept(&self, places: &Places) -> Option<Accepted> {
        let (socket, arrival) = loop {
            match self.take().await {
                Ok(taken) => break taken,
                Err(error) => back_off(&error).await,
            }
        };
        let connection = Arc::clone(&places.connections).acquire_owned().await.ok()?;
        let handshake = Arc::clone(&places.handshakes).acquire_owned().await.ok()?;
        Some(Accepted {
            socket: Some(socket),
            arrival,
            served: Arc::clone(&self.served),
            connection,
            handshake,
        })
    }

    async fn take(&self) -> io::Result<(std::net::TcpStream, Arrival)> {
        let (socket, client) = self.socket.accept().await?;
        let local = socket.local_addr()?;
        Ok((socket.into_std()?, Arrival { client, local, secure: false }))
    }
}

/// Passes over what concerns one connection only; waits where the system has no descriptor or memory.
async fn back_off(error: &io::Error) {
    let peers_fault = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::NotConnected
    );
    if !peers_fault {
        tracing::warn!(%error, "cannot accept connections just now; is the descriptor limit too low?");
        tokio::time::sleep(BACK_OFF).await; // waits because the want of descriptors ends without telling us
    }
}
