//! Who the client really is, where a proxy in front of us that we trust says so.

use std::net::{IpAddr, SocketAddr};

use http::header::{HeaderMap, HeaderValue};
use tidegate_proto::handshake::Authority;

use crate::config::TrustedProxies;
use crate::io::Arrival;

/// What is known about the way of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via {
    /// The client's address: the peer's, or behind trusted proxies the right-most address that is not one of theirs.
    /// None behind a Unix socket where no trusted proxy names one.
    pub client: Option<IpAddr>,
    /// Whether the client's own connection is TLS.
    pub secure: bool,
    /// The authority that the client asked for, where a trusted proxy has replaced it.
    pub authority: Option<String>,
    /// Whether the peer is a trusted proxy.
    pub trusted: bool,
}

/// Reads the fields in which proxies speak, if the peer is one that may.
///
/// Of every list the right-most element counts, which the trusted peer itself has written; what stands further left
/// may be the client's own invention. Elements that cannot be read count as not written. Behind a PROXY header that names
/// nobody the whole request is the client's: what writes such a header passes on bytes, and reads no fields.
pub(crate) fn read(fields: &HeaderMap, arrival: &Arrival, trusted: &TrustedProxies) -> Via {
    let peer = arrival.client.ip();
    let direct = Via { client: peer, secure: arrival.secure, authority: None, trusted: false };
    if arrival.unnamed || !trusted.trust(peer) {
        return direct;
    }
    let addresses = elements(fields, "x-forwarded-for").into_iter().rev().map_while(address);
    let mut client = peer;
    for address in addresses {
        client = Some(address);
        if !trusted.trust(Some(address)) {
            break;
        }
    }
    let secure = match elements(fields, "x-forwarded-proto").last() {
        Some(&"https" | &"wss") => true,
        Some(&"http" | &"ws") => false,
        _ => direct.secure,
    };
    let host = elements(fields, "x-forwarded-host");
    let authority =
        host.last().filter(|host| Authority::parse(host.as_bytes()).is_ok()).map(|host| (*host).to_owned());
    Via { client, secure, authority, trusted: true }
}

/// The elements of a list field, over all its lines.
fn elements<'a>(fields: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    let lines = fields.get_all(name).iter().map(HeaderValue::to_str);
    lines.map(|line| line.unwrap_or("")).flat_map(|line| line.split(',')).map(str::trim).collect()
}

/// An address as proxies write it: bare, with a port, or IPv6 in brackets.
fn address(element: &str) -> Option<IpAddr> {
    let bare = element.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(element);
    let parsed = bare
        .parse::<IpAddr>()
        .ok()
        .or_else(|| element.parse::<SocketAddr>().ok().map(|address| address.ip()));
    parsed.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::Peer;

    fn via(peer: &str, fields: &[(&'static str, &'static str)]) -> Via {
        via_from(Peer::Tcp(SocketAddr::new(peer.parse().unwrap(), 1)), true, fields)
    }

    fn via_from(client: Peer, unix: bool, fields: &[(&'static str, &'static str)]) -> Via {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(*name, HeaderValue::from_static(value));
        }
        let networks = vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        let arrival = Arrival { client, unnamed: false, local: None, secure: false, tls: None };
        read(&map, &arrival, &TrustedProxies { networks, unix })
    }

    fn client(peer: &str, chain: &'static str) -> String {
        via(peer, &[("x-forwarded-for", chain)]).client.unwrap().to_string()
    }

    #[test]
    fn t082_t083_the_right_most_untrusted_address_is_the_client() {
        assert_eq!(client("192.0.2.1", "127.0.0.1"), "192.0.2.1", "an untrusted peer speaks for itself only");
        assert_eq!(client("10.0.0.9", "1.2.3.4, 10.0.0.5"), "1.2.3.4");
        assert_eq!(client("10.0.0.9", "8.8.8.8, 1.2.3.4"), "1.2.3.4");
        assert_eq!(client("::1", "[2001:db8::1]:4711"), "2001:db8::1");
        assert_eq!(client("::ffff:10.0.0.9", "1.2.3.4:5"), "1.2.3.4");
        assert_eq!(client("10.0.0.9", "10.0.0.1, 10.0.0.2"), "10.0.0.1", "proxies all the way");
    }

    #[test]
    fn t084_what_cannot_be_read_is_not_used_half_parsed() {
        assert_eq!(client("10.0.0.9", "1.2.3.4, unknown"), "10.0.0.9");
        assert_eq!(client("10.0.0.9", "1.2.3.4, 10.0.0.5, "), "10.0.0.9");
        let odd = via("10.0.0.9", &[("x-forwarded-host", "a b"), ("x-forwarded-proto", "gopher")]);
        assert_eq!((odd.authority, odd.secure), (None, false));
    }

    #[test]
    fn t079_scheme_and_host_only_from_a_trusted_proxy() {
        let fields = [("x-forwarded-host", "evil.test, app.example.com"), ("x-forwarded-proto", "https")];
        let trusted = via("10.0.0.9", &fields);
        assert_eq!((trusted.authority.as_deref(), trusted.secure), (Some("app.example.com"), true));
        let untrusted = via("192.0.2.1", &fields);
        assert_eq!((untrusted.authority, untrusted.secure), (None, false));
    }

    #[test]
    fn a_peer_behind_a_unix_socket_has_no_address_but_what_it_may_say() {
        let fields = [("x-forwarded-for", "1.2.3.4, 10.0.0.5"), ("x-forwarded-proto", "https")];
        let trusted = via_from(Peer::Unix, true, &fields);
        assert_eq!((trusted.client, trusted.secure), (Some("1.2.3.4".parse().unwrap()), true));
        let silent = via_from(Peer::Unix, true, &[]);
        assert_eq!((silent.client, silent.trusted), (None, true));
        let untrusted = via_from(Peer::Unix, false, &fields);
        assert_eq!((untrusted.client, untrusted.secure, untrusted.trusted), (None, false, false));
    }
}
