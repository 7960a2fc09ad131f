//! Routes that lead back to where the gateway itself listens.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use super::report::Report;
use super::{listener, route};
use crate::config::diagnostic::quoted;
use crate::config::{Admin, Authority, Backend, ListenAddress};

/// Backends that are a listener of this gateway, or its admin listener.
pub(super) fn check(
    report: &mut Report<'_>,
    listeners: &[listener::Draft],
    admin: Option<&Admin>,
    routes: &[route::Draft],
) {
    let addresses: Vec<_> =
        listeners.iter().filter_map(|draft| Some(&draft.listener.as_ref()?.address)).collect();
    for draft in routes {
        let Some(route) = &draft.route else { continue };
        for backend in &route.backends {
            let told = format!("route {}: backend {backend}", quoted(&route.name));
            if admin.is_some_and(|admin| is_at(backend, &admin.listener.address)) {
                let message = format!(
                    "{told} is this gateway's own admin listener: who may use the route could close every connection"
                );
                let remedy = "leave the route out; the admin listener has its own TLS and token for who comes from afar";
                report.error(&draft.backend, message, remedy.to_owned());
            } else if addresses.iter().any(|address| is_at(backend, address)) {
                lead_back(report, draft, backend, told);
            }
        }
    }
}

/// With a path of its own it may be another route that it leads to.
fn lead_back(report: &mut Report<'_>, draft: &route::Draft, backend: &Backend, told: String) {
    let message = format!("{told} is this gateway's own listener");
    if matches!(backend, Backend::WebSocket(target) | Backend::Http(target) if target.base.is_some()) {
        let remedy = "name the backend of the route that is meant: this way each connection counts twice";
        report.warning(&draft.backend, message, remedy.to_owned());
    } else {
        let message = format!("{message}, and every connection would come back to it");
        report.error(&draft.backend, message, "name the service that is meant".to_owned());
    }
}

/// Whether whoever connects this backend comes to this address.
fn is_at(backend: &Backend, listens: &ListenAddress) -> bool {
    match (place(backend), listens) {
        (Some(Place::Tcp(authority)), ListenAddress::Tcp(address)) => {
            authority.port == address.port() && hosts(authority).iter().any(|ip| comes_to(*ip, address.ip()))
        }
        (Some(Place::Unix(path)), ListenAddress::Unix(own)) => path == own,
        _ => false,
    }
}

enum Place<'a> {
    Tcp(&'a Authority),
    Unix(&'a Path),
}

fn place(backend: &Backend) -> Option<Place<'_>> {
    match backend {
        Backend::Tcp(authority) | Backend::Tls(authority) => Some(Place::Tcp(authority)),
        Backend::WebSocket(target) | Backend::Http(target) => Some(Place::Tcp(&target.authority)),
        Backend::Unix(path) | Backend::Handoff(path) => Some(Place::Unix(path)),
        Backend::File(_) | Backend::Echo | Backend::Lookup(_) => None,
        Backend::Replay(_) | Backend::Builtin => None,
    }
}

/// The addresses of a host, where it needs no resolver to know them.
fn hosts(authority: &Authority) -> Vec<IpAddr> {
    if authority.host.eq_ignore_ascii_case("localhost") {
        return vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    }
    authority.host.parse().ok().map(|ip: IpAddr| ip.to_canonical()).into_iter().collect()
}

/// Whoever listens on all addresses has those of loopback, and whoever connects to "all" is taken to loopback; IPv4 and
/// IPv6 are apart.
fn comes_to(asked: IpAddr, listens: IpAddr) -> bool {
    let is_own = |ip: IpAddr| ip.is_loopback() || ip.is_unspecified();
    let listens = listens.to_canonical();
    let is_all =
        (is_own(asked) && listens.is_unspecified()) || (asked.is_unspecified() && listens.is_loopback());
    asked == listens || (is_all && asked.is_ipv4() == listens.is_ipv4())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_to_call_oneself() {
        for (asked, listens, expected) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "0.0.0.0", true),
            ("127.0.0.1", "::", false),
            ("::1", "::", true),
            ("::1", "0.0.0.0", false),
            ("localhost", "127.0.0.1", true),
            ("localhost", "::1", true),
            ("localhost", "::", true),
            ("0.0.0.0", "127.0.0.1", true),
            ("192.0.2.1", "192.0.2.1", true),
            ("::ffff:127.0.0.1", "127.0.0.1", true),
            ("127.0.0.2", "127.0.0.1", false),
            ("192.0.2.1", "127.0.0.1", false),
            ("192.0.2.1", "0.0.0.0", false),
        ] {
            let authority = Authority { host: asked.to_owned(), port: 80 };
            let own = listens.parse().unwrap();
            let comes_to_own = hosts(&authority).into_iter().any(|ip| comes_to(ip, own));
            assert_eq!(comes_to_own, expected, "{asked} {listens}");
        }
    }
}
