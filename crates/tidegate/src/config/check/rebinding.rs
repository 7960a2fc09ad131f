//! Listeners that a page from elsewhere could reach under a name of its own.
//!
//! Whoever owns a DNS name can point it at an address that only the visitor's browser can reach, such as 127.0.0.1. For
//! the browser the page is then of the same origin as the gateway, and the gateway's default, same origin, agrees. It
//! takes a name that the operator wrote down, of a host or of an origin, to tell the two apart.

use std::net::{IpAddr, Ipv6Addr};

use super::backend::takes_upgrades;
use super::report::{Report, Spot};
use super::{listener, route};
use crate::config::diagnostic::quoted;
use crate::config::{ListenAddress, Listener, ListenerTls, OriginPolicy, Route};

/// Warns about listeners of the file; `default` is there if there are none, and nobody has asked for any.
pub(super) fn warn(
    report: &mut Report<'_>,
    listeners: &[listener::Draft],
    routes: &[route::Draft],
    default: bool,
) {
    let open = routes.iter().find_map(|draft| {
        let route = draft.route.as_ref().filter(|route| takes_any_name(route))?;
        Some((route, &draft.spot))
    });
    let Some((route, route_spot)) = open else { return };
    for draft in listeners {
        let Some(listener) = draft.listener.as_ref().filter(|listener| is_exposed(listener)) else {
            continue;
        };
        let spot = if default { route_spot } else { &draft.spot };
        if !matches!(spot, Spot::Offset(_)) {
            continue; // said by a flag: whoever tries something out is left in peace
        }
        let message = format!(
            "listener {} serves any Host, and route {} its pages: a site whose DNS name is pointed at this address \
             (DNS rebinding) counts as one of them",
            quoted(&listener.address.to_string()),
            quoted(&route.name),
        );
        let remedy = if default {
            "name the pages that may connect, origins = [\"http://localhost:8080\"], or the host"
        } else {
            "name the hosts it is called by, server_names = [\"localhost\", \"127.0.0.1\"], or set origins or host on \
             the route"
        };
        report.warning(spot, message, remedy.to_owned());
    }
}

/// Does it open WebSockets for a page of any name, as long as it came from that name?
fn takes_any_name(route: &Route) -> bool {
    let by_any_name = route.host.is_none() && matches!(route.origins, OriginPolicy::SameOrigin);
    by_any_name && route.backends.iter().any(takes_upgrades)
}

/// Over TLS the certificate tells a foreign name apart, and a Unix socket is not reached by a browser.
fn is_exposed(listener: &Listener) -> bool {
    let ListenAddress::Tcp(address) = listener.address else { return false };
    let is_plain = !matches!(listener.tls, ListenerTls::Required(_));
    listener.server_names.is_none() && is_plain && is_private(address.ip())
}

/// Addresses that a site cannot reach itself, but the browsers of its visitors can. All addresses at once are among
/// them.
fn is_private(address: IpAddr) -> bool {
    const SHARED: [u8; 2] = [100, 64]; // /10, between providers and their customers (RFC 6598)
    const SITE_LOCAL: u16 = 0xfec0; // /10, deprecated (RFC 3879), and still in use
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            let is_shared = first == SHARED[0] && second & 0xc0 == SHARED[1];
            v4.is_unspecified() || v4.is_loopback() || v4.is_private() || v4.is_link_local() || is_shared
        }
        IpAddr::V6(v6) => {
            let is_site_local = v6.segments()[0] & 0xffc0 == SITE_LOCAL;
            let is_own = v6.is_unique_local() || v6.is_unicast_link_local() || is_site_local;
            v6 == Ipv6Addr::UNSPECIFIED || v6.is_loopback() || is_own
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses() {
        for (address, private) in [
            ("0.0.0.0", true),
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("172.16.0.1", true),
            ("192.168.1.1", true),
            ("169.254.0.1", true),
            ("100.64.0.1", true),
            ("100.128.0.1", false),
            ("192.0.2.1", false),
            ("8.8.8.8", false),
            ("::", true),
            ("::1", true),
            ("fd00::1", true),
            ("fe80::1", true),
            ("fec0::1", true),
            ("::ffff:10.0.0.1", true),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_private(address.parse().unwrap()), private, "{address}");
        }
    }
}
