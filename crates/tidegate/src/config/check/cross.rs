//! What tables have to do with each other.

use std::collections::{BTreeMap, BTreeSet};

use super::report::{Report, Spot};
use super::{listener, reach, route};
use crate::config::diagnostic::quoted;
use crate::config::{Admin, AuthKind, Backend, ListenAddress, Listener, ListenerTls, Route, TrustedProxies};

/// Two listeners, or a listener and the admin listener, at one address. `is_default`: nobody has asked for the listener
/// that there is.
pub(super) fn listeners(
    report: &mut Report<'_>,
    drafts: &[listener::Draft],
    is_default: bool,
    admin: Option<&(&Admin, Spot)>,
) {
    let mut seen: Vec<&ListenAddress> = Vec::new();
    for draft in drafts {
        let Some(address) = draft.listener.as_ref().map(|listener| &listener.address) else {
            continue;
        };
        let shown = quoted(&address.to_string());
        if let Some(other) = seen.iter().find(|other| overlap(other, address)) {
            let message = if *other == address {
                format!("listener {shown} stands twice")
            } else {
                format!(
                    "listener {shown} cannot listen beside {other}, which takes its port on all addresses or one of them"
                )
            };
            report.error(&draft.spot, message, "keep one, or give the other a port of its own".to_owned());
        }
        if let Some((admin, spot)) = admin.filter(|(admin, _)| overlap(&admin.listener.address, address)) {
            let remedy = "give one of them a port of its own".to_owned();
            if is_default {
                let own = &admin.listener.address;
                let message = format!(
                    "admin {} is where the gateway listens if there is no [[listener]]",
                    quoted(&own.to_string())
                );
                report.error(spot, message, remedy);
            } else {
                report.error(&draft.spot, format!("listener {shown} has the address of admin"), remedy);
            }
        }
        seen.push(address);
    }
}

/// Whether the system lets only one of two be listened on. IPv4 and IPv6 are apart, even where both take all addresses.
fn overlap(one: &ListenAddress, other: &ListenAddress) -> bool {
    let (ListenAddress::Tcp(a), ListenAddress::Tcp(b)) = (one, other) else { return one == other };
    let takes_all = a.ip().is_unspecified() || b.ip().is_unspecified();
    let alike = a.ip() == b.ip() || (takes_all && a.is_ipv4() == b.is_ipv4());
    alike && a.port() == b.port() && a.port() != 0 // which is another port each time
}

/// Passwords that anybody on the way can read. Behind a proxy the way to it may be TLS, and is not ours to judge.
pub(super) fn passwords(report: &mut Report<'_>, listeners: &[listener::Draft], routes: &[route::Draft]) {
    let asks = |route: &&Route| matches!(&route.auth, Some(auth) if matches!(auth.kind, AuthKind::Basic(_)));
    let Some(route) = routes.iter().filter_map(|draft| draft.route.as_ref()).find(asks) else { return };
    for draft in listeners {
        let Some(listener) = &draft.listener else { continue };
        let ListenAddress::Tcp(address) = listener.address else { continue };
        let is_safe = address.ip().to_canonical().is_loopback()
            || matches!(listener.tls, ListenerTls::Required(_))
            || listener.trusted_proxies != TrustedProxies::default();
        if !is_safe {
            let message = format!(
                "listener {} takes the passwords of route {} unencrypted",
                quoted(&address.to_string()),
                quoted(&route.name)
            );
            let remedy = "write tls = { cert = \"FILE\", key = \"FILE\" }, or listen on 127.0.0.1 behind a proxy that speaks TLS";
            report.warning(&draft.spot, message, remedy.to_owned());
        }
    }
}

/// Two routes of one name, and routes that cannot be reached.
pub(super) fn routes(report: &mut Report<'_>, drafts: &[route::Draft]) {
    let mut names: BTreeMap<&str, &Spot> = BTreeMap::new();
    for (name, spot) in drafts.iter().filter_map(|draft| draft.name.as_ref()) {
        let first = *names.entry(name).or_insert(spot);
        if first != spot {
            let message = format!("name {} stands twice, first in {}", quoted(name), report.place(first));
            report.error(spot, message, "give each route a name of its own".to_owned());
        }
    }
    let mut earlier: Vec<(&Route, &Spot)> = Vec::new();
    for draft in drafts {
        let Some(route) = &draft.route else { continue };
        if let Some((first, spot)) = reach::shadow(&earlier, route) {
            let message = format!(
                "route {} can never be reached: route {} stands before it ({}) and takes all that it would",
                quoted(&route.name),
                quoted(&first.name),
                report.place(spot)
            );
            report.warning(&draft.spot, message, "put it first, or remove it".to_owned());
        }
        earlier.push((route, &draft.spot));
    }
}

