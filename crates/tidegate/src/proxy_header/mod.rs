//! The PROXY protocol: a header in front of everything else on a connection, in which a proxy says who the client is.
//!
//! Both versions of its specification (HAProxy, "The PROXY protocol", versions 1 & 2), read strictly and without a socket:
//! [`scan`] is given what has arrived so far, [`Announcement::encode`] makes what is to be sent.

mod v1;
mod v2;
mod write;

use std::net::SocketAddr;

pub(crate) use self::write::{Announcement, TlsTold};

/// Bytes of the longest header that is read. Version 1 has 107 of its own (specification, 2.1); version 2 could have 64 KiB
/// of them, of which addresses and everything that is in use today need a few hundred.
pub(crate) const HEADER_BYTES_MAX: usize = v2::HEAD_BYTES + v2::REST_BYTES_MAX;

/// What a PROXY header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProxyInfo {
    /// The client's address, and the one that it has connected to; `None`: nothing is said about them, and the
    /// connection's own count.
    pub(crate) addresses: Option<(SocketAddr, SocketAddr)>,
    /// Whether the client speaks TLS with the proxy.
    pub(crate) secure: bool,
}

/// What the beginning of a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scan {
    /// The beginning of a header.
    More,
    /// A header, and how many bytes it has; what follows is the client's.
    Whole(usize, ProxyInfo),
}

/// Why it is none. The proxy's fault, or it is no proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// It begins with neither of the two signatures.
    #[error("there is no PROXY header")]
    Absent,
    /// 107 bytes, and no end of the line.
    #[error("the line of the PROXY header has no end")]
    Endless,
    /// Version 1: another form than `PROXY TCP4 ADDRESS ADDRESS PORT PORT`.
    #[error("the line of the PROXY header is not formed as it should be")]
    Line,
    /// Version 2: a version, a command, a family or a transport that there is not.
    #[error("the PROXY header begins with 0x{0:02x}{1:02x}, which means nothing")]
    Kind(u8, u8),
    /// Version 2: longer than the bound.
    #[error("the PROXY header says that {0} bytes follow; {max} at most are read", max = v2::REST_BYTES_MAX)]
    TooLong(u16),
    /// Version 2: the addresses do not fit into it, or one of its fields ends elsewhere than it does.
    #[error("the fields of the PROXY header do not add up to its length")]
    Length,
    /// Version 2: damaged on the way.
    #[error("the checksum of the PROXY header is wrong")]
    Checksum,
}

/// Looks at the beginning of a connection. However it arrives in pieces, the answer is the same.
pub(crate) fn scan(bytes: &[u8]) -> Result<Scan, Malformed> {
    if begins(bytes, v2::SIGNATURE) {
        v2::scan(bytes)
    } else if begins(bytes, v1::SIGNATURE) {
        v1::scan(bytes)
    } else {
        Err(Malformed::Absent)
    }
}

/// Whether these bytes are the beginning of a signature, or begin with it.
fn begins(bytes: &[u8], signature: &[u8]) -> bool {
    bytes.iter().zip(signature).all(|(byte, expected)| byte == expected)
}

#[cfg(test)]
mod tests;
