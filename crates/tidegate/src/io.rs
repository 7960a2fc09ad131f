//! A connected socket, whatever it is made of.

#[cfg(any(test, fuzzing))]
pub(crate) mod simulated;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send, sockopt};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;

use crate::tls_socket::TlsSocket;

/// Where a connection came in.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The far end; behind a proxy that has announced it, the far end of the proxy's own connection.
    pub client: Peer,
    /// A proxy has announced somebody without saying who: `client` is the proxy, and who speaks is its client.
    pub unnamed: bool,
    /// The address that it has connected to; a Unix socket has none.
    pub local: Option<SocketAddr>,
    /// Over TLS, with us or with the proxy that says so.
    pub secure: bool,
    /// What is known of TLS where we ourselves speak it.
    pub tls: Option<Arc<ClientTls>>,
}

/// How a client speaks TLS with us.
#[derive(Debug)]
pub struct ClientTls {
    /// As `TLSv1.3`.
    pub version: &'static str,
    /// It has shown a certificate, which was verified.
    pub certified: bool,
    /// The common name in that.
    pub common_name: Option<String>,
}

/// The far end of a connection that came in. Shown as in the access log: `192.0.2.1:4711` or `unix:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Over TCP, from this address.
    Tcp(SocketAddr),
    /// Through a Unix socket: a process of this machine, without an address.
    Unix,
}

/// The closed set of sockets that the gateway reads and writes, on either side.
#[derive(Debug)]
pub enum Socket {
    /// TCP.
    Plain(TcpStream),
    /// TLS over TCP, of which we are the client.
    Tls(Box<TlsStream<TcpStream>>),
    /// TLS over TCP, of which we are the server.
    Served(Box<TlsSocket<TcpStream>>),
    /// A Unix socket.
    Unix(UnixStream),
    /// TLS over a Unix socket, of which we are the server.
    ServedUnix(Box<TlsSocket<UnixStream>>),
    /// A connection of the simulation, in memory.
    #[cfg(any(test, fuzzing))]
    Simulated(simulated::Wire),
}

/// Whose an address is, where clients are counted: of IPv6 the /64, since the rest of it is a client's own choice.
pub(crate) fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

impl Peer {
    /// Its IP address, where it has one; an IPv4 address in IPv6 clothes is an IPv4 address.
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Tcp(address) => Some(address.ip().to_canonical()),
            Self::Unix => None,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix => f.write_str("unix:"),
        }
    }
}

