//! What `tidegate serve` serves when it is told nothing.

use std::net::IpAddr;

use super::check::{Checked, Overrides, from_text};
use super::{Backend, Config, ListenAddress, PathPattern, Route, from_routes};
use crate::replay::Replay;

/// The embedded default: the built-in pages at `/` and `/status`, and `/echo`, on 127.0.0.1:8080.
pub fn embedded() -> Config {
    from_routes(&Overrides::default()).config.expect("the embedded configuration has no error")
}

/// A route by which nobody is let in: of this name there is none any more, but sessions that were opened on it.
pub(crate) fn gone(name: &str) -> Route {
    let rules = embedded().routes.swap_remove(0);
    Route { name: name.to_owned(), path: PathPattern::Exact(String::new()), ..rules }
}

/// What `tidegate replay` serves: the recording on every path, to pages of these origins, or else of its own alone. The
/// gateway's limits on messages do not count: what was recorded has passed them.
///
/// Without `origins`, it is served under this machine's own names alone: a page is of the same origin as well whose name
/// points here for the moment (DNS rebinding), and recordings are not for the pages that somebody happens to have open.
pub fn replaying(replay: Replay, overrides: &Overrides, origins: &[String]) -> Checked {
    let is_closed = origins.is_empty();
    let origins = match origins {
        [] => String::new(),
        // What JSON writes is TOML as well.
        origins => format!("origins = {}", serde_json::json!(origins)),
    };
    let mut checked = from_text(&format!("{REPLAY}{origins}\n"), overrides);
    for route in checked.config.iter_mut().flat_map(|config| &mut config.routes) {
        route.backends = vec![Backend::Replay(replay.clone())];
    }
    for listener in checked.config.iter_mut().flat_map(|config| &mut config.listeners).filter(|_| is_closed) {
        listener.server_names = own_names(&listener.address);
    }
    checked
}

/// What this machine is called by who is on it, and by the address that is listened on. Of other sockets than TCP none are
/// asked for: no browser reaches them.
fn own_names(address: &ListenAddress) -> Option<Vec<String>> {
    let ListenAddress::Tcp(address) = address else { return None };
    let own = match address.ip() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    Some(["localhost", "127.0.0.1", "[::1]", &own].map(str::to_owned).to_vec())
}

const REPLAY: &str = r#"
[[route]]
name = "replay"
path = "/*"
backend = "echo:"
max_frame = "1TiB"
max_message = "1TiB"
max_fragments = 1000000000
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::OriginPolicy;
    use crate::config::builtin::DEFAULT_LISTEN;

    #[test]
    fn the_embedded_default_is_an_echo_and_a_page_on_loopback() {
        let config = embedded();
        let address = DEFAULT_LISTEN.parse().unwrap();
        assert_eq!(config.listeners.len(), 1);
        assert_eq!(config.listeners[0].address, ListenAddress::Tcp(address));
        let routes: Vec<_> = config
            .routes
            .iter()
            .map(|r| (r.name.as_str(), r.path.to_string(), r.backends.as_slice()))
            .collect();
        assert_eq!(
            routes,
            [
                ("echo", "/echo".to_owned(), [Backend::Echo].as_slice()),
                ("page", "/".to_owned(), [Backend::Builtin].as_slice()),
                ("status", "/status".to_owned(), [Backend::Builtin].as_slice()),
            ]
        );
        assert!(config.routes.iter().all(|r| matches!(r.origins, OriginPolicy::SameOrigin)));
        assert!(config.workers > 0);
    }
}
