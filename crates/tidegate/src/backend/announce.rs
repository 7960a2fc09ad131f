//! `send_proxy`: a backend is told who its client is, before anything else.

use std::net::SocketAddr;

use crate::config::Route;
use crate::io::Peer;
use crate::proxy_header::{Announcement, TlsTold};
use crate::request::Request;

/// What is said first on a connection for this request: a PROXY header, or nothing.
pub(super) fn greeting(route: &Route, request: &Request) -> Vec<u8> {
    let Some(version) = route.send_proxy else { return Vec::new() };
    let arrival = &request.arrival;
    // A proxy's own certificate says nothing about those whom it names.
    let tls = arrival.tls.as_deref().filter(|_| request.via.client == arrival.client.ip());
    let announcement = Announcement {
        client: client(request),
        local: arrival.local,
        authority: if route.host_is_token() { "" } else { &request.host },
        path: &request.path,
        tls: request.via.secure.then(|| TlsTold {
            version: tls.map(|tls| tls.version),
            certified: tls.is_some_and(|tls| tls.certified),
            common_name: tls.and_then(|tls| tls.common_name.as_deref()),
        }),
    };
    announcement.encode(version)
}

/// A client that a proxy names in `X-Forwarded-For` has an address there, but no port.
fn client(request: &Request) -> Option<SocketAddr> {
    let ip = request.via.client?;
    match request.arrival.client {
        Peer::Tcp(address) if address.ip().to_canonical() == ip => Some(address),
        Peer::Tcp(_) | Peer::Unix => Some(SocketAddr::new(ip, 0)),
    }
}
