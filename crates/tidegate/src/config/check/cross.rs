//! What tables have to do with each other.

use std::collections::{BTreeMap, BTreeSet};

use super::report::Report;
use super::{listener, reach, route};
use crate::config::diagnostic::quoted;
use crate::config::{Admin, Backend, ListenAddress, ListenerTls, Route};

/// Two listeners, or a listener and the admin listener, at one address.
pub(super) fn listeners(report: &mut Report<'_>, drafts: &[listener::Draft], admin: Option<&Admin>) {
    let mut seen: Vec<&ListenAddress> = Vec::new();
    for draft in drafts {
        let Some(address) = draft.listener.as_ref().map(|listener| &listener.address) else {
            continue;
        };
        // Port 0 is another port each time.
        if matches!(address, ListenAddress::Tcp(tcp) if tcp.port() == 0) {
            continue;
        }
        if seen.contains(&address) {
            let message = format!("listener {} stands twice", quoted(&address.to_string()));
            report.error(&draft.spot, message, "keep one, or give the other a port of its own".to_owned());
        }
        if admin.is_some_and(|admin| admin.listener.address == *address) {
            let message = format!("listener {} has the address of admin", quoted(&address.to_string()));
            report.error(&draft.spot, message, "give one of them a port of its own".to_owned());
        }
        seen.push(address);
    }
}

/// Two routes of one name, and routes that cannot be reached.
pub(super) fn routes(report: &mut Report<'_>, drafts: &[route::Draft]) {
    let mut names = BTreeSet::new();
    for (name, spot) in drafts.iter().filter_map(|draft| draft.name.as_ref()) {
        if !names.insert(name) {
            let message = format!("name {} stands twice", quoted(name));
            report.error(spot, message, "give each route a name of its own".to_owned());
        }
    }
    let mut earlier: Vec<&Route> = Vec::new();
    for draft in drafts {
        let Some(route) = &draft.route else { continue };
        if let Some(first) = reach::shadow(&earlier, route) {
            let message = format!(
                "route {} can never be reached: route {} stands before it and takes all that it would",
                quoted(&route.name),
                quoted(&first.name)
            );
            report.warning(&draft.spot, message, "put it first, or remove it".to_owned());
        }
        earlier.push(route);
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

/// The routes, each under a name of its own: names that were not set step aside, as `/vnc#2`.
pub(super) fn named(drafts: Vec<route::Draft>) -> Vec<Route> {
    let mut taken: BTreeSet<String> =
        drafts.iter().filter_map(|draft| draft.name.as_ref().map(|(name, _)| name.clone())).collect();
    let mut next: BTreeMap<String, usize> = BTreeMap::new();
    let mut routes = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let Some(mut route) = draft.route else { continue };
        if draft.name.is_none() {
            let path = route.name.clone();
            let number = next.entry(path.clone()).or_insert(1);
            while !taken.insert(route.name.clone()) {
                *number += 1;
                route.name = format!("{path}#{number}");
            }
        }
        routes.push(route);
    }
    routes
}