/// Routes for a host that every listener refuses.
pub(super) fn hosts(report: &mut Report<'_>, listeners: &[listener::Draft], drafts: &[route::Draft]) {
    let known: Option<Vec<_>> = listeners.iter().map(|draft| draft.listener.as_ref()).collect();
    let Some(known) = known else { return }; // one that was not understood may be the one
    for draft in drafts {
        let Some(route) = &draft.route else { continue };
        let Some(host) = &route.host else { continue };
        if !known.iter().any(|listener| reach::is_served(listener, route)) {
            let message = format!(
                "route {} can never be reached: no listener has its host, {host}, in server_names",
                quoted(&route.name)
            );
            report.warning(&draft.spot, message, "add it there, or correct host".to_owned());
        }
    }
}

/// Routes that hand connections over, where there are only connections of TLS.
pub(super) fn handoffs(report: &mut Report<'_>, listeners: &[listener::Draft], routes: &[route::Draft]) {
    let is_tls = |draft: &listener::Draft| {
        draft.listener.as_ref().is_none_or(|listener| matches!(listener.tls, ListenerTls::Required(_)))
    };
    if listeners.is_empty() || !listeners.iter().all(is_tls) {
        return;
    }
    for draft in routes {
        let Some(route) = &draft.route else { continue };
        if matches!(route.backends.first(), Some(Backend::Handoff(_))) {
            let message = format!(
                "route {} hands connections over, which cannot be done over TLS, and every listener has it",
                quoted(&route.name)
            );
            report.warning(
                &draft.spot,
                message,
                "add a listener without tls; until then clients get 501".to_owned(),
            );
        }
    }
}

/// Routes that ask for a certificate, where no listener does or where one takes those that everybody can get.
pub(super) fn client_certificates(
    report: &mut Report<'_>,
    listeners: &[listener::Draft],
    routes: &[route::Draft],
) {
    let known: Option<Vec<_>> = listeners.iter().map(|draft| draft.listener.as_ref()).collect();
    let Some(known) = known else { return }; // one that was not understood may be the one
    let asks = |listener: &&Listener| listener.client_certificates.is_some();
    let is_public = |listener: &&&Listener| {
        listener.client_certificates.as_ref().is_some_and(|clients| clients.ca.is_none())
    };
    for draft in routes {
        let Some(route) = &draft.route else { continue };
        let Some(AuthKind::ClientCert(guard)) = route.auth.as_ref().map(|auth| &auth.kind) else { continue };
        let name = quoted(&route.name);
        if !known.iter().any(asks) {
            let message = format!(
                "route {name} lets in who shows a certificate, and no listener asks for any: all get 403"
            );
            let remedy = "add client_cert = \"optional\" and client_ca = \"FILE\" to a listener with tls";
            report.warning(&draft.spot, message, remedy.to_owned());
        }
        if let Some(public) = known.iter().find(is_public).filter(|_| guard.names.is_empty()) {
            let message = format!(
                "route {name} lets in any certificate, and listener {} takes those of every public authority",
                quoted(&public.address.to_string())
            );
            let remedy =
                "set client_ca at the listener, to the authority of your clients, or names at the route";
            report.error(&draft.spot, message, remedy.to_owned());
        }
    }
}

/// Gives each route a name of its own: names that were not set step aside, as `/vnc#2`.
pub(super) fn name(drafts: &mut [route::Draft]) {
    let mut taken: BTreeSet<String> =
        drafts.iter().filter_map(|draft| draft.name.as_ref().map(|(name, _)| name.clone())).collect();
    let mut next: BTreeMap<String, usize> = BTreeMap::new();
    for draft in drafts.iter_mut().filter(|draft| draft.name.is_none()) {
        let Some(route) = &mut draft.route else { continue };
        let path = route.name.clone();
        let number = next.entry(path.clone()).or_insert(1);
        while !taken.insert(route.name.clone()) {
            *number += 1;
            route.name = format!("{path}#{number}");
        }
    }
}
