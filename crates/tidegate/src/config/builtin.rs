//! What stands for a file where there is none.

use super::{Backend, Config, PathPattern, Route};

/// Adds the pages to what `TEXT` says: their backend cannot be written in a file.
pub(super) fn add_pages(config: &mut Config) {
    let echo = config.routes.first().expect("the embedded configuration has the echo route");
    let pages = [("page", "/"), ("status", "/status")].map(|(name, path)| Route {
        name: name.to_owned(),
        path: PathPattern::Exact(path.to_owned()),
        backends: vec![Backend::Builtin],
        ..echo.clone()
    });
    config.routes.extend(pages);
}

/// Where the gateway listens if nothing says where. Loopback only: what was not asked for must not be reachable
/// from outside.
pub(super) const DEFAULT_LISTEN: &str = "127.0.0.1:8080";

/// The embedded default without the pages.
pub(super) const TEXT: &str = r#"
[[route]]
name = "echo"
path = "/echo"
backend = "echo:"
"#;
