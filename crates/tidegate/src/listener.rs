//! Listening sockets: a permit is taken before a connection is, so that overload waits in the kernel and not in our
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

    /// Its place among the connections, kept until its end, and among the handshakes, until the first answer.
    pub(crate) fn into_places(self) -> (OwnedSemaphorePermit, OwnedSemaphorePermit) {
        (self.connection, self.handshake)
    }
}

impl std::fmt::Debug for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Served")
            .field("listener", &self.listener)
            .finish_non_exhaustive()
    }
}

/// Binds a listening socket. An IPv6 address takes IPv6 only, so that `0.0.0.0` and `[::]` can stand side by side.
///
/// # Errors
/// The address is taken, not ours, or not allowed.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// The next connection of a listener, as soon as there is a place for it; `None` when there are no places any more.
pub(crate) async fn accept(
    listener: &TcpListener,
    served: &Arc<Served>,
    places: &Places,
) -> Option<Accepted> {
    let connection = Arc::clone(&places.connections).acquire_owned().await.ok()?;
    let handshake = Arc::clone(&places.handshakes).acquire_owned().await.ok()?;
    let (socket, arrival) = next(listener).await;
    Some(Accepted {
        socket: Some(socket),
        arrival,
        served: Arc::clone(served),
        connection,
        handshake,
    })
}

/// The next connection; errors of single connections are passed over, want of descriptors is waited out.
async fn next(listener: &TcpListener) -> (std::net::TcpStream, Arrival) {
    loop {
        let error = match take(listener).await {
            Ok(accepted) => return accepted,
            Err(error) => error,
        };
        let peers_fault = matches!(
            error.kind(),
            io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::NotConnected
        );
        if !peers_fault {
            tracing::warn!(%error, "cannot accept connections just now; is the descriptor limit too low?");
            tokio::time::sleep(BACK_OFF).await; // waits because the want of descriptors ends without telling us
        }
    }
}

async fn take(listener: &TcpListener) -> io::Result<(std::net::TcpStream, Arrival)> {
    let (socket, client) = listener.accept().await?;
    let local = socket.local_addr()?;
    Ok((
        socket.into_std()?,
        Arrival {
            client,
            local,
            secure: false,
        },
    ))
}
