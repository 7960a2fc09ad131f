//! Routes that no request can reach, because an earlier one takes all that they would, or because no listener serves their
//! host.

use super::backend::{takes_requests, takes_upgrades};
use crate::config::{Backend, HostPattern, Listener, PathPattern, Route};

/// The first route before the last of these that takes everything the last one would.
pub(super) fn shadow<'r, P: Copy>(earlier: &[(&'r Route, P)], route: &Route) -> Option<(&'r Route, P)> {
    earlier.iter().copied().find(|(first, _)| {
        kinds_cover(first, route)
            && host_covers(first.host.as_ref(), route.host.as_ref())
            && path_covers(&first.path, &route.path)
    })
}

/// Whether a listener takes requests for some host of this route.
pub(super) fn is_served(listener: &Listener, route: &Route) -> bool {
    let is_meant = |name: &String| host_covers(route.host.as_ref(), Some(&HostPattern::Exact(name.clone())));
    listener.server_names.as_ref().is_none_or(|names| names.iter().any(is_meant))
}

/// Upgrades and plain requests are matched apart, so a route for one never hides a route for the other.
fn kinds_cover(first: &Route, route: &Route) -> bool {
    let takes = |route: &Route, takes: fn(&Backend) -> bool| route.backends.iter().any(takes);
    [takes_upgrades, takes_requests].iter().all(|kind| takes(first, *kind) || !takes(route, *kind))
}

fn host_covers(first: Option<&HostPattern>, host: Option<&HostPattern>) -> bool {
    match (first, host) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(HostPattern::Exact(first)), Some(HostPattern::Exact(host))) => first == host,
        (Some(HostPattern::Exact(_)), Some(HostPattern::Subdomains(_))) => false,
        (Some(HostPattern::Subdomains(first)), Some(HostPattern::Exact(host))) => is_below(host, first),
        (Some(HostPattern::Subdomains(first)), Some(HostPattern::Subdomains(host))) => {
            first == host || is_below(host, first)
        }
    }
}

fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

fn path_covers(first: &PathPattern, path: &PathPattern) -> bool {
    match (first, path) {
        (PathPattern::Prefix(first), PathPattern::Exact(path) | PathPattern::Prefix(path)) => {
            path.strip_prefix(first.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
        (PathPattern::Prefix(first), PathPattern::Regex(..)) => first.is_empty(),
        (PathPattern::Exact(first), PathPattern::Exact(path)) => first == path,
        (PathPattern::Regex(first, _), PathPattern::Exact(path)) => first.is_match(path),
        (PathPattern::Regex(_, first), PathPattern::Regex(_, path)) => first == path,
        (PathPattern::Exact(_), PathPattern::Prefix(_) | PathPattern::Regex(..))
        | (PathPattern::Regex(..), PathPattern::Prefix(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::check::pattern;

    #[test]
    fn paths_cover() {
        for (first, path, expected) in [
            ("/*", "/vnc", true),
            ("/*", "/vnc/*", true),
            ("/*", "~/vnc[0-9]", true),
            ("/*", "/*", true),
            ("/vnc/*", "/vnc", true),
            ("/vnc/*", "/vnc/a/*", true),
            ("/vnc/*", "/vnc2", false),
            ("/vnc/*", "~/vnc/a", false),
            ("/vnc", "/vnc", true),
            ("/vnc", "/vnc/", false),
            ("/vnc", "/vnc/*", false),
            ("~/vnc[0-9]", "/vnc1", true),
            ("~/vnc[0-9]", "/vnc", false),
            ("~/vnc[0-9]", "~/vnc[0-9]", true),
            ("~.*", "/vnc/*", false),
        ] {
            let covers = path_covers(&pattern::path(first).unwrap(), &pattern::path(path).unwrap());
            assert_eq!(covers, expected, "{first} {path}");
        }
    }

    #[test]
    fn hosts_cover() {
        for (first, host, expected) in [
            (None, None, true),
            (None, Some("a.b"), true),
            (Some("a.b"), None, false),
            (Some("a.b"), Some("a.b"), true),
            (Some("*.b"), Some("a.b"), true),
            (Some("*.b"), Some("b"), false),
            (Some("*.b"), Some("ab"), false),
            (Some("*.b"), Some("*.a.b"), true),
            (Some("*.b"), Some("*.b"), true),
            (Some("a.b"), Some("*.b"), false),
        ] {
            let pattern = |text: Option<&str>| text.map(|text| pattern::host(text).unwrap());
            let covers = host_covers(pattern(first).as_ref(), pattern(host).as_ref());
            assert_eq!(covers, expected, "{first:?} {host:?}");
        }
    }
}
