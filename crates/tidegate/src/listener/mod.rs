//! Listening sockets: no connection is served without a place, so that overload waits in the kernel and not in our
//! memory.

mod gate;
mod handed;
mod inherited;
mod limit;
mod places;
mod share;
pub(crate) mod unix;

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::net::{SocketAddrAny, SocketFlags, acceptfrom_with};
use rustls::ServerConfig;
use socket2::{Domain, Protocol, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::{TcpStream, UnixStream};

pub(crate) use self::gate::Gate;
pub(crate) use self::inherited::Inherited;
use self::inherited::InheritedSocket;
pub(crate) use self::limit::Place;
pub(crate) use self::places::{Handshake, Places};
pub(crate) use self::share::ShareExceeded;
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
    pub(crate) fn announce(&mut self, told: Told) {
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
    /// What is accepted from it is registered with no runtime yet.
    socket: AsyncFd<socket2::Socket>,
    /// How its connections come to be.
    origin: Origin,
    file: Option<SocketFile>,
    /// Where, with the port that the system chose.
    pub(crate) address: ListenAddress,
    /// As it is served just now: a connection has it as it was when it came.
    pub(crate) served: Arc<Swap<Served>>,
}

/// What connections of a listener are born with.
#[derive(Debug, Clone, Copy)]
enum Origin {
    /// Our options, and this local address, unless it stands for any of this machine's.
    Tcp(SocketAddr),
    /// TCP, but it has listened before it was ours: what has connected until then was born without our options, and
    /// perhaps with an address of its own.
    Adopted,
    /// Whether a gateway has bound it.
    Unix(bool),
}

impl Origin {
    fn of(socket: &socket2::Socket, own: bool) -> io::Result<Self> {
        Ok(match socket.domain()? {
            Domain::UNIX => Self::Unix(own),
            _ if own => Self::Tcp(local_address(socket)?),
            _ => Self::Adopted,
        })
    }
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
        let listening = |socket| Self::on_inherited(socket, Arc::clone(&served));
        sockets.into_iter().map(listening).collect()
    }

    /// The same for the admin listener, which has no socket of a service manager's.
    ///
    /// # Errors
    /// What keeps it from listening.
    pub(crate) fn open_admin(served: Served, inherited: &mut Inherited) -> Result<Self, BindError> {
        match inherited.take_admin(&served.listener.address) {
            Some(socket) => Self::on_inherited(socket, Arc::new(Swap::new(Arc::new(served)))),
            None => Self::bind(served),
        }
    }

    fn on_inherited(socket: InheritedSocket, served: Arc<Swap<Served>>) -> Result<Self, BindError> {
        let InheritedSocket { socket, own } = socket;
        let file = handed::file(&served.load().listener.address, own);
        Self::on(socket, own, file, served)
    }

    /// Binds; what is given to the process is not looked at.
    ///
    /// # Errors
    /// What keeps it from listening.
    pub(crate) fn bind(served: Served) -> Result<Self, BindError> {
        let (socket, own, file) = match &served.listener.address {
            ListenAddress::Tcp(address) => {
                let address = *address;
                (listen_tcp(address).map_err(|error| BindError::Tcp { address, error })?, true, None)
            }
            ListenAddress::Unix(path) => {
                let (socket, file) = unix::listen(path, served.listener.socket_mode)?;
                (socket.into(), true, Some(file))
            }
            ListenAddress::Abstract(name) => {
                let socket = unix::listen_abstract(name)
                    .map_err(|error| BindError::Abstract { name: name.clone(), error })?;
                (socket.into(), true, None)
            }
            ListenAddress::Stdin => {
                (standard_input(rustix::stdio::stdin()).map_err(BindError::Inherited)?, false, None)
            }
            ListenAddress::Systemd(_) => unreachable!("it is taken, not bound"),
        };
        Self::on(socket, own, file, Arc::new(Swap::new(Arc::new(served))))
    }

    /// On a socket that listens; `own` if a gateway has bound it.
    fn on(
        socket: socket2::Socket,
        own: bool,
        file: Option<SocketFile>,
        served: Arc<Swap<Served>>,
    ) -> Result<Self, BindError> {
        let origin = Origin::of(&socket, own)?;
        let address = match origin {
            Origin::Tcp(_) | Origin::Adopted => ListenAddress::Tcp(local_address(&socket)?),
            Origin::Unix(_) => served.load().listener.address.clone(),
        };
        let socket = watched(socket)?;
        Ok(Self { socket, origin, file, address, served })
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
        let (served, places) = (self.served.load(), places.clone());
        Accepted { socket: Some(socket), arrival, served, connection, handshake, places }
    }

    async fn take(&self) -> io::Result<(Incoming, Arrival)> {
        const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);
        let accept = |listener: &socket2::Socket| Ok(acceptfrom_with(listener, FLAGS)?);
        let (socket, client) = self.socket.async_io(Interest::READABLE, accept).await?;
        let arrival = |client, local| Arrival { client, unnamed: false, local, secure: false, tls: None };
        Ok(match self.origin {
            Origin::Tcp(local) => {
                let local = if local.ip().is_unspecified() { local_address(&socket)? } else { local };
                (Incoming::Tcp(socket.into()), arrival(peer(client)?, Some(local)))
            }
            Origin::Adopted => {
                tune(&socket);
                let local = local_address(&socket)?;
                (Incoming::Tcp(socket.into()), arrival(peer(client)?, Some(local)))
            }
            Origin::Unix(_) => (Incoming::Unix(socket.into()), arrival(Peer::Unix, None)),
        })
    }
}

/// Registers a listener with the runtime of this thread.
#[expect(
    deprecated,
    reason = "of types that change their descriptor; a socket does not, and what is new is unsafe"
)]
fn watched(socket: socket2::Socket) -> io::Result<AsyncFd<socket2::Socket>> {
    AsyncFd::with_interest(socket, Interest::READABLE)
}

fn peer(client: Option<SocketAddrAny>) -> io::Result<Peer> {
    let address = client.ok_or(io::ErrorKind::NotConnected)?;
    Ok(Peer::Tcp(plain(SocketAddr::try_from(address)?)))
}

fn local_address(socket: &impl AsFd) -> io::Result<SocketAddr> {
    Ok(plain(SocketAddr::try_from(rustix::net::getsockname(socket)?)?))
}

/// An IPv4 address without the IPv6 clothes that it wears on a socket for both (RFC 4291 §2.5.5.2), as a service manager may
/// have opened one: whoever reads an address of ours, in a log or a PROXY header, gets to see one form of it.
fn plain(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(wide) => match wide.ip().to_ipv4_mapped() {
            Some(ip) => (ip, wide.port()).into(),
            None => address,
        },
        SocketAddr::V4(_) => address,
    }
}

/// An IPv6 address takes IPv6 only, so that `0.0.0.0` and `[::]` can stand side by side.
fn listen_tcp(address: SocketAddr) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    tune(&socket);
    Ok(socket)
}

/// A socket that somebody else has bound and listens on, as inetd does.
fn standard_input(descriptor: BorrowedFd<'_>) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::from(descriptor.try_clone_to_owned()?);
    if !socket.is_listener()? {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it does not listen"));
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
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
