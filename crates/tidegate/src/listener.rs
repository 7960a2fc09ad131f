//! Listening sockets: a permit is taken before a connection is, so that overload waits in the kernel and not in our
//! memory.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use socket2::{Domain, Protocol, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::config::Listener;
use crate::io::tune;
use crate::request::Arrival;
use crate::worker::Workers;

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
    guard: Guard,
    handshake: OwnedSemaphorePermit,
}

/// What a connection holds until its very end: its place among the connections. Given back by dropping it.
#[derive(Debug)]
pub(crate) struct Guard {
    _connection: OwnedSemaphorePermit,
    _tracked: TaskTrackerToken,
    live: Arc<AtomicUsize>,
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
    pub(crate) fn arrival(&self) -> Arrival {
        Arrival { secure: self.served.acceptor.is_some(), ..self.arrival }
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

    /// What is kept until the connection's end, and what until the end of its handshake.
    pub(crate) fn into_guards(self) -> (Guard, OwnedSemaphorePermit) {
        (self.guard, self.handshake)
    }
}

impl std::fmt::Debug for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Served").field("listener", &self.listener).finish_non_exhaustive()
    }
}

impl Guard {
    pub(crate) fn new(connection: OwnedSemaphorePermit, tracked: TaskTrackerToken, live: &Arc<AtomicUsize>) -> Self {
        live.fetch_add(1, Ordering::Relaxed);
        Self { _connection: connection, _tracked: tracked, live: Arc::clone(live) }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.live.fetch_sub(1, Ordering::Relaxed);
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

/// Accepts until `stop`, and hands each connection to the worker that has the fewest.
pub(crate) async fn accept(
    listener: TcpListener,
    served: Arc<Served>,
    places: Places,
    workers: Arc<Workers>,
    stop: CancellationToken,
) {
    let _: Option<()> = stop.run_until_cancelled(accept_all(listener, served, places, workers)).await;
}

async fn accept_all(listener: TcpListener, served: Arc<Served>, places: Places, workers: Arc<Workers>) {
    while let (Ok(connection), Ok(handshake)) = (
        Arc::clone(&places.connections).acquire_owned().await,
        Arc::clone(&places.handshakes).acquire_owned().await,
    ) {
        let (socket, arrival) = next(&listener).await;
        let worker = workers.least_loaded();
        let guard = workers.guard(worker, connection);
        let accepted = Accepted { socket: Some(socket), arrival, served: Arc::clone(&served), guard, handshake };
        if let Err(mpsc::error::SendError(_)) = workers.give(worker, accepted).await {
            return; // the workers have stopped
        }
    }
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
    Ok((socket.into_std()?, Arrival { client, local, secure: false }))
}
