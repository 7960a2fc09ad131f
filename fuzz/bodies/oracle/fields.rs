//! The conditions of an opening handshake (RFC 6455 §4, RFC 9110 §5.6), one line each.

use std::net::Ipv6Addr;

use super::sha1::sha1;

pub(crate) fn trim(value: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| *byte == b' ' || *byte == b'\t';
    let start = value.iter().position(|byte| !is_blank(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    &value[start..end]
}

pub(crate) fn elements(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|&byte| byte == b',').map(trim)
}

pub(crate) fn is_token(text: &[u8]) -> bool {
    let is_separator = |byte: &u8| br#"()<>@,;:\"/[]?={}"#.contains(byte);
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_graphic() && !is_separator(byte))
}

/// A list of elements, which may be empty, that has this one, whatever the case.
fn lists(lines: &[&[u8]], wanted: &str, is_element: fn(&[u8]) -> bool) -> bool {
    let all: Vec<&[u8]> =
        lines.iter().flat_map(|line| elements(line)).filter(|element| !element.is_empty()).collect();
    all.iter().all(|element| is_element(element))
        && all.iter().any(|element| element.eq_ignore_ascii_case(wanted.as_bytes()))
}

/// `Upgrade` of a request: a list of protocols, each with or without a version.
pub(crate) fn upgrades_to_websocket(lines: &[&[u8]]) -> bool {
    lists(lines, "websocket", |element| element.splitn(2, |&byte| byte == b'/').all(is_token))
}

pub(crate) fn connection_upgrades(lines: &[&[u8]]) -> bool {
    lists(lines, "upgrade", is_token)
}

/// Exactly one line, and its value.
pub(crate) fn only<'a>(lines: &[&'a [u8]]) -> Option<&'a [u8]> {
    if let [value] = lines { Some(trim(value)) } else { None }
}

pub(crate) fn is_authority(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (text, ""),
    };
    let is_port =
        port.bytes().all(|byte| byte.is_ascii_digit()) && (port.is_empty() || port.parse::<u16>().is_ok());
    let is_name = (1..=255).contains(&host.len())
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    is_port && (is_name || address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()))
}

/// 16 bytes in base64: 22 digits and two of padding.
pub(crate) fn is_key(key: &[u8]) -> bool {
    key.len() == 24
        && key.ends_with(b"==")
        && key[..22].iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(byte))
}

/// What answers a key (§4.2.2, item 5).
pub(crate) fn accept(key: &[u8]) -> String {
    let digest = sha1(&[key, b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"].concat());
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in digest.chunks(3) {
        let bits =
            group.iter().fold(0usize, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = char::from(alphabet[bits >> (18 - 6 * place) & 63]);
            text.push(if place <= group.len() { digit } else { '=' });
        }
    }
    text
}

/// §11.3.4: tokens, none empty, none twice, and no more of them than we take.
pub(crate) fn are_subprotocols(lines: &[&[u8]]) -> bool {
    let all: Vec<_> = lines.iter().flat_map(|line| elements(line)).collect();
    let is_new = |(index, name): (usize, &&[u8])| !all[..index].contains(name);
    all.len() <= 100 && all.iter().all(|name| is_token(name)) && all.iter().enumerate().all(is_new)
}

/// An extension: its name, and its parameters with their values.
pub(crate) type Extension = (String, Vec<(String, Option<String>)>);

/// §9.1. What is quoted must be a token, so no separator ever stands in a quoted string.
pub(crate) fn extensions(lines: &[&[u8]]) -> Option<Vec<Extension>> {
    let all = lines.iter().flat_map(|line| elements(line)).filter(|element| !element.is_empty());
    let all: Vec<Extension> = all.map(extension).collect::<Option<_>>()?;
    let fits = all.len() <= 32 && all.iter().all(|(_, parameters)| parameters.len() <= 16);
    (fits && lines.is_empty() == all.is_empty()).then_some(all)
}

fn extension(element: &[u8]) -> Option<Extension> {
    let mut parts = element.split(|&byte| byte == b';').map(trim);
    let name = token(parts.next()?)?;
    Some((name, parts.map(parameter).collect::<Option<_>>()?))
}

fn parameter(part: &[u8]) -> Option<(String, Option<String>)> {
    let mut sides = part.splitn(2, |&byte| byte == b'=').map(trim);
    let name = token(sides.next()?)?;
    let value = match sides.next() {
        None => None,
        Some([b'"', quoted @ .., b'"']) => Some(token(&unescaped(quoted)?)?),
        Some(plain) => Some(token(plain)?),
    };
    Some((name, value))
}

/// Without the backslashes; a last one would make the closing quote part of the string.
fn unescaped(quoted: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = quoted.iter();
    let mut plain = Vec::new();
    while let Some(&byte) = bytes.next() {
        plain.push(if byte == b'\\' { *bytes.next()? } else { byte });
    }
    Some(plain)
}

fn token(text: &[u8]) -> Option<String> {
    is_token(text).then(|| String::from_utf8_lossy(text).into_owned())
}
