//! Sockets that a listener binds or is given by inetd, and why it cannot listen on one. Unix sockets have a file of their own.

use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use socket2::{Domain, Protocol, Type};

use super::BACKLOG;
use super::unix::UnixError;
use crate::io::tune;

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

/// An IPv6 address takes IPv6 only, so that `0.0.0.0` and `[::]` can stand side by side.
pub(super) fn listen_tcp(address: SocketAddr) -> io::Result<socket2::Socket> {
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
pub(super) fn standard_input(descriptor: BorrowedFd<'_>) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::from(descriptor.try_clone_to_owned()?);
    if !socket.is_listener()? {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it does not listen"));
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}
