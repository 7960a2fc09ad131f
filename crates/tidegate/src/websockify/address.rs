//! Addresses as websockify writes them, and what they come to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};

use crate::config::Authority;

/// `[ADDR:]PORT`, to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listen {
    /// Name or IP address, without brackets; empty is every address.
    pub(super) host: String,
    /// 0 lets the system choose.
    pub(super) port: u16,
}

/// Reads `[ADDR:]PORT`: the port is what follows the last colon.
///
/// # Errors
/// What is wrong with it, for a usage error.
pub(super) fn listen(text: &str) -> Result<Listen, String> {
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let port = port.parse().map_err(|_| format!("{text:?} has no port to listen on: write [ADDR:]PORT"))?;
    Ok(Listen { host: without_brackets(host), port })
}

/// Reads `ADDR:PORT`: the port is what follows the last colon.
///
/// # Errors
/// What is wrong with it, for a usage error.
pub(super) fn target(text: &str) -> Result<Authority, String> {
    let wrong = |what: &str| format!("the target {text:?} has no {what}: write TARGET_ADDR:TARGET_PORT");
    let (host, port) = text.rsplit_once(':').ok_or_else(|| wrong("colon"))?;
    let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(|| wrong("port"))?;
    let host = without_brackets(host);
    if host.is_empty() { Err(wrong("address")) } else { Ok(Authority { host, port }) }
}

fn without_brackets(host: &str) -> String {
    host.trim_matches(['[', ']']).to_owned()
}

impl Listen {
    /// The addresses to listen on: of a name only the first one, IPv4 before IPv6 unless `prefer_ipv6`.
    ///
    /// Without a name that is every address of IPv4; with `prefer_ipv6` it is every address of both, as a system does
    /// it that lets a socket of IPv6 take IPv4 as well.
    ///
    /// # Errors
    /// The name does not resolve.
    pub(super) fn resolve(&self, prefer_ipv6: bool) -> io::Result<Vec<SocketAddr>> {
        let every = |address: IpAddr| SocketAddr::new(address, self.port);
        let (v4, v6) = (every(Ipv4Addr::UNSPECIFIED.into()), every(Ipv6Addr::UNSPECIFIED.into()));
        if self.host.is_empty() || (prefer_ipv6 && self.host == "::") {
            return Ok(match (prefer_ipv6, self.port) {
                (false, _) => vec![v4],
                (true, 0) => vec![v6], // two sockets would have two ports
                (true, _) => vec![v6, v4],
            });
        }
        let mut found: Vec<_> = (self.host.as_str(), self.port).to_socket_addrs()?.collect();
        found.sort_by_key(|address| address.is_ipv6() != prefer_ipv6);
        found.truncate(1);
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_follows_the_last_colon() {
        for (text, host, port) in [
            ("6080", "", 6080),
            (":6080", "", 6080),
            ("127.0.0.1:0", "127.0.0.1", 0),
            ("[::1]:80", "::1", 80),
            ("::1:80", "::1", 80),
            ("localhost:80", "localhost", 80),
        ] {
            assert_eq!(listen(text), Ok(Listen { host: host.to_owned(), port }), "{text}");
        }
        for text in ["", "http", "host:", "host:http", "65536", "-1", "[::1]"] {
            assert!(listen(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_target_has_an_address_and_a_port() {
        for (text, host) in [("h:1", "h"), ("[::1]:1", "::1"), ("::1:1", "::1")] {
            assert_eq!(target(text), Ok(Authority { host: host.to_owned(), port: 1 }), "{text}");
        }
        for text in ["", "h", "5900", "h:", "h:0", "h:x", ":5900", "h:65536"] {
            assert!(target(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_listened_on() {
        let resolve = |text: &str, prefer_ipv6| {
            let addresses = listen(text).unwrap().resolve(prefer_ipv6).unwrap();
            addresses.iter().map(SocketAddr::to_string).collect::<Vec<_>>()
        };
        assert_eq!(resolve("80", false), ["0.0.0.0:80"]);
        assert_eq!(resolve("80", true), ["[::]:80", "0.0.0.0:80"]);
        assert_eq!(resolve("[::]:80", false), ["[::]:80"]);
        assert_eq!(resolve("[::1]:80", false), ["[::1]:80"]);
        assert_eq!(resolve("127.0.0.1:80", true), ["127.0.0.1:80"]);
        assert_eq!(resolve("localhost:80", false), ["127.0.0.1:80"]);
        assert!(Listen { host: "no.such.name.invalid".to_owned(), port: 1 }.resolve(false).is_err());
    }
}
