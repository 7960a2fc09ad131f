//! Whether a site may open a WebSocket (RFC 6455 §10.2; origins: RFC 6454).

use std::net::Ipv6Addr;

use crate::config::{OriginPattern, OriginPolicy, OriginTuple};

/// An Origin field, as a browser writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    /// `null`: a sandboxed or local document.
    Null,
    Tuple(OriginTuple),
}

/// Whether `origin`, one Origin field, is allowed to a request that was made to `own`.
///
/// It is compared as scheme, host and port; what is not exactly of that form is no origin and matches nothing but
/// `["*"]`.
pub(crate) fn is_allowed(policy: &OriginPolicy, origin: &str, own: &OriginTuple) -> bool {
    let patterns = match policy {
        OriginPolicy::Any => return true,
        OriginPolicy::SameOrigin => return is_same(origin, own),
        OriginPolicy::List(patterns) => patterns,
    };
    let Some(origin_parsed) = parse(origin) else {
        return false;
    };
    patterns.iter().any(|pattern| match (pattern, &origin_parsed) {
        (OriginPattern::Null, Origin::Null) => true,
        (OriginPattern::Exact(allowed), Origin::Tuple(tuple)) => tuple == allowed,
        (OriginPattern::Subdomains(parent), Origin::Tuple(tuple)) => {
            tuple.scheme == parent.scheme && tuple.port == parent.port && is_below(&tuple.host, &parent.host)
        }
        (OriginPattern::Regex(regex), Origin::Tuple(_)) => regex.is_match(origin),
        (OriginPattern::Null, Origin::Tuple(_))
        | (OriginPattern::Exact(_) | OriginPattern::Subdomains(_) | OriginPattern::Regex(_), Origin::Null) => false,
    })
}

/// A page that was asked for with a dot behind the host's name has it in its origin; in `own` it is gone.
fn is_same(origin: &str, own: &OriginTuple) -> bool {
    match parse(origin) {
        Some(Origin::Tuple(OriginTuple { scheme, host, port })) => {
            (scheme.as_str(), host.strip_suffix('.').unwrap_or(&host), port)
                == (own.scheme.as_str(), own.host.as_str(), own.port)
        }
        Some(Origin::Null) | None => false,
    }
}

/// One or more whole labels in front of `parent`.
fn is_below(host: &str, parent: &str) -> bool {
    host.strip_suffix(parent)
        .and_then(|labels| labels.strip_suffix('.'))
        .is_some_and(|labels| labels.split('.').all(|label| !label.is_empty()))
}

/// `scheme://host[:port]` and nothing else.
fn parse(origin: &str) -> Option<Origin> {
    if origin == "null" {
        return Some(Origin::Null);
    }
    let (scheme, authority) = origin.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let (host, port) = split_port(authority)?;
    let port = port.unwrap_or_else(|| default_port(&scheme));
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = match bracketed {
        Some(address) => format!("[{}]", address.parse::<Ipv6Addr>().ok()?), // of its spellings the one that is compared
        None if !host.is_empty() && host.bytes().all(legal) => host.to_ascii_lowercase(),
        None => return None,
    };
    let is_scheme = !scheme.is_empty()
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme.then_some(Origin::Tuple(OriginTuple { scheme, host, port }))
}

fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
            let port = port.parse().ok().filter(|_| digits)?;
            Some((host, Some(port)))
        }
        _ => Some((authority, None)),
    }
}

