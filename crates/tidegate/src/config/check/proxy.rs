//! The PROXY protocol, on the way in and on the way out.

use super::section::Section;
use crate::config::{Backend, TrustedProxies};

/// A header is expected from trusted proxies alone, so there has to be one.
pub(super) fn check_in(section: &mut Section<'_, '_>, wanted: bool, trusted: &TrustedProxies) {
    if let Some(found) = section.find("proxy_protocol")
        && wanted
        && *trusted == TrustedProxies::default()
    {
        let message = "proxy_protocol is true, but there is no proxy that is trusted".to_owned();
        section.error(
            &found.spot,
            message,
            "name those that announce clients: trusted_proxies = [\"10.0.0.0/8\"]",
        );
    }
}

/// A header can only be sent where there is a connection of the backend's own.
pub(super) fn check_out(section: &mut Section<'_, '_>, backends: &[Backend]) {
    let without = |backend: &&Backend| match backend {
        Backend::Tcp(_) | Backend::Tls(_) | Backend::Unix(_) | Backend::WebSocket(_) => false,
        Backend::Http(_) | Backend::Lookup(_) => false,
        Backend::File(_) | Backend::Echo | Backend::Handoff(_) | Backend::Replay(_) | Backend::Builtin => {
            true
        }
    };
    if let Some(found) = section.find("send_proxy")
        && let Some(backend) = backends.iter().find(without)
    {
        let message = format!("send_proxy has no effect on {backend}");
        section.warning(&found.spot, message, "leave it out: it begins connections to backends");
    }
}
