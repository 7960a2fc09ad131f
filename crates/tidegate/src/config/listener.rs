//! `[[listener]]`: where connections come in.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::ClientCertificates;
use crate::certificate::KeyPassword;

/// One `[[listener]]`.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Where it listens.
    pub address: ListenAddress,
    /// Permissions of the socket's file, for [`ListenAddress::Unix`]. Default 0660.
    pub socket_mode: u32,
    /// What it does about TLS.
    pub tls: ListenerTls,
    /// The lowest version of TLS. Default 1.2.
    pub tls_version_min: TlsVersion,
    /// Connections over TLS 1.3 move to the new process of a hand-over, and cipher suites that can do so are preferred.
    /// Default false.
    pub tls_hand_over: bool,
    /// The certificates that clients may or must show; `None`, the default: they are not asked.
    pub client_certificates: Option<ClientCertificates>,
    /// Who may set `X-Forwarded-*` or a PROXY header.
    pub trusted_proxies: TrustedProxies,
    /// Expect a PROXY header from trusted sources.
    pub proxy_protocol: bool,
    /// Accept a `Sec-WebSocket-Key` that does not decode to 16 bytes.
    pub lenient_key: bool,
    /// Host values served, lower-case, without a port; others get 421. `None`: any.
    pub server_names: Option<Vec<String>>,
    /// Absolute time for a complete request head. Default 10 s.
    pub head_timeout: Duration,
    /// Absolute time for the TLS handshake. Default 10 s.
    pub tls_timeout: Duration,
}

/// Where a listener listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// An IP address and a port; port 0 lets the system choose.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
    /// A Unix socket under this name of Linux's abstract namespace: no file, and so no permissions.
    Abstract(String),
    /// The sockets of this name that the process was started with, as systemd opens them.
    Systemd(String),
    /// The listening socket that is standard input, as inetd gives it; cannot be written in a file.
    Stdin,
}

/// Whose word about the client counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    /// Peers over TCP.
    pub networks: Vec<IpNet>,
    /// `"unix:"`: whoever is let in by a Unix socket.
    pub unix: bool,
}

/// What a listener does about TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenerTls {
    /// Plain `ws://` and `http://`.
    Off,
    /// TLS only; the certificate is chosen by SNI, the first is the default. Never empty.
    Required(Vec<CertificateFiles>),
    /// Plain and TLS on one port, told apart by the first byte.
    Auto(Vec<CertificateFiles>),
}

/// A PEM certificate chain and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain, leaf first.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
    /// What the key is encrypted with. Default: nothing.
    pub key_password: Option<KeyPassword>,
}

/// The lowest version of TLS that a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246) and 1.3.
    V1_2,
    /// TLS 1.3 (RFC 8446) only.
    V1_3,
}

impl TrustedProxies {
    /// Whether the word of this peer counts; one without an address has come through a Unix socket.
    pub fn trust(&self, peer: Option<IpAddr>) -> bool {
        peer.map_or(self.unix, |address| self.networks.iter().any(|network| network.contains(&address)))
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Abstract(name) => write!(f, "unix:@{name}"),
            Self::Systemd(name) => write!(f, "systemd:{name}"),
            Self::Stdin => f.write_str("(standard input)"),
        }
    }
}
