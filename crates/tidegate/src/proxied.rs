//! Behind a proxy that announces its clients: on a listener with `proxy_protocol`, a trusted peer's connection begins with
//! a PROXY header, before TLS and before HTTP.
//!
//! Nobody else's does. What others send is what they say themselves, and a PROXY header among it is no HTTP.

use std::io;

use tokio::io::AsyncReadExt as _;

use crate::clock::timeout;
use crate::io::{Peer, Socket};
use crate::listener::Accepted;
use crate::proxy_header::{HEADER_BYTES_MAX, Malformed, ProxyInfo, Scan, scan};

/// The evidence that it is known whose connection this is. Only [`accept`] makes one.
#[derive(Debug)]
pub(crate) struct Announced {
    /// What it was made of, without the socket.
    pub(crate) accepted: Accepted,
    /// The socket; what is read from it is the client's.
    pub(crate) socket: Socket,
}

/// Why it is not known. The proxy's fault.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unannounced {
    /// It does not speak the PROXY protocol, or not well.
    #[error("{0}, a trusted proxy, announces no client: {1}")]
    Malformed(Peer, Malformed),
    /// The connection ended or broke first, as those do that only look whether we are there.
    #[error("the connection ended before its PROXY header did: {0}")]
    Ended(#[from] io::Error),
    /// The header was not there within `head_timeout`.
    #[error("the PROXY header did not come in time")]
    Overdue,
}

/// Reads the header where there has to be one.
pub(crate) async fn accept(mut accepted: Accepted) -> Result<Announced, Unannounced> {
    let mut socket = accepted.take_socket()?;
    let listener = accepted.listener();
    let peer = accepted.arrival().client;
    if listener.proxy_protocol && listener.trusted_proxies.trust(peer.ip()) {
        let header = timeout(listener.head_timeout, read(&mut socket, peer)).await;
        accepted.announce(header.unwrap_or(Err(Unannounced::Overdue))?);
    }
    Ok(Announced { accepted, socket })
}

/// Takes the header from the socket, and not a byte more.
async fn read(socket: &mut Socket, proxy: Peer) -> Result<ProxyInfo, Unannounced> {
    let mut bytes = vec![0; HEADER_BYTES_MAX];
    let mut taken = 0;
    loop {
        let seen = taken + socket.peek(&mut bytes[taken..]).await?;
        if seen == taken {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let scanned = scan(&bytes[..seen]).map_err(|error| Unannounced::Malformed(proxy, error))?;
        let end = match scanned {
            Scan::More => seen,
            Scan::Whole(end, _) => end,
        };
        socket.read_exact(&mut bytes[taken..end]).await?;
        taken = end;
        if let Scan::Whole(_, told) = scanned {
            return Ok(told);
        }
    }
}
