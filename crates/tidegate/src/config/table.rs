//! The configuration as `tidegate check` prints it.

use std::fmt::Write as _;

use super::check::{takes_requests, takes_upgrades, without_anchors};
use super::value::{show_duration, show_size};
use super::{
    Auth, AuthKind, Backend, Balance, Config, Listener, ListenerTls, OriginPattern, OriginPolicy,
    OriginTuple, Route,
};
use crate::shown::escaped;

/// The listeners and the route table, in aligned columns; ends with a line break.
pub fn table(config: &Config) -> String {
    let mut text = "Listeners\n".to_owned();
    text += &aligned(config.listeners.iter().map(listener_row).collect());
    text += "\nRoutes (the first match of the right kind wins)\n";
    let head =
        ["#", "name", "host", "path", "kind", "backend", "auth", "origins", "limits"].map(str::to_owned);
    let routes = config.routes.iter().enumerate().map(|(index, route)| route_row(index + 1, route));
    text += &aligned(std::iter::once(head.to_vec()).chain(routes).collect());
    text
}

fn listener_row(listener: &Listener) -> Vec<String> {
    let (protocols, files) = match &listener.tls {
        ListenerTls::Off => ("ws, http", [].as_slice()),
        ListenerTls::Required(files) => ("wss, https", files.as_slice()),
        ListenerTls::Auto(files) => ("ws, http, wss, https", files.as_slice()),
    };
    let files: Vec<_> = files.iter().map(|files| files.cert.display().to_string()).collect();
    vec![listener.address.to_string(), protocols.to_owned(), files.join(", ")]
}

fn route_row(number: usize, route: &Route) -> Vec<String> {
    let takes = |kind: fn(&Backend) -> bool| route.backends.iter().any(kind);
    let (upgrades, requests) = (takes(takes_upgrades), takes(takes_requests));
    let kind = match (upgrades, requests) {
        (true, true) => "ws, http",
        (true, false) => "ws",
        (false, _) => "http",
    };
    let of_upgrades = |text: String| if upgrades { text } else { NOTHING.to_owned() };
    vec![
        number.to_string(),
        route.name.clone(),
        route.host.as_ref().map_or_else(|| "any".to_owned(), ToString::to_string),
        route.path.to_string(),
        kind.to_owned(),
        backends(route),
        route.auth.as_ref().map_or(NOTHING, auth).to_owned(),
        of_upgrades(origins(&route.origins)),
        of_upgrades(limits(route)),
    ]
}

/// What stands behind it; of several, how they are chosen as well.
fn backends(route: &Route) -> String {
    let shown = |backend: &Backend| {
        let is_unverified = backend.is_tls() && !route.backend_tls.verify;
        format!("{backend}{}", if is_unverified { " (unverified)" } else { "" })
    };
    let backends: Vec<_> = route.backends.iter().map(shown).collect();
    let shown = backends.join(", ");
    if backends.len() < 2 { shown } else { format!("{shown} ({})", balance(route.balance)) }
}

pub(super) const fn balance(balance: Balance) -> &'static str {
    match balance {
        Balance::LeastConnections => "least-connections",
        Balance::RoundRobin => "round-robin",
        Balance::Hash => "hash",
        Balance::Sticky => "sticky",
    }
}

/// Of what kind the guard is.
const fn auth(auth: &Auth) -> &'static str {
    match auth.kind {
        AuthKind::Basic(_) => "basic",
        AuthKind::ClientCert(_) => "client-cert",
        AuthKind::Jwt(_) => "jwt",
        AuthKind::Forward(_) => "forward",
    }
}

fn origins(policy: &OriginPolicy) -> String {
    match policy {
        OriginPolicy::SameOrigin => "same origin".to_owned(),
        OriginPolicy::Any => "every site".to_owned(),
        OriginPolicy::List(patterns) if patterns.is_empty() => "none".to_owned(),
        OriginPolicy::List(patterns) => {
            let mut shown: Vec<_> = patterns.iter().take(ORIGINS_SHOWN_MAX).map(origin).collect();
            if patterns.len() > ORIGINS_SHOWN_MAX {
                shown.push(format!("{} more", patterns.len() - ORIGINS_SHOWN_MAX));
            }
            shown.join(", ")
        }
    }
}

pub(super) fn origin(pattern: &OriginPattern) -> String {
    match pattern {
        OriginPattern::Exact(tuple) => origin_tuple(tuple, ""),
        OriginPattern::Subdomains(tuple) => origin_tuple(tuple, "*."),
        OriginPattern::Regex(regex) => format!("~{}", without_anchors(regex)),
        OriginPattern::Null => "null".to_owned(),
    }
}

fn origin_tuple(tuple: &OriginTuple, star: &str) -> String {
    let OriginTuple { scheme, host, port } = tuple;
    let is_default = matches!((scheme.as_str(), port), ("http", 80) | ("https", 443));
    let port = if is_default { String::new() } else { format!(":{port}") };
    format!("{scheme}://{star}{host}{port}")
}

/// What bounds one connection, in the words of the file.
fn limits(route: &Route) -> String {
    let mut limits = vec![format!("frame {}", show_size(route.frame_bytes_max))];
    if let Some(bytes) = route.message_limit() {
        limits.push(format!("message {}", show_size(bytes)));
    }
    if let Some(count) = route.fragment_limit() {
        limits.push(format!("{count} fragments"));
    }
    limits.push(match (route.ping_interval, route.ping_timeout) {
        (None, _) => "no ping".to_owned(),
        (Some(interval), None) => format!("ping {}", show_duration(interval)),
        (Some(interval), Some(timeout)) => {
            format!("ping {}+{}", show_duration(interval), show_duration(timeout))
        }
    });
    if let Some(idle) = route.idle_timeout {
        limits.push(format!("idle {}", show_duration(idle)));
    }
    if let Some(record) = &route.record {
        limits.push(format!("recorded as {}", record.format));
    }
    limits.join(", ")
}

/// Rows of cells, each column as wide as its widest cell.
/// A terminal obeys what it reads, and paths, hosts and files are the operator's own words.
fn aligned(mut rows: Vec<Vec<String>>) -> String {
    for cell in rows.iter_mut().flatten() {
        *cell = escaped(cell);
    }
    let mut widths: Vec<usize> = Vec::new();
    for row in &rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            write!(line, "  {cell:width$}").expect("writing to a string cannot fail");
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// Stands where a column says nothing about a route.
const NOTHING: &str = "-";
/// More would push the limits off the screen.
const ORIGINS_SHOWN_MAX: usize = 2;
