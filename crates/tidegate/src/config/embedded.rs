//! What `tidegate serve` serves when it is told nothing.

use super::check::{Checked, Overrides, from_text};
use super::{Backend, Config, PathPattern, Route, from_routes};
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
pub fn replaying(replay: Replay, overrides: &Overrides, origins: &[String]) -> Checked {
    let origins = match origins {
        [] => String::new(),
        // What JSON writes is TOML as well.
        origins => format!("origins = {}", serde_json::json!(origins)),
    };
    let mut checked = from_text(&format!("{REPLAY}{origins}\n"), overrides);
    for route in checked.config.iter_mut().flat_map(|config| &mut config.routes) {
        route.backends = vec![Backend::Replay(replay.clone())];
    }
    checked
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
    use crate::config::builtin::DEFAULT_LISTEN;
    use crate::config::{ListenAddress, OriginPolicy};

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
