//! A connection to a backend: every address of its name, TLS where it is asked for, one time budget for all of it.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
use rustls::pki_types::ServerName;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::ConnectError;
use super::trust::Trusted;
use crate::clock::timeout;
use crate::config::Authority;
use crate::io::{Socket, tune};
use crate::names;

/// How long one address has for itself before the next is tried beside it (RFC 8305 §5).
const STAGGER: Duration = Duration::from_millis(250);

/// How long to wait before asking a Unix socket again whose queue is full; nothing tells when it is not.
const QUEUE_FULL: Duration = Duration::from_millis(20);

/// Connects over TCP, says `greeting`, and goes over to TLS where `trusted` says whom to believe.
pub(super) async fn tcp(
    authority: &Authority,
    trusted: Option<&Trusted>,
    greeting: &[u8],
    budget: Duration,
) -> Result<Socket, ConnectError> {
    tcp_among(authority, trusted, greeting, budget, &|_| true).await
}

/// The same, but only to addresses that are `allowed`. They are judged after the name is resolved, and connected as they
/// were judged.
pub(super) async fn tcp_among(
    authority: &Authority,
    trusted: Option<&Trusted>,
    greeting: &[u8],
    budget: Duration,
    allowed: &(dyn Fn(SocketAddr) -> bool + Sync),
) -> Result<Socket, ConnectError> {
    let connect = async {
        let all = addresses(&authority.host, authority.port).await?;
        let addresses: Vec<_> = all.iter().copied().filter(|address| allowed(*address)).collect();
        if addresses.is_empty() && !all.is_empty() {
            return Err(ConnectError::NotAllowed);
        }
        let mut socket = first_of(addresses).await?;
        socket.write_all(greeting).await?;
        match trusted {
            None => Ok(Socket::Plain(socket)),
            Some(trusted) => secure(socket, authority, trusted).await,
        }
    };
    timeout(budget, connect).await.unwrap_or(Err(ConnectError::ConnectTimeout))
}

/// Connects to a Unix socket, and says `greeting`.
pub(super) async fn unix(path: &Path, greeting: &[u8], budget: Duration) -> Result<UnixStream, ConnectError> {
    let connect = async {
        let mut socket = unix_in_turn(path).await?;
        socket.write_all(greeting).await?;
        io::Result::Ok(socket)
    };
    match timeout(budget, connect).await {
        Ok(connected) => Ok(connected?),
        Err(_elapsed) => Err(ConnectError::ConnectTimeout),
    }
}

/// A full queue of a Unix socket refuses at once, where one of TCP keeps us waiting: so we wait ourselves.
async fn unix_in_turn(path: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(QUEUE_FULL).await,
            result => return result,
        }
    }
}

async fn secure(socket: TcpStream, authority: &Authority, trusted: &Trusted) -> Result<Socket, ConnectError> {
    let name = trusted.server_name.as_ref().unwrap_or(&authority.host);
    let name =
        ServerName::try_from(name.clone()).map_err(|error| ConnectError::Tls(io::Error::other(error)))?;
    let stream = trusted.connector.connect(name, socket).await.map_err(ConnectError::Tls)?;
    Ok(Socket::Tls(Box::new(stream)))
}

/// Connects over TCP, to the first address of the name that takes it. The caller bounds the time.
pub(crate) async fn connected(host: &str, port: u16) -> io::Result<TcpStream> {
    first_of(addresses(host, port).await?).await
}

/// The name is resolved anew for each connection, and off this thread; an address is none.
async fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok(interleaved(names::addresses(host, port).await?))
}

/// The two families in turn, the resolver's first choice first (RFC 8305 §4).
fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let mut second = second.into_iter();
    let mut order: Vec<_> =
        first.into_iter().flat_map(|address| [Some(address), second.next()]).flatten().collect();
    order.extend(second);
    order
}

/// The first address that takes the connection: each has a head start over the next.
async fn first_of(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    if let [only] = addresses[..] {
        return connect_to(only).await;
    }
    let mut waiting = addresses.into_iter();
    let mut attempts = JoinSet::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        match waiting.next() {
            Some(address) => drop(attempts.spawn(connect_to(address))),
            None if attempts.is_empty() => return Err(last),
            None => {}
        }
        tokio::select! {
            Some(attempt) = attempts.join_next() => match attempt {
                Ok(Ok(socket)) => return Ok(socket),
                Ok(Err(error)) => last = error,
                Err(join_error) => last = join_error.into(),
            },
            () = sleep(STAGGER), if waiting.len() > 0 => {}
        }
    }
}

/// Connects to one address, and sets the options that each connection has.
async fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    tune(&socket);
    let mut begun = connect(&socket, &address);
    if address.ip().is_loopback() && begun == Err(Errno::INPROGRESS) {
        // Within this machine the handshake of TCP is over by now, as a rule, and asking again says so: that saves a
        // turn of waiting for it.
        begun = connect(&socket, &address);
    }
    let stream = match begun {
        Ok(()) => return TcpStream::from_std(socket.into()),
        Err(Errno::INPROGRESS | Errno::ALREADY) => TcpStream::from_std(socket.into())?,
        Err(error) => return Err(error.into()),
    };
    stream.writable().await?;
    match stream.take_error()? {
        None => Ok(stream),
        Some(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns() {
        let order = interleaved(addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "127.0.0.1:1"]));
        assert_eq!(order, addresses(&["[::1]:1", "127.0.0.1:1", "[::2]:1", "[::3]:1"]));
        let order = interleaved(addresses(&["127.0.0.1:1", "[::1]:1", "[::2]:1"]));
        assert_eq!(order, addresses(&["127.0.0.1:1", "[::1]:1", "[::2]:1"]));
    }

    #[tokio::test]
    async fn a_dead_address_does_not_keep_a_live_one_from_being_tried() {
        let live = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let dead_address = dead.local_addr().unwrap();
        drop(dead);
        let socket = first_of(vec![dead_address, live.local_addr().unwrap()]).await.unwrap();
        assert_eq!(socket.peer_addr().unwrap(), live.local_addr().unwrap());
        let refused = first_of(vec![dead_address, dead_address]).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }
}