/// The port that an origin of this scheme leaves out; an extension's origin, say, has none.
fn default_port(scheme: &str) -> u16 {
    match scheme {
        "http" | "ws" => 80,
        "https" | "wss" => 443,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Overrides, parse as parse_config};
    use std::path::Path;

    fn policy(origins: &str) -> OriginPolicy {
        let text = format!("[[route]]\npath = \"/\"\nbackend = \"echo:\"\norigins = {origins}");
        let checked = parse_config(&text, Path::new("t"), &Overrides::default());
        let mut config = checked.config.unwrap_or_else(|| panic!("{:?}", checked.diagnostics));
        config.routes.remove(0).origins
    }

    fn own(scheme: &str, host: &str, port: u16) -> OriginTuple {
        OriginTuple { scheme: scheme.into(), host: host.into(), port }
    }

    #[test]
    fn t063_to_t075_the_allow_list() {
        let policy = policy(r#"["https://app.example.com", "https://*.trusted.test"]"#);
        let allowed = |origin: &str| is_allowed(&policy, origin, &own("http", "gw.test", 80));
        for origin in [
            "https://app.example.com",
            "https://APP.Example.com",
            "https://app.example.com:443",
            "https://a.trusted.test",
            "https://a.b.trusted.test",
        ] {
            assert!(allowed(origin), "{origin}");
        }
        for origin in [
            "http://app.example.com",
            "https://app.example.com:8443",
            "https://app.example.com.evil.test",
            "https://evil-app.example.com",
            "https://evilapp.example.com",
            "https://appXexample.com",
            "https://evil.test/https://app.example.com",
            "https://evil.test?https://app.example.com",
            "https://evil.test#https://app.example.com",
            "https://app.example.com@evil.test",
            "https://evil.test\\@app.example.com",
            "null",
            "https://trusted.test",
            "https://.trusted.test",
            "https://eviltrusted.test",
            "https://app.example.com.",
            "https://app.example.com:",
            "https://app.example.com/",
            "https://app.example.com:+443",
            "",
            "https://",
            "app.example.com",
        ] {
            assert!(!allowed(origin), "{origin}");
        }
        assert!(!allowed(&format!("https://{}.example.com", "a".repeat(10_000))));
    }

    #[test]
    fn same_origin_is_scheme_host_and_port() {
        let same = |origin: &str, own: &OriginTuple| is_allowed(&OriginPolicy::SameOrigin, origin, own);
        assert!(same("http://gw.test", &own("http", "gw.test", 80)));
        assert!(same("http://gw.test:8080", &own("http", "gw.test", 8080)));
        assert!(same("https://[::1]:8443", &own("https", "[::1]", 8443)));
        assert!(same("https://[::1]", &own("https", "[::1]", 443)));
        assert!(same("https://gw.test.", &own("https", "gw.test", 443)), "asked for with a dot");
        assert!(!same("https://gw.test..", &own("https", "gw.test", 443)));
        assert!(!same("https://gw.test", &own("http", "gw.test", 80)));
        assert!(!same("http://gw.test:8080", &own("http", "gw.test", 80)));
        assert!(!same("null", &own("http", "gw.test", 80)));
    }

    /// Browsers write the shortest form, whatever the operator has written, and IPv4 within it as two groups.
    #[test]
    fn an_address_is_the_same_however_it_is_spelt() {
        let own = own("http", "gw.test", 80);
        let listed = policy(r#"["https://[0:0:0:0:0:0:0:1]", "https://[::FFFF:192.0.2.1]:8443"]"#);
        for origin in ["https://[::1]", "https://[0::1]:443", "https://[::ffff:c000:201]:8443"] {
            assert!(is_allowed(&listed, origin, &own), "{origin}");
        }
        for origin in ["https://[::2]", "https://[::1", "https://::1", "https://192.0.2.1:8443"] {
            assert!(!is_allowed(&listed, origin, &own), "{origin}");
        }
    }

    #[test]
    fn t071_t080_null_and_regex_only_as_written() {
        let own = own("http", "gw.test", 80);
        assert!(is_allowed(&policy(r#"["null"]"#), "null", &own));
        assert!(!is_allowed(&policy(r#"["~.*"]"#), "null", &own));
        assert!(is_allowed(&policy(r#"["*"]"#), "null", &own));
        let everything = policy(r#"["~.*"]"#);
        assert!(is_allowed(&everything, "https://app.example.com:8443", &own));
        for no_origin in ["https://", "https://a b", "https://a/b", "https://[::1", "://a", "ht tp://a", "a"]
        {
            assert!(!is_allowed(&everything, no_origin, &own), "{no_origin}");
        }
        let regex = policy(r#"["~https://app[0-9]+\\.example\\.com"]"#);
        assert!(is_allowed(&regex, "https://app12.example.com", &own));
        for origin in
            ["https://app1.example.com.evil.test", "https://app1.example.com/", "xhttps://app1.example.com"]
        {
            assert!(!is_allowed(&regex, origin, &own), "{origin}");
        }
    }
}
