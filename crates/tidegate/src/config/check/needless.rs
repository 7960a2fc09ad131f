//! Keys that another key beside them leaves without effect: whoever sets them believes in something that is not so.

use ipnet::IpNet;

use super::section::Section;
use crate::config::{AuthKind, Backend, ListenerTls, LookupSource, Route};

/// Of a route, once all of it is read.
pub(super) fn of_route(section: &mut Section<'_, '_>, route: &Route, backends: &[Backend]) {
    if route.ping_interval.is_none() && route.ping_timeout.is_some() {
        let remedy = "set ping_interval, such as \"20s\", or leave it out";
        warn(
            section,
            "ping_timeout",
            "with ping_interval = 0: nothing is sent that could be answered",
            remedy,
        );
    }
    if let [only] = backends {
        let (beside, remedy) = if matches!(only, Backend::Lookup(_)) {
            ("beside lookup: it leads to one backend", "leave it out")
        } else {
            ("with one backend", "name several, as backend = [\"URL\", \"URL\"], or leave it out")
        };
        for name in ["balance", "disable_time"] {
            warn(section, name, beside, remedy);
        }
    }
}

/// Of a listener.
pub(super) fn of_listener(section: &mut Section<'_, '_>, tls: &ListenerTls) {
    if *tls == ListenerTls::Off {
        warn(section, "tls_timeout", "without tls", "set tls, or leave it out");
    }
    let names = section.find("server_names");
    if let Some(found) = names.filter(|found| found.value.as_array().is_some_and(|list| list.is_empty())) {
        let message = "server_names is an empty list: every request is answered with 421".to_owned();
        section.warning(&found.spot, message, "name the hosts that are served, or leave it out for any");
    }
}

/// Of `auth = { … }`.
pub(super) fn of_auth(section: &mut Section<'_, '_>, kind: &AuthKind) {
    let (name, beside) = match kind {
        AuthKind::Basic(_) => return,
        AuthKind::Jwt(_) => ("timeout", "beside kind = \"jwt\": nobody is asked"),
        AuthKind::Forward(_) => ("realm", "beside kind = \"forward\": the answer of the server is passed on"),
        AuthKind::ClientCert(_) => {
            warn(section, "realm", "beside kind = \"client-cert\"", "leave it out");
            ("timeout", "beside kind = \"client-cert\": it was shown in the handshake of TLS")
        }
    };
    warn(section, name, beside, "leave it out");
}

/// Of `lookup = { … }`.
pub(super) fn of_lookup(section: &mut Section<'_, '_>, source: &LookupSource, tls: bool) {
    if tls && matches!(source, LookupSource::UnixDirectory(_)) {
        warn(section, "tls", "beside kind = \"unix-directory\", which leads to Unix sockets", "leave it out");
    }
}

/// Networks of a list that are written as an address within them: the rest of the address means nothing, and
/// may have been meant.
pub(super) fn of_networks(section: &mut Section<'_, '_>, name: &str) {
    let Some(found) = section.find(name) else { return };
    for item in found.value.as_array().into_iter().flat_map(|list| list.iter()) {
        // A target has its ports behind the network.
        let text = item.get_ref().as_str().unwrap_or_default();
        let network = [Some(text), text.rsplit_once(':').map(|(network, _)| network)];
        let network = network
            .into_iter()
            .flatten()
            .find_map(|text| text.trim_start_matches('[').trim_end_matches(']').parse::<IpNet>().ok());
        if let Some(network) = network.filter(|network| network.trunc() != *network) {
            let (meant, address) = (network.trunc(), network.addr());
            let message = format!("{name} \"{text}\" is read as the network {meant}");
            let remedy = format!("write {meant} there, or {address} if only that address is meant");
            section.warning(&found.item(item).spot, message, remedy);
        }
    }
}

fn warn(section: &mut Section<'_, '_>, name: &str, beside: &str, remedy: &str) {
    if let Some(found) = section.find(name) {
        section.warning(&found.spot, format!("{name} has no effect {beside}"), remedy);
    }
}
