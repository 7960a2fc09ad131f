//! Version 1: a line of text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use super::{Malformed, ProxyInfo, Scan};

/// What it begins with.
pub(super) const SIGNATURE: &[u8] = b"PROXY ";

/// Bytes of the longest line, with its end (2.1).
pub(super) const LINE_BYTES_MAX: usize = 107;

/// Looks for the end of a line that begins with the signature, or with a part of it.
pub(super) fn scan(bytes: &[u8]) -> Result<Scan, Malformed> {
    let within = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
    match within.iter().position(|byte| *byte == b'\n') {
        Some(end) => Ok(Scan::Whole(end + 1, line(&within[..end])?)),
        None if within.len() == LINE_BYTES_MAX => Err(Malformed::Endless),
        None => Ok(Scan::More),
    }
}

/// A line without its line feed.
fn line(line: &[u8]) -> Result<ProxyInfo, Malformed> {
    let told = line.strip_prefix(SIGNATURE).and_then(|rest| rest.strip_suffix(b"\r"));
    let told = told.and_then(|told| str::from_utf8(told).ok()).ok_or(Malformed::Line)?;
    if told.split(' ').next() == Some("UNKNOWN") {
        return Ok(ProxyInfo { addresses: None, secure: false }); // what follows it means nothing (2.1)
    }
    let words: Vec<_> = told.split(' ').collect();
    let [family, source, destination, source_port, destination_port] = words[..] else {
        return Err(Malformed::Line);
    };
    let address = |text| match family {
        "TCP4" => Ipv4Addr::from_str(text).map(IpAddr::V4).map_err(|_| Malformed::Line),
        "TCP6" => Ipv6Addr::from_str(text).map(IpAddr::V6).map_err(|_| Malformed::Line),
        _ => Err(Malformed::Line),
    };
    let source = SocketAddr::new(address(source)?, port(source_port)?);
    let destination = SocketAddr::new(address(destination)?, port(destination_port)?);
    Ok(ProxyInfo { addresses: Some((source, destination)), secure: false })
}

/// Digits alone, and no zero before others.
fn port(text: &str) -> Result<u16, Malformed> {
    let is_canonical =
        text.bytes().all(|digit| digit.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_canonical).ok_or(Malformed::Line)
}
