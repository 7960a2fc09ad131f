//! A listening socket, and the connections that are accepted from it.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{SocketAddrAny, SocketFlags, acceptfrom_with};
use socket2::Domain;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::bind::{BindError, listen_tcp, standard_input};
use super::handed;
use super::inherited::{Inherited, InheritedSocket};
use super::unix::{self, SocketFile};
use super::{Accepted, Gate, Incoming, Places, Served};
use crate::config::ListenAddress;
use crate::handover::message;
use crate::io::{Arrival, Peer, tune};
use crate::swap::Swap;

/// How long accepting rests after the system had no descriptor or memory for a connection.
const BACK_OFF: Duration = Duration::from_millis(100);

/// A listening socket. It has one connection in hand at most: the others wait in the kernel until there is a place.
#[derive(Debug)]
pub(crate) struct Listening {
    /// What is accepted from it is registered with no runtime yet.
    socket: AsyncFd<socket2::Socket>,
    /// What its connections are born with.
    origin: Origin,
    file: Option<SocketFile>,
    /// Where, with the port that the system chose.
    pub(crate) address: ListenAddress,
    /// As it is served just now: a connection has it as it was when it came.
    pub(crate) served: Arc<Swap<Served>>,
}

/// How a listener came to be, and so what its connections are born with.
#[derive(Debug, Clone, Copy)]
enum Origin {
    /// Our options, and this local address, unless it stands for any of this machine's.
    Tcp(SocketAddr),
    /// TCP, but it has listened before it was ours: what has connected until then was born without our options, and
    /// perhaps with an address of its own.
    Adopted,
    /// A Unix socket; `own`: a gateway has bound it.
    Unix { own: bool },
}

impl Origin {
    fn of(socket: &socket2::Socket, own: bool) -> io::Result<Self> {
        Ok(match socket.domain()? {
            Domain::UNIX => Self::Unix { own },
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
            Origin::Unix { .. } => served.load().listener.address.clone(),
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

    /// What another process has to know of it, and its descriptor. `group` is the number of its listener.
    ///
    /// # Errors
    /// The system has no more descriptors.
    pub(crate) fn hand_over(&self, group: usize, admin: bool) -> io::Result<(message::Listener, OwnedFd)> {
        let own = match self.origin {
            Origin::Tcp(_) => true,
            Origin::Adopted => false,
            Origin::Unix { own } => own,
        };
        let descriptor = self.socket.as_fd();
        let address = self.served.load().listener.address.to_string();
        Ok((message::Listener { address, group, admin, own }, descriptor.try_clone_to_owned()?))
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
            Origin::Unix { .. } => (Incoming::Unix(socket.into()), arrival(Peer::Unix, None)),
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

/// Writes an IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2) as the IPv4 address that it is. A socket for both families, as a
/// service manager may have opened one, has such addresses; logs and PROXY headers show the one form.
fn plain(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(wide) => match wide.ip().to_ipv4_mapped() {
            Some(ip) => (ip, wide.port()).into(),
            None => address,
        },
        SocketAddr::V4(_) => address,
    }
}

/// Passes over an error of one connection only; waits where the system has no descriptor or memory.
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
