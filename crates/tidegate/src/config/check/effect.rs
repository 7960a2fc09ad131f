//! Keys of a route that mean nothing to what stands behind it: they must not be ignored in silence.

use super::backend::takes_upgrades;
use super::section::Section;
use crate::config::Backend;

/// Where a key has an effect.
struct Effect {
    key: &'static str,
    on: fn(&Backend) -> bool,
    remedy: &'static str,
}

/// Warns about each key that is set and has no effect on any of these backends.
pub(super) fn warn(section: &mut Section<'_, '_>, backends: &[Backend]) {
    let Some(first) = backends.first() else { return };
    for Effect { key, on, remedy } in EFFECTS {
        let Some(found) = section.find(key) else { continue };
        let asks_for_nothing = found.value.as_bool() == Some(false) || found.value.as_str() == Some("off");
        let is_for_auth = key == &MAX_PENDING && section.find("auth").is_some();
        if !asks_for_nothing && !is_for_auth && !backends.iter().any(on) {
            section.warning(&found.spot, format!("{key} has no effect on {first}"), *remedy);
        }
    }
}

/// Is the backend sent the bytes of messages, without frames?
fn takes_bytes(backend: &Backend) -> bool {
    matches!(backend, Backend::Tcp(_) | Backend::Tls(_) | Backend::Unix(_) | Backend::Lookup(_))
}

/// Do the frames to the client begin in the gateway? What a backend has compressed is passed on as it is.
fn writes_frames(backend: &Backend) -> bool {
    takes_bytes(backend) || is_handed_over(backend) || matches!(backend, Backend::Echo | Backend::Replay(_))
}

/// Is it asked in HTTP, or another process in its stead?
fn answers(backend: &Backend) -> bool {
    matches!(backend, Backend::WebSocket(_) | Backend::Http(_) | Backend::Handoff(_))
}

/// Is it given requests with a body?
fn takes_bodies(backend: &Backend) -> bool {
    matches!(backend, Backend::Http(_))
}

/// A list of raw backends may have TLS to one and not to others.
fn is_tls(backend: &Backend) -> bool {
    backend.is_tls() || is_handed_over(backend)
}

/// Is something else connected for it, or asked?
fn connects(backend: &Backend) -> bool {
    match backend {
        Backend::Tcp(_) | Backend::Tls(_) | Backend::Unix(_) | Backend::WebSocket(_) => true,
        Backend::Http(_) | Backend::Handoff(_) | Backend::Lookup(_) => true,
        Backend::File(_) | Backend::Echo | Backend::Replay(_) | Backend::Builtin => false,
    }
}

fn lists(backend: &Backend) -> bool {
    matches!(backend, Backend::File(_))
}

/// What is wrong there is told where connections that are handed over are checked.
fn is_handed_over(backend: &Backend) -> bool {
    matches!(backend, Backend::Handoff(_))
}

fn has_types(backend: &Backend) -> bool {
    takes_bytes(backend) || is_handed_over(backend)
}

/// It counts for a server that `auth` asks as well, whatever is behind the route.
const MAX_PENDING: &str = "max_pending";

const FOR_WEBSOCKETS: &str = "leave it out: it is for WebSockets, and here are none";
const FOR_CONNECTED: &str = "leave it out: it is for backends that are connected";
const FOR_BYTES: &str = "leave it out: it is for backends that take bytes";

const fn websockets(key: &'static str) -> Effect {
    Effect { key, on: takes_upgrades, remedy: FOR_WEBSOCKETS }
}

const EFFECTS: &[Effect] = &[
    websockets("origins"),
    websockets("allow_missing_origin"),
    websockets("subprotocols"),
    websockets("subprotocol_required"),
    websockets("legacy"),
    websockets("ping_interval"),
    websockets("ping_timeout"),
    websockets("idle_timeout"),
    websockets("max_age"),
    websockets("on_change"),
    websockets("max_frame"),
    websockets("max_message"),
    websockets("max_fragments"),
    Effect { key: MAX_PENDING, on: connects, remedy: FOR_CONNECTED },
    Effect { key: "connect_timeout", on: connects, remedy: FOR_CONNECTED },
    Effect { key: "message", on: has_types, remedy: FOR_BYTES },
    Effect { key: "accept", on: has_types, remedy: FOR_BYTES },
    Effect {
        key: "compression",
        on: writes_frames,
        remedy: "leave it out: what a WebSocket backend agrees on with the client is passed on",
    },
    Effect {
        key: "upgrade_timeout",
        on: answers,
        remedy: "leave it out: it is for backends that are asked in HTTP",
    },
    Effect { key: "body_timeout", on: takes_bodies, remedy: "leave it out: no bodies are passed on to it" },
    Effect { key: "backend_tls", on: is_tls, remedy: "leave it out, or write tls://, wss:// or https://" },
    Effect { key: "listing", on: lists, remedy: "leave it out, or write backend = \"file:DIR\"" },
];
