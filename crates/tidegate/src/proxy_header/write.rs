//! What a backend is told about its client.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::v2;
use crate::config::ProxyVersion;

/// Type of the field that has the path of the request: one of those that the specification leaves to applications.
const PATH: u8 = 0xe0;

/// Bytes of a path that is announced. A longer one is left out: cut short it would be another path.
const PATH_BYTES_MAX: usize = 1024;

/// Bytes of a name that is announced.
const NAME_BYTES_MAX: usize = 255;

/// What is known about a client, for a header of its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Announcement<'a> {
    /// Its address; `None`: it has none, as behind a Unix socket.
    pub(crate) client: Option<SocketAddr>,
    /// Where it has connected to.
    pub(crate) local: Option<SocketAddr>,
    /// The host that it has asked for.
    pub(crate) authority: &'a str,
    /// The path that it has asked for.
    pub(crate) path: &'a str,
    /// `None`: it speaks no TLS.
    pub(crate) tls: Option<TlsTold<'a>>,
}

/// About the TLS of a client.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TlsTold<'a> {
    /// As `TLSv1.3`, where the gateway itself speaks it.
    pub(crate) version: Option<&'a str>,
    /// Whether it has shown a certificate, which was verified then.
    pub(crate) certified: bool,
    /// The common name in that.
    pub(crate) common_name: Option<&'a str>,
}

impl Announcement<'_> {
    /// The header.
    pub(crate) fn encode(&self, version: ProxyVersion) -> Vec<u8> {
        match version {
            ProxyVersion::V1 => self.line().into_bytes(),
            ProxyVersion::V2 => self.binary(),
        }
    }

    fn line(&self) -> String {
        let Some((client, local)) = self.addresses() else { return "PROXY UNKNOWN\r\n".to_owned() };
        let family = if client.is_ipv4() { "TCP4" } else { "TCP6" };
        format!("PROXY {family} {} {} {} {}\r\n", client.ip(), local.ip(), client.port(), local.port())
    }

    fn binary(&self) -> Vec<u8> {
        let (family, mut rest) = match self.addresses() {
            None => (v2::UNSPECIFIED, Vec::new()),
            Some((client, local)) => {
                let family = if client.is_ipv4() { v2::TCP_IPV4 } else { v2::TCP_IPV6 };
                let ports = [client.port().to_be_bytes(), local.port().to_be_bytes()].concat();
                (family, [octets(client.ip()), octets(local.ip()), ports].concat())
            }
        };
        for (kind, value, max) in
            [(v2::AUTHORITY, self.authority, NAME_BYTES_MAX), (PATH, self.path, PATH_BYTES_MAX)]
        {
            if (1..=max).contains(&value.len()) {
                push(&mut rest, kind, value.as_bytes());
            }
        }
        if let Some(tls) = &self.tls {
            push(&mut rest, v2::SSL, &tls.encode());
        }
        let length = u16::try_from(rest.len()).expect("all that is in it is bounded, far below 64 KiB");
        [v2::SIGNATURE, &[v2::PROXY, family], &length.to_be_bytes(), &rest].concat()
    }

    /// Both addresses in one family. Where only the client's is known, the other is the one that means none.
    fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        let canonical = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
        let client = canonical(self.client?);
        let none: IpAddr =
            if client.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let local = self.local.map_or(SocketAddr::new(none, 0), canonical);
        if client.is_ipv4() == local.is_ipv4() {
            return Some((client, local));
        }
        let wide = |address: SocketAddr| match address.ip() {
            IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
            IpAddr::V6(_) => address,
        };
        Some((wide(client), wide(local)))
    }
}

impl TlsTold<'_> {
    fn encode(&self) -> Vec<u8> {
        let certified = if self.certified { v2::CLIENT_CERT_CONNECTION } else { 0 };
        let unverified: u32 = if self.certified { 0 } else { 1 };
        let mut bytes = vec![v2::CLIENT_SSL | certified];
        bytes.extend(unverified.to_be_bytes());
        for (kind, value) in [(v2::SSL_VERSION, self.version), (v2::SSL_COMMON_NAME, self.common_name)] {
            if let Some(value) = value.filter(|value| (1..=NAME_BYTES_MAX).contains(&value.len())) {
                push(&mut bytes, kind, value.as_bytes());
            }
        }
        bytes
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn push(bytes: &mut Vec<u8>, kind: u8, value: &[u8]) {
    let length = u16::try_from(value.len()).expect("whatever is pushed is bounded, far below 64 KiB");
    bytes.push(kind);
    bytes.extend(length.to_be_bytes());
    bytes.extend(value);
}
