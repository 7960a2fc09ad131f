//! What a look-up answers: where a client is to be connected.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::config::{Authority, Backend, TargetPattern};

/// Bytes of a socket's path, less the byte that ends it.
const UNIX_PATH_BYTES_MAX: usize = 107;

/// Bytes of a host name.
const HOST_BYTES_MAX: usize = 253;

/// A place that can be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// Over TCP.
    Tcp(Authority),
    /// Through a Unix socket.
    Unix(PathBuf),
}

impl Target {
    /// Reads `host:port` or `unix_socket:/path`, as the sources write it. `None` where it is no place.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        match text.strip_prefix("unix_socket:") {
            Some(path) => Self::unix(path),
            None => text.rsplit_once(':').and_then(|(host, port)| Self::of(host, port)),
        }
    }

    /// Host and port that stand apart. An IPv6 address may have brackets.
    pub(super) fn of(host: &str, port: &str) -> Option<Self> {
        if host == "unix_socket" {
            return Self::unix(port);
        }
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let is_name = (1..=HOST_BYTES_MAX).contains(&bare.len())
            && bare.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:%".contains(&b));
        let is_port = port.bytes().all(|b| b.is_ascii_digit());
        let port = port.parse().ok().filter(|port| is_port && *port > 0)?;
        is_name.then(|| Self::Tcp(Authority { host: bare.to_owned(), port }))
    }

    fn unix(path: &str) -> Option<Self> {
        let legal = path.starts_with('/') && path.len() <= UNIX_PATH_BYTES_MAX && !path.contains('\0');
        legal.then(|| Self::Unix(path.into()))
    }

    /// As a backend.
    pub(super) fn into_backend(self, tls: bool) -> Backend {
        match self {
            Self::Tcp(authority) if tls => Backend::Tls(authority),
            Self::Tcp(authority) => Backend::Tcp(authority),
            Self::Unix(path) => Backend::Unix(path),
        }
    }
}

/// Whether a Unix socket is among what may be connected to. The path has no links in it.
pub(super) fn unix_is_allowed(patterns: &[TargetPattern], path: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    patterns.iter().any(|pattern| match pattern {
        TargetPattern::Tcp { .. } => false,
        TargetPattern::Unix(allowed) => real(allowed) == path,
        TargetPattern::UnixBelow(folder) => path.starts_with(real(folder)),
    })
}

/// Whether an address is among what may be connected to; an IPv4 address in IPv6 clothes is an IPv4 address.
pub(super) fn address_is_allowed(patterns: &[TargetPattern], address: SocketAddr) -> bool {
    patterns.iter().any(|pattern| match pattern {
        TargetPattern::Tcp { net, ports } => {
            net.contains(&address.ip().to_canonical()) && ports.contains(&address.port())
        }
        TargetPattern::Unix(_) | TargetPattern::UnixBelow(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let tcp = |host: &str, port| Some(Target::Tcp(Authority { host: host.to_owned(), port }));
        for (text, target) in [
            ("vnc:5900", tcp("vnc", 5900)),
            (" 127.0.0.1:1\r\n", tcp("127.0.0.1", 1)),
            ("::1:5900", tcp("::1", 5900)),
            ("[::1]:5900", tcp("::1", 5900)),
            ("unix_socket:/run/a:b", Some(Target::Unix("/run/a:b".into()))),
        ] {
            assert_eq!(Target::parse(text), target, "{text}");
        }
        for text in [
            "",
            "vnc",
            "vnc:",
            ":1",
            "vnc:0",
            "vnc:65536",
            "vnc:+1",
            "vnc:-1",
            "vnc: 1",
            "a b:1",
            "a/b:1",
            "a\nb:1",
            "me@vnc:1",
            "unix_socket:",
            "unix_socket:a",
            "unix_socket:/a\0b",
        ] {
            assert_eq!(Target::parse(text), None, "{text}");
        }
        assert_eq!(Target::parse(&format!("unix_socket:/{}", "a".repeat(107))), None);
        assert_eq!(Target::parse(&format!("{}:1", "a".repeat(254))), None);
    }

    #[test]
    fn t232_addresses_are_judged_as_they_are_connected() {
        let allowed = [TargetPattern::Tcp { net: "10.0.0.0/8".parse().unwrap(), ports: 5900..=5999 }];
        for (address, expected) in [
            ("10.1.2.3:5900", true),
            ("[::ffff:10.1.2.3]:5999", true),
            ("10.1.2.3:22", false),
            ("127.0.0.1:5900", false),
            ("[::ffff:127.0.0.1]:5900", false),
            ("169.254.169.254:5900", false),
            ("[::1]:5900", false),
        ] {
            assert_eq!(address_is_allowed(&allowed, address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn sockets_below_a_folder_are_below_it_by_whole_names() {
        let allowed = [TargetPattern::UnixBelow("/run/vnc".into()), TargetPattern::Unix("/run/one".into())];
        for (path, expected) in [
            ("/run/vnc/a", true),
            ("/run/vnc/a/b", true),
            ("/run/vnc2/a", false),
            ("/run/one", true),
            ("/run/two", false),
        ] {
            assert_eq!(unix_is_allowed(&allowed, Path::new(path)), expected, "{path}");
        }
    }
}
