//! Whom an allow-list lets in, and the same told by somebody who takes an origin apart letter by letter.

use crate::config::{OriginPattern, OriginPolicy, OriginTuple};
use crate::policy::origin::is_allowed;

/// The first line is the Origin, the second the own one; each of the others is an entry of the list.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let origin = lines.next().unwrap_or_default();
    let Some(own) = lines.next().and_then(naive).map(without_dot) else { return };
    let entries: Vec<_> = lines.take(8).filter_map(entry).collect();

    let expected = naive(origin);
    let same = is_allowed(&OriginPolicy::SameOrigin, origin, &own);
    assert_eq!(same, expected.clone().map(without_dot).as_ref() == Some(&own), "{origin:?} at {own:?}");
    let listed = is_allowed(&OriginPolicy::List(entries.clone()), origin, &own);
    let is_meant = |entry: &OriginPattern| matches(entry, origin, expected.as_ref());
    assert_eq!(listed, entries.iter().any(is_meant), "{origin:?} in {entries:?}");
    assert!(is_allowed(&OriginPolicy::Any, origin, &own));
    if listed {
        assert!(origin == "null" || expected.is_some(), "{origin:?} is no origin");
    }
}

/// `https://gw.test.` is the same place as `https://gw.test`, which is how the gateway knows its own.
fn without_dot(mut tuple: OriginTuple) -> OriginTuple {
    if tuple.host.ends_with('.') {
        tuple.host.pop();
    }
    tuple
}

fn entry(line: &str) -> Option<OriginPattern> {
    if line == "null" {
        return Some(OriginPattern::Null);
    }
    match line.split_once("://*.") {
        Some((scheme, rest)) => Some(OriginPattern::Subdomains(naive(&format!("{scheme}://{rest}"))?)),
        None => Some(OriginPattern::Exact(naive(line)?)),
    }
}

fn matches(entry: &OriginPattern, origin: &str, tuple: Option<&OriginTuple>) -> bool {
    match (entry, tuple) {
        (OriginPattern::Null, _) => origin == "null",
        (OriginPattern::Exact(allowed), Some(tuple)) => allowed == tuple,
        (OriginPattern::Subdomains(parent), Some(tuple)) => {
            let labels: Vec<_> = tuple.host.split('.').collect();
            let of_parent: Vec<_> = parent.host.split('.').collect();
            let Some(below) = labels.len().checked_sub(of_parent.len()) else { return false };
            (&tuple.scheme, tuple.port) == (&parent.scheme, parent.port)
                && labels[below..] == of_parent[..]
                && below > 0
                && labels[..below].iter().all(|label| !label.is_empty())
        }
        (OriginPattern::Regex(_), _) | (_, None) => false,
    }
}

/// RFC 6454 §6.2, the other way round: scheme, `://`, host, and a port where it is not the scheme's own.
fn naive(origin: &str) -> Option<OriginTuple> {
    let letters: Vec<char> = origin.chars().collect();
    let end_of_scheme = letters.windows(3).position(|three| three == [':', '/', '/'])?;
    let scheme: String = letters[..end_of_scheme].iter().map(char::to_ascii_lowercase).collect();
    let is_scheme = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
    let rest = &letters[end_of_scheme + 3..];
    let host_len = match rest.first()? {
        '[' => rest.iter().position(|c| *c == ']')? + 1,
        _ => rest.iter().position(|c| *c == ':').unwrap_or(rest.len()),
    };
    let host: String = rest[..host_len].iter().map(char::to_ascii_lowercase).collect();
    let is_name = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_address = address.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok());
    let port = match &rest[host_len..] {
        [] if scheme == "http" || scheme == "ws" => 80,
        [] if scheme == "https" || scheme == "wss" => 443,
        [] => 0,
        [':', digits @ ..] if !digits.is_empty() && digits.iter().all(char::is_ascii_digit) => {
            digits.iter().collect::<String>().parse().ok()?
        }
        _ => return None,
    };
    let is_origin = !scheme.is_empty() && scheme.chars().all(is_scheme) && (is_name || is_address);
    is_origin.then_some(OriginTuple { scheme, host, port })
}
