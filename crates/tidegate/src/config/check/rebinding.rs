//! Listeners that a page from elsewhere could reach under a name of its own.
//!
//! Whoever owns a DNS name can point it at an address that only the visitor's browser can reach, such as 127.0.0.1. For
//! the browser the page is then of the same origin as the gateway, and the gateway's default, same origin, agrees. It
//! takes a name that the operator wrote down, of a host or of an origin, to tell the two apart.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::backend::takes_upgrades;
use super::report::{Report, Spot};
use super::{listener, route};
use crate::config::diagnostic::quoted;
use crate::config::{ListenAddress, Listener, ListenerTls, OriginPolicy, Route};

/// Warns about listeners and routes that were asked for. `default`: nobody has asked for the listener that there is.
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
        let Some(address) = draft.listener.as_ref().and_then(exposed) else { continue };
        let spot = if default { route_spot } else { &draft.spot };
        let message = format!(
            "a web site whose DNS name points at listener {} may connect to route {} (DNS rebinding)",
            quoted(&address.to_string()),
            quoted(&route.name),
        );
        report.warning(spot, message, remedy(address, spot, default));
    }
}

/// What to write, and where.
fn remedy(address: SocketAddr, spot: &Spot, default: bool) -> String {
    let own = match address.ip() {
        ip if ip.is_loopback() => vec!["localhost".to_owned(), address_name(ip)],
        ip if ip.is_unspecified() => Vec::new(),
        ip => vec![address_name(ip)],
    };
    let port = address.port();
    let origins: Vec<_> = own.iter().map(|host| format!("http://{host}:{port}")).collect();
    match (spot, own.as_slice()) {
        (Spot::Flag(_), []) => "serve a file in which the listener has server_names, or the route origins".to_owned(),
        (Spot::Flag(_), _) => format!("serve a file in which the route has origins = {origins:?}"),
        (Spot::Offset(_), []) => "add this machine's names and addresses to the listener, as in \
                                  server_names = [\"gateway.example.com\", \"192.168.1.5\"], or origins to the route"
            .to_owned(),
        (Spot::Offset(_), _) if default => format!("add origins = {origins:?} to the route"),
        (Spot::Offset(_), own) if address.ip().is_loopback() => {
            format!("add server_names = {own:?} to the listener, or origins to the route")
        }
        (Spot::Offset(_), own) => {
            format!("add server_names = {own:?} and this machine's names to the listener, or origins to the route")
        }
    }
}

/// As it stands in a URL.
fn address_name(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// Does it open WebSockets for a page of any name, as long as it came from that name?
fn takes_any_name(route: &Route) -> bool {
    let by_any_name = route.host.is_none() && matches!(route.origins, OriginPolicy::SameOrigin);
    by_any_name && route.backends.iter().any(takes_upgrades)
}

/// The address of one that can be reached so. Over TLS the certificate tells a foreign name apart, and a Unix socket is
/// not reached by a browser.
fn exposed(listener: &Listener) -> Option<SocketAddr> {
    let ListenAddress::Tcp(address) = listener.address else { return None };
    let is_plain = !matches!(listener.tls, ListenerTls::Required(_));
    (listener.server_names.is_none() && is_plain && is_private(address.ip())).then_some(address)
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
