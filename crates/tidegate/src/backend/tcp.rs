//! A TCP connection to a backend: all addresses of its name, one time budget.

use std::io;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::ConnectError;
use crate::config::Authority;
use crate::io::{Socket, tune};

/// Connects to the first address that takes the connection.
pub(super) async fn connect(authority: &Authority, budget: Duration) -> Result<Socket, ConnectError> {
    match timeout(budget, attempts(authority)).await {
        Ok(Ok(socket)) => {
            tune(&socket);
            Ok(Socket::Plain(socket))
        }
        Ok(Err(error)) if is_exhaustion(&error) => Err(ConnectError::Exhausted(error)),
        Ok(Err(error)) => Err(ConnectError::Unreachable(error)),
        Err(_elapsed) => Err(ConnectError::ConnectTimeout),
    }
}

/// Tries the addresses in the order of the resolver. The name is resolved anew for each connection, off this thread.
async fn attempts(authority: &Authority) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in lookup_host((authority.host.as_str(), authority.port)).await? {
        match TcpStream::connect(address).await {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Whether it was us who had no descriptor, port or memory left.
fn is_exhaustion(error: &io::Error) -> bool {
    const EMFILE: i32 = 24;
    const ENFILE: i32 = 23;
    const ENOBUFS: i32 = 105;
    const EADDRNOTAVAIL: i32 = 99;
    error.kind() == io::ErrorKind::OutOfMemory
        || matches!(error.raw_os_error(), Some(EMFILE | ENFILE | ENOBUFS | EADDRNOTAVAIL))
}
