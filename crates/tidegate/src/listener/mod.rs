//! Listening sockets: no connection is served without a place, so that overload waits in the kernel and not in our
//! memory.

mod gate;
mod handed;
mod inherited;
mod places;
pub(crate) mod unix;

use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;

pub(crate) use self::gate::Gate;
use self::handed::Taken;
pub(crate) use self::inherited::Inherited;
pub(crate) use self::places::{Place, Places};
pub(crate) use self::unix::SocketFile;
use self::unix::UnixError;
use crate::config::{ListenAddress, Listener};
use crate::io::{Arrival, Peer, Socket, tune};
use crate::proxy_header::Told;
use crate::swap::Swap;

/// Connections that the kernel keeps while none is accepted.
const BACKLOG: i32 = 4096;

/// How long accepting rests after the system had no descriptor or memory for a connection.
const BACK_OFF: Duration = Duration::from_millis(100);

/// A connection that was accepted, with everything that is taken from it when it ends.
#[derive(Debug)]
pub(crate) struct Accepted {
    socket: Option<Incoming>,
    arrival: Arrival,
    served: Arc<Served>,
    connection: Place,
    handshake: Place,
}

/// An accepted socket that no runtime knows yet: it is still to be given to a worker.
#[derive(Debug)]
enum Incoming {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

/// A listener as it is served.
pub(crate) struct Served {
    /// Its configuration.
    pub(crate) listener: Listener,
    /// TLS, where it has any.
    pub(crate) acceptor: Option<TlsAcceptor>,
}

impl Accepted {
    /// Where it came in.
    pub(crate) fn arrival(&self) -> Arrival {
        self.arrival.clone()
    }

    /// Notes what a trusted proxy says about where it came in.
    pub(crate) fn announce(&mut self, told: Told) {
        if let Some((client, local)) = told.addresses {
            self.arrival.client = Peer::Tcp(client);
            self.arrival.local = Some(local);
        }
        self.arrival.secure = told.secure;
    }

    /// The listener.
    pub(crate) fn listener(&self) -> &Listener {
        &self.served.listener
    }

    pub(crate) fn acceptor(&self) -> Option<TlsAcceptor> {
        self.served.acceptor.clone()
    }

    /// Registers the socket with the runtime of this thread; once.
    pub(crate) fn take_socket(&mut self) -> io::Result<Socket> {
        match self.socket.take().expect("the socket is taken once") {
            Incoming::Tcp(socket) => Ok(Socket::Plain(TcpStream::from_std(socket)?)),
            Incoming::Unix(socket) => Ok(Socket::Unix(UnixStream::from_std(socket)?)),
        }
    }

    /// The listener, and its places: among the connections, kept until its end, and among the handshakes, until the
    /// first answer.
    pub(crate) fn into_parts(self) -> (Arc<Served>, Place, Place) {
        (self.served, self.connection, self.handshake)
    }
}

impl std::fmt::Debug for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Served").field("listener", &self.listener).finish_non_exhaustive()
    }
}

