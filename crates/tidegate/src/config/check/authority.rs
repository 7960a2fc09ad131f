//! Host names and `host:port`.

use std::net::Ipv6Addr;

use crate::config::Authority;
use crate::config::diagnostic::Fault;

/// `host[:port]`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HostPort {
    /// Lower-case; an IPv6 address in brackets, in its shortest form.
    pub(super) host: String,
    pub(super) port: Option<u16>,
}

/// Reads `host`, `host:port`, `[::1]` or `[::1]:port`.
pub(super) fn host_port(text: &str) -> Result<HostPort, Fault> {
    if text.contains('@') {
        return Err(Fault::new("contains a user name", "write host and port only"));
    }
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let Some((address, after)) = rest.split_once(']') else {
            return Err(Fault::new("has an opening bracket only", "write an IPv6 address as [::1]"));
        };
        // However it is spelt: what requests and origins have is brought into the same form.
        let Ok(address) = address.parse::<Ipv6Addr>() else {
            return Err(Fault::new("has no IPv6 address in its brackets", "write it as [::1]"));
        };
        (format!("[{address}]"), after)
    } else {
        let end = text.find(':').unwrap_or(text.len());
        if text.matches(':').count() > 1 {
            return Err(Fault::new(
                "has more than one colon",
                "put an IPv6 address in brackets, as in [::1]:80",
            ));
        }
        (host_name(&text[..end])?, &text[end..])
    };
    let port = match port.strip_prefix(':') {
        Some(digits) => Some(port_number(digits)?),
        None if port.is_empty() => None,
        None => {
            return Err(Fault::new("has something between bracket and port", "write [ADDRESS]:PORT"));
        }
    };
    Ok(HostPort { host, port })
}

impl HostPort {
    /// The form for connecting: no brackets.
    pub(super) fn into_authority(self, port: u16) -> Authority {
        let host = self.host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Authority { host, port }
    }
}

/// A host name or an IPv4 address, in lower case.
pub(super) fn host_name(text: &str) -> Result<String, Fault> {
    if text.is_empty() {
        return Err(Fault::new("has no host", "write a host name or an IP address"));
    }
    if !text.is_ascii() {
        return Err(Fault::new("has a host that is not ASCII", "write the host in its xn-- form"));
    }
    let label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if text.len() > NAME_BYTES_MAX || !text.split('.').all(label) {
        return Err(Fault::new(
            "has no valid host",
            "write labels of letters, digits, - and _ with dots between them, as in www.example.com",
        ));
    }
    Ok(text.to_ascii_lowercase())
}

fn port_number(digits: &str) -> Result<u16, Fault> {
    // `u16::from_str` alone would let a sign pass.
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    match digits.parse() {
        Ok(port) if plain && port != 0 => Ok(port),
        _ => Err(Fault::new(
            format!("has no valid port ({})", digits.escape_debug()),
            "write a port from 1 to 65535",
        )),
    }
}

/// DNS (RFC 1035 §2.3.4).
const LABEL_BYTES_MAX: usize = 63;
const NAME_BYTES_MAX: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_host_and_a_port() {
        for (text, host, port) in [
            ("vnc", "vnc", None),
            ("VNC.Example.com:5900", "vnc.example.com", Some(5900)),
            ("127.0.0.1:1", "127.0.0.1", Some(1)),
            ("my_service:65535", "my_service", Some(65535)),
            ("[::1]:80", "[::1]", Some(80)),
            ("[FE80::1]", "[fe80::1]", None),
            ("[0:0:0:0:0:0:0:1]:80", "[::1]", Some(80)),
            ("[::ffff:102:304]", "[::ffff:1.2.3.4]", None),
        ] {
            assert_eq!(host_port(text), Ok(HostPort { host: host.to_owned(), port }), "{text}");
        }
    }

    #[test]
    fn what_is_not() {
        for (text, problem) in [
            ("", "has no host"),
            (":80", "has no host"),
            ("a:0", "has no valid port (0)"),
            ("a:", "has no valid port ()"),
            ("a:+1", "has no valid port (+1)"),
            ("a:65536", "has no valid port (65536)"),
            ("a:http", "has no valid port (http)"),
            ("::1", "has more than one colon"),
            ("[::1", "has an opening bracket only"),
            ("[vnc]:80", "has no IPv6 address in its brackets"),
            ("[::1]80", "has something between bracket and port"),
            ("me@a:80", "contains a user name"),
            ("a b:80", "has no valid host"),
            ("a..b", "has no valid host"),
            ("a.", "has no valid host"),
            ("bücher.example", "has a host that is not ASCII"),
        ] {
            assert_eq!(host_port(text).unwrap_err().problem, problem, "{text}");
        }
        assert!(host_name(&"a".repeat(64)).is_err());
        assert!(host_name(&["a"; 128].join(".")).is_err());
    }

    #[test]
    fn brackets_are_not_for_connecting() {
        let authority = host_port("[::1]:80").unwrap().into_authority(80);
        assert_eq!(authority, Authority { host: "::1".to_owned(), port: 80 });
    }
}
