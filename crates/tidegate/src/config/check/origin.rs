//! `origins = …` of a route: which sites may open a WebSocket from a browser.

use super::authority::host_port;
use super::pattern::anchored;
use crate::config::diagnostic::{Fault, quoted};
use crate::config::{OriginPattern, OriginTuple};

/// Reads one entry: `https://example.com`, `https://*.example.com`, `~regex` or `null`.
pub(super) fn origin(text: &str) -> Result<OriginPattern, Fault> {
    if text == "null" {
        return Ok(OriginPattern::Null);
    }
    if let Some(pattern) = text.strip_prefix('~') {
        return anchored(pattern).map(OriginPattern::Regex);
    }
    if text == "*" {
        return Err(Fault::new(
            "stands beside other entries",
            "write [\"*\"] alone to let every site connect",
        ));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        let remedy = if text.is_empty() { FORM.to_owned() } else { format!("write https://{text}") };
        return Err(Fault::new("has no scheme", remedy));
    };
    let scheme = scheme.to_ascii_lowercase();
    let default_port = default_port(&scheme, rest)?;
    if let Some((authority, _)) = rest.split_once(['/', '?', '#']) {
        let remedy = format!("write {scheme}://{authority}: an origin is scheme, host and port");
        return Err(Fault::new("has a path", remedy));
    }
    let (host, is_wildcard) = rest.strip_prefix("*.").map_or((rest, false), |host| (host, true));
    if host.contains('*') {
        let remedy = "write https://*.example.com, or ~ and a regular expression";
        return Err(Fault::new("has a * that is not a leading *.", remedy));
    }
    let host = host_port(host)?;
    let tuple = OriginTuple { scheme, port: host.port.unwrap_or(default_port), host: host.host };
    Ok(if is_wildcard { OriginPattern::Subdomains(tuple) } else { OriginPattern::Exact(tuple) })
}

impl OriginPattern {
    /// Reads one entry of `origins`.
    ///
    /// # Errors
    /// What is wrong, and the way out, in one sentence.
    pub fn read(text: &str) -> Result<Self, String> {
        origin(text).map_err(|fault| format!("{} {}; {}", quoted(text), fault.problem, fault.remedy))
    }
}

/// Only schemes with a port of their own make an origin of scheme, host and port (RFC 6454 §4).
fn default_port(scheme: &str, rest: &str) -> Result<u16, Fault> {
    match scheme {
        "https" => Ok(443),
        "http" => Ok(80),
        "wss" => {
            Err(Fault::new("is a WebSocket URL", format!("write https://{rest}: the origin is the page's")))
        }
        "ws" => {
            Err(Fault::new("is a WebSocket URL", format!("write http://{rest}: the origin is the page's")))
        }
        _ => Err(Fault::new(
            "has neither http nor https",
            format!("for other schemes write ~{scheme}://{rest}"),
        )),
    }
}

const FORM: &str = "write scheme and host, such as https://example.com";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuples_are_lower_case_and_know_their_port() {
        for (text, scheme, host, port) in [
            ("https://example.com", "https", "example.com", 443),
            ("HTTPS://Example.COM", "https", "example.com", 443),
            ("http://example.com", "http", "example.com", 80),
            ("http://localhost:3000", "http", "localhost", 3000),
            ("https://[::1]:8443", "https", "[::1]", 8443),
        ] {
            let expected = OriginTuple { scheme: scheme.to_owned(), host: host.to_owned(), port };
            assert!(matches!(origin(text), Ok(OriginPattern::Exact(tuple)) if tuple == expected), "{text}");
        }
    }

    #[test]
    fn wildcards_regular_expressions_and_null() {
        assert!(matches!(
            origin("https://*.example.com:8443"),
            Ok(OriginPattern::Subdomains(tuple)) if tuple.host == "example.com" && tuple.port == 8443
        ));
        assert!(matches!(origin("null"), Ok(OriginPattern::Null)));
        let Ok(OriginPattern::Regex(regex)) = origin(r"~https://app[0-9]+\.example\.com") else {
            panic!("this is a regular expression")
        };
        assert!(regex.is_match("https://app7.example.com"));
        assert!(!regex.is_match("https://app7.example.com.evil.test"));
    }

    #[test]
    fn what_is_no_origin_is_told_with_the_way_out() {
        for (text, problem, remedy) in [
            ("", "has no scheme", FORM),
            ("example.com", "has no scheme", "write https://example.com"),
            ("*.example.com", "has no scheme", "write https://*.example.com"),
            (
                "https://example.com/",
                "has a path",
                "write https://example.com: an origin is scheme, host and port",
            ),
            (
                "https://example.com/app?x",
                "has a path",
                "write https://example.com: an origin is scheme, host and port",
            ),
            ("https://me@example.com", "contains a user name", "write host and port only"),
            (
                "https://www.*.com",
                "has a * that is not a leading *.",
                "write https://*.example.com, or ~ and a regular expression",
            ),
            (
                "https://*",
                "has a * that is not a leading *.",
                "write https://*.example.com, or ~ and a regular expression",
            ),
            ("wss://a.b", "is a WebSocket URL", "write https://a.b: the origin is the page's"),
            ("app://x", "has neither http nor https", "for other schemes write ~app://x"),
            ("*", "stands beside other entries", "write [\"*\"] alone to let every site connect"),
        ] {
            assert_eq!(origin(text).unwrap_err(), Fault::new(problem, remedy), "{text}");
        }
        assert!(origin("~(").is_err() && origin("https://").is_err());
    }
}