/// Why a listener cannot listen. The operator's fault.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BindError {
    /// A TCP address is taken, not ours, or not allowed.
    #[error("cannot listen on {address} ({}): {error}", advice(*address, error))]
    Tcp {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// A Unix socket.
    #[error(transparent)]
    Unix(#[from] UnixError),
    /// A name of the abstract namespace.
    #[error("cannot listen on unix:@{name} (is it taken by another process?): {error}")]
    Abstract {
        /// The name, without the at sign.
        name: String,
        /// What the system says.
        error: io::Error,
    },
    /// The process was not started with a socket of this name.
    #[error("no socket of the name {name:?} was given to this process; those that it was given: {given}")]
    NotGiven {
        /// The name.
        name: String,
        /// The names that there are.
        given: String,
    },
    /// What was inherited.
    #[error("standard input is no socket that listens: {0}")]
    Inherited(io::Error),
    /// The runtime does not take the socket.
    #[error(transparent)]
    Runtime(#[from] io::Error),
}

fn advice(address: SocketAddr, error: &io::Error) -> &'static str {
    match (error.kind(), address.port()) {
        (io::ErrorKind::AddrNotAvailable, _) => "no interface of this machine has this address",
        (io::ErrorKind::PermissionDenied, 1..1024) => "ports below 1024 need privileges",
        (_, 1..1024) => "is it taken, or does it need privileges?",
        _ => "is it taken by another process?",
    }
}

/// A listening socket. It has one connection in hand at most: the others wait in the kernel until there is a place.
#[derive(Debug)]
pub(crate) struct Listening {
    socket: Bound,
    file: Option<SocketFile>,
    /// Where, with the port that the system chose.
    pub(crate) address: ListenAddress,
    /// As it is served just now: a connection has it as it was when it came.
    pub(crate) served: Arc<Swap<Served>>,
}

#[derive(Debug)]
enum Bound {
    Tcp(TcpListener),
    /// TCP, but it has listened before it was ours: what has connected until then was born without our options.
    Adopted(TcpListener),
    /// Whether a gateway has bound it.
    Unix(UnixListener, bool),
}

impl Listening {
    /// Takes what of the inherited sockets is this listener's, or else binds.
    ///
    /// # Errors
    /// What keeps it from listening.
    pub(crate) fn open(served: Served, inherited: &mut Inherited) -> Result<Vec<Self>, BindError> {
        let sockets = inherited.take(&served.listener.address);
        if let (ListenAddress::Systemd(name), []) = (&served.listener.address, &sockets[..]) {
            return Err(BindError::NotGiven { name: name.clone(), given: inherited.names() });
        }
        if sockets.is_empty() {
            return Ok(vec![Self::bind(served)?]);
        }
        let served = Arc::new(Swap::new(Arc::new(served)));
        let listening = |taken| Self::on_taken(taken, Arc::clone(&served));
        sockets.into_iter().map(listening).collect()
    }

    /// The same for the admin listener, which has no socket of a service manager's.
    ///
    /// # Errors
    /// What keeps it from listening.
    pub(crate) fn open_admin(served: Served, inherited: &mut Inherited) -> Result<Self, BindError> {
        match inherited.take_admin(&served.listener.address) {
            Some(taken) => Self::on_taken(taken, Arc::new(Swap::new(Arc::new(served)))),
            None => Self::bind(served),
        }
    }

    fn on_taken(taken: Taken, served: Arc<Swap<Served>>) -> Result<Self, BindError> {
        let Taken { socket, own } = taken;
        let file = handed::file(&served.load().listener.address, own);
        Self::on(bound(socket, own)?, file, served)
    }

    /// Binds; what is given to the process is not looked at.
    ///
    /// # Errors
    /// What keeps it from listening.
    pub(crate) fn bind(served: Served) -> Result<Self, BindError> {
        let (socket, file) = match &served.listener.address {
            ListenAddress::Tcp(address) => {
                let address = *address;
                (Bound::Tcp(listen_tcp(address).map_err(|error| BindError::Tcp { address, error })?), None)
            }
            ListenAddress::Unix(path) => {
                let (socket, file) = unix::listen(path, served.listener.socket_mode)?;
                (Bound::Unix(UnixListener::from_std(socket)?, true), Some(file))
            }
            ListenAddress::Abstract(name) => {
                let socket = unix::listen_abstract(name)
                    .map_err(|error| BindError::Abstract { name: name.clone(), error })?;
                (Bound::Unix(UnixListener::from_std(socket)?, true), None)
            }
            ListenAddress::Stdin => {
                (standard_input(rustix::stdio::stdin()).map_err(BindError::Inherited)?, None)
            }
            ListenAddress::Systemd(_) => unreachable!("it is taken, not bound"),
        };
        Self::on(socket, file, Arc::new(Swap::new(Arc::new(served))))
    }

    fn on(socket: Bound, file: Option<SocketFile>, served: Arc<Swap<Served>>) -> Result<Self, BindError> {
        let address = match &socket {
            Bound::Tcp(socket) | Bound::Adopted(socket) => ListenAddress::Tcp(socket.local_addr()?),
            Bound::Unix(..) => served.load().listener.address.clone(),
        };
        Ok(Self { socket, file, address, served })
    }

    /// The file of the socket, if it has one. It is removed when this is dropped, and has to outlive the listening:
    /// while the gateway drains, the path must not look free.
    pub(crate) const fn take_file(&mut self) -> Option<SocketFile> {
        self.file.take()
    }

    /// The next connection, when there is a place for it.
    ///
    /// A place is taken for a connection that is there: a listener that nobody calls holds none.
    pub(crate) async fn accept(&self, places: &Places, gate: &Gate) -> Accepted {
        let (socket, arrival) = loop {
            match gate.pass(|| self.take()).await {
                Ok(taken) => break taken,
                Err(error) => back_off(&error).await,
            }
        };
        let (connection, handshake) = places.take().await;
        Accepted { socket: Some(socket), arrival, served: self.served.load(), connection, handshake }
    }

    async fn take(&self) -> io::Result<(Incoming, Arrival)> {
        match &self.socket {
            Bound::Tcp(listener) | Bound::Adopted(listener) => {
                let (socket, client) = listener.accept().await?;
                if matches!(self.socket, Bound::Adopted(_)) {
                    tune(&socket);
                }
                let local = Some(socket.local_addr()?);
                let arrival = Arrival { client: Peer::Tcp(client), local, secure: false, tls: None };
                Ok((Incoming::Tcp(socket.into_std()?), arrival))
            }
            Bound::Unix(listener, _) => {
                let (socket, _) = listener.accept().await?;
                let arrival = Arrival { client: Peer::Unix, local: None, secure: false, tls: None };
                Ok((Incoming::Unix(socket.into_std()?), arrival))
            }
        }
    }
}

/// An IPv6 address takes IPv6 only, so that `0.0.0.0` and `[::]` can stand side by side.
fn listen_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    tune(&socket);
    TcpListener::from_std(socket.into())
}

/// A socket that somebody else has bound and listens on, as inetd does.
fn standard_input(descriptor: BorrowedFd<'_>) -> io::Result<Bound> {
    let socket = socket2::Socket::from(descriptor.try_clone_to_owned()?);
    if !socket.is_listener()? {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it does not listen"));
    }
    socket.set_nonblocking(true)?;
    bound(socket, false)
}

/// One that is bound and listens, for the event queue.
fn bound(socket: socket2::Socket, own: bool) -> io::Result<Bound> {
    Ok(match socket.domain()? {
        Domain::UNIX => Bound::Unix(UnixListener::from_std(socket.into())?, own),
        _ if own => Bound::Tcp(TcpListener::from_std(socket.into())?),
        _ => Bound::Adopted(TcpListener::from_std(socket.into())?),
    })
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
