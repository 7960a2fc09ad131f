//! `backend = "handoff:…"`: what a route cannot ask for when its connections leave the gateway.

use super::section::Section;
use crate::config::Backend;

/// Settings about frames are the other process's to keep. What would be missed in silence is an error: nothing would be
/// recorded, and the handshake would promise what the other process may not speak.
pub(super) fn check(section: &mut Section<'_, '_>, backends: &[Backend]) {
    let Some(backend) = backends.iter().find(|backend| matches!(backend, Backend::Handoff(_))) else {
        return;
    };
    for (name, remedy) in REFUSED {
        if let Some(found) = section.find(name).filter(|found| found.value.as_str() != Some("off")) {
            section.error(&found.spot, format!("{name} stands beside {backend}"), *remedy);
        }
    }
    for name in WITHOUT_EFFECT {
        if let Some(found) = section.find(name) {
            let message = format!("{name} has no effect on {backend}");
            section.warning(
                &found.spot,
                message,
                "leave it out: the process that takes the connection over decides",
            );
        }
    }
}

const REFUSED: &[(&str, &str)] = &[
    ("compression", "leave it out: only the process that speaks the frames can compress them"),
    ("legacy", "leave it out: only connections of RFC 6455 are handed over"),
    ("record", "leave it out: what does not pass through the gateway is not recorded"),
];

const WITHOUT_EFFECT: &[&str] = &[
    "message",
    "accept",
    "ping_interval",
    "ping_timeout",
    "idle_timeout",
    "max_age",
    "max_frame",
    "max_message",
    "max_fragments",
    "backend_tls",
];