impl Socket {
    /// Whether it is TLS.
    pub(crate) const fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_) | Self::Served(_) | Self::ServedUnix(_))
    }

    /// What has arrived and was not read, without taking it; 0 at the end. Of a bare socket: what TLS has decrypted
    /// nobody has to look at twice.
    pub(crate) async fn peek(&self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.peek(bytes).await,
            Self::Unix(socket) => {
                let peek = || Ok(recv(socket, &mut *bytes, RecvFlags::PEEK)?.0);
                socket.async_io(Interest::READABLE, peek).await
            }
            Self::Tls(_) | Self::Served(_) | Self::ServedUnix(_) => Err(io::ErrorKind::Unsupported.into()),
            #[cfg(any(test, fuzzing))]
            Self::Simulated(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Writes what a socket takes that was connected just now. Whether it is writable the runtime learns only in its next
    /// turn; this does not wait for that. 0 where it has to be waited for all the same.
    pub(crate) fn write_new(&self, bytes: &[u8]) -> io::Result<usize> {
        let Self::Plain(socket) = self else { return Ok(0) };
        match send(socket, bytes, SendFlags::NOSIGNAL) {
            Err(Errno::AGAIN) => Ok(0),
            sent => Ok(sent?),
        }
    }

    /// Whether bytes that a write took may still sit in our own memory until a flush.
    pub(crate) fn buffers_writes(&self) -> bool {
        #[cfg(any(test, fuzzing))]
        if let Self::Simulated(wire) = self {
            return wire.buffers_writes();
        }
        self.is_tls()
    }

    /// Tells how soon its peer takes what it is sent, and so how much of it the kernel should hold.
    pub(crate) fn set_prompt(&self, prompt: bool) {
        let socket = match self {
            Self::Plain(socket) => socket,
            Self::Tls(socket) => socket.get_ref().0,
            Self::Served(socket) => socket.get_ref(),
            Self::Unix(_) | Self::ServedUnix(_) => return,
            #[cfg(any(test, fuzzing))]
            Self::Simulated(_) => return,
        };
        note(socket2::SockRef::from(socket).set_tcp_notsent_lowat(unsent_bytes_max(prompt)));
    }

    /// How many bytes the kernel takes from us now at the least; 0 where it promises none. `prompt`: what it was
    /// [told](Self::set_prompt) last.
    pub(crate) fn takes_surely(&self, prompt: bool) -> usize {
        let unsent_bytes_max = unsent_bytes_max(prompt) as usize;
        match self {
            Self::Plain(socket) => room_in(socket, unsent_bytes_max),
            Self::Tls(socket) => room_in(socket.get_ref().0, unsent_bytes_max),
            Self::Served(socket) => room_in(socket.get_ref(), unsent_bytes_max),
            Self::Unix(socket) => room_in(socket, usize::MAX),
            Self::ServedUnix(socket) => room_in(socket.get_ref(), usize::MAX),
            #[cfg(any(test, fuzzing))]
            Self::Simulated(wire) => wire.takes_surely(),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            Self::Tls(socket) => Pin::new(socket).poll_read(cx, buf),
            Self::Unix(socket) => Pin::new(socket).poll_read(cx, buf),
            Self::Served(socket) => Pin::new(socket).poll_read(cx, buf),
            Self::ServedUnix(socket) => Pin::new(socket).poll_read(cx, buf),
            #[cfg(any(test, fuzzing))]
            Self::Simulated(wire) => wire.poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Self::Tls(socket) => Pin::new(socket).poll_write(cx, bytes),
            Self::Unix(socket) => Pin::new(socket).poll_write(cx, bytes),
            Self::Served(socket) => Pin::new(socket).poll_write(cx, bytes),
            Self::ServedUnix(socket) => Pin::new(socket).poll_write(cx, bytes),
            #[cfg(any(test, fuzzing))]
            Self::Simulated(wire) => wire.poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
            Self::Tls(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
            Self::Unix(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
            Self::Served(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
            Self::ServedUnix(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
            #[cfg(any(test, fuzzing))]
            Self::Simulated(wire) => wire.poll_write(cx, slices.first().map_or(&[], |slice| slice)),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Self::Tls(socket) => Pin::new(socket).poll_flush(cx),
            Self::Unix(socket) => Pin::new(socket).poll_flush(cx),
            Self::Served(socket) => Pin::new(socket).poll_flush(cx),
            Self::ServedUnix(socket) => Pin::new(socket).poll_flush(cx),
            #[cfg(any(test, fuzzing))]
            Self::Simulated(wire) => wire.poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Tls(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Unix(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Served(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::ServedUnix(socket) => Pin::new(socket).poll_shutdown(cx),
            #[cfg(any(test, fuzzing))]
            Self::Simulated(wire) => wire.poll_shutdown(cx),
        }
    }
}

/// Bytes that the kernel takes before the network does. Without a mark megabytes wait there: a slow peer would look
/// stalled between two gulps, and our pings would queue behind them for longer than their time-out.
const UNSENT_BYTES_MAX: u32 = 256 << 10;

/// The same for a peer that takes them at once: a whole read goes in one write, and nothing of it has to be kept.
const UNSENT_BYTES_MAX_PROMPT: u32 = 2 << 20;

const fn unsent_bytes_max(prompt: bool) -> u32 {
    if prompt { UNSENT_BYTES_MAX_PROMPT } else { UNSENT_BYTES_MAX }
}

/// Bytes that a socket takes for certain: one that calls itself writable has a third of its buffer free, and less than
/// half of the mark unsent. A little less than the third leaves the kernel something for its own bookkeeping.
fn room_in(socket: &impl AsFd, unsent_bytes_max: usize) -> usize {
    let mut asked = [PollFd::new(socket, PollFlags::OUT)];
    let is_writable =
        poll(&mut asked, Some(&Timespec::default())).is_ok() && asked[0].revents() == PollFlags::OUT;
    let buffer = sockopt::socket_send_buffer_size(socket).ok().filter(|_| is_writable);
    buffer.map_or(0, |bytes| (bytes / 16 * 5).min(unsent_bytes_max / 2))
}

/// Sets what every TCP socket of the gateway has: no delay for small writes, and probes that find a vanished peer.
///
/// What a listening socket has, those that it accepts are born with. A socket that takes the options no longer is broken
/// already; whoever reads it next will be told.
pub(crate) fn tune(socket: &impl AsFd) {
    const PROBES: socket2::TcpKeepalive = socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15));
    let options = socket2::SockRef::from(socket);
    note(options.set_tcp_nodelay(true));
    note(options.set_tcp_keepalive(&PROBES));
    note(options.set_tcp_notsent_lowat(UNSENT_BYTES_MAX));
}

fn note(set: io::Result<()>) {
    if let Err(error) = set {
        tracing::debug!(%error, "socket option refused");
    }
}
