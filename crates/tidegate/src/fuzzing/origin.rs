//! Whom an allow-list lets in, and the same told by somebody who takes an origin apart letter by letter.

use std::net::Ipv6Addr;

use crate::config::{OriginPattern, OriginPolicy, OriginTuple};
use crate::policy::origin::is_allowed;

/// The first line is the Origin, the second the own one; each of the others is an entry of the list, as it is configured.
/// Expressions that have any freedom are passed over: to compile them would take nearly all of the time, and find the edges
/// of the engine.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let origin = lines.next().unwrap_or_default();
    let Some(own) = lines.next().and_then(naive).map(without_dot) else { return };
    let lines: Vec<_> = lines.take(8).collect();

    let expected = naive(origin);
    let same = is_allowed(&OriginPolicy::SameOrigin, origin, &own);
    assert_eq!(same, expected.clone().map(without_dot).as_ref() == Some(&own), "{origin:?} at {own:?}");
    let mut entries = Vec::new();
    let mut is_meant = false;
    for line in lines {
        let pattern = line.strip_prefix('~');
        if pattern.is_some_and(|pattern| literal(pattern).is_none()) {
            continue;
        }
        let read = OriginPattern::read(line);
        match pattern.and_then(literal) {
            Some(literal) => is_meant |= literal == origin && expected.is_some(),
            None => {
                assert_eq!(read.is_ok(), is_entry(line), "{line:?}: {read:?}");
                is_meant |= read.is_ok() && matches(line, origin, expected.as_ref());
            }
        }
        entries.extend(read);
    }
    let listed = is_allowed(&OriginPolicy::List(entries.clone()), origin, &own);
    assert_eq!(listed, is_meant, "{origin:?} in {entries:?}");
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

/// Whether this may stand in the list: an origin of the web with a name of DNS or an address, `*.` in front of it or not.
fn is_entry(line: &str) -> bool {
    let Some(OriginTuple { scheme, host, port }) = naive(&line.replacen("://*.", "://", 1)) else {
        return line == "null";
    };
    let is_label = |label: &str| (1..64).contains(&label.len());
    let is_host = host.starts_with('[') || host.len() < 254 && host.split('.').all(is_label);
    matches!(scheme.as_str(), "http" | "https") && port != 0 && is_host
}

fn matches(line: &str, origin: &str, tuple: Option<&OriginTuple>) -> bool {
    let Some(tuple) = tuple else { return line == "null" && origin == "null" };
    let Some((scheme, rest)) = line.split_once("://*.") else { return naive(line).as_ref() == Some(tuple) };
    let Some(parent) = naive(&format!("{scheme}://{rest}")) else { return false };
    let labels: Vec<_> = tuple.host.split('.').collect();
    let of_parent: Vec<_> = parent.host.split('.').collect();
    let Some(below) = labels.len().checked_sub(of_parent.len()) else { return false };
    (&tuple.scheme, tuple.port) == (&parent.scheme, parent.port)
        && labels[below..] == of_parent[..]
        && below > 0
        && labels[..below].iter().all(|label| !label.is_empty())
}

/// What an expression means that has no freedom but dots that are escaped.
fn literal(pattern: &str) -> Option<String> {
    let text = pattern.replace("\\.", "\u{1}");
    let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_:/@%\u{1}".contains(c));
    is_plain.then(|| text.replace('\u{1}', "."))
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
    let is_address = address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    let port = match &rest[host_len..] {
        [] if scheme == "http" || scheme == "ws" => 80,
        [] if scheme == "https" || scheme == "wss" => 443,
        [] => 0,
        [':', digits @ ..] if !digits.is_empty() && digits.iter().all(char::is_ascii_digit) => {
            digits.iter().collect::<String>().parse().ok()?
        }
        _ => return None,
    };
    // Of the spellings of an address one is compared.
    let host = match address.map(str::parse::<Ipv6Addr>) {
        Some(Ok(address)) => format!("[{address}]"),
        Some(Err(_)) | None => host,
    };
    let is_origin = !scheme.is_empty() && scheme.chars().all(is_scheme) && (is_name || is_address);
    is_origin.then_some(OriginTuple { scheme, host, port })
}
