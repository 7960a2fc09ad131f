use core::{net::Ipv6Addr, str};

use super::{Headers, field::Single};

/// The longest host name: 255 bytes, which is all that the DNS could hold (RFC 3986 §3.2.2).
///
/// Keeps names that nobody can own out of tables and logs; a longer one is the client's fault.
pub const HOST_BYTES_MAX: usize = 255;

/// A host, of at most [`HOST_BYTES_MAX`], and an optional port, as a `Host` field or a request target names
/// them.
///
/// The form is narrower than RFC 3986 §3.2.2: a name is made of letters, digits, `-`, `.`, `_` and `~`. What
/// the RFC has beyond that, percent-encoding and sub-delimiters, occurs in no name that resolves, and two
/// parties could read it differently (a comma is what two `Host` lines become when something merges them).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    host: &'a str,
    port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Reads `name`, `name:port`, `[v6]` or `[v6]:port`; an empty port counts as none (RFC 3986 §3.2.3).
    ///
    /// # Errors
    /// [`HostError::Malformed`] for anything else, user information and blanks included.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, HostError> {
        let text = str::from_utf8(bytes).map_err(|_| HostError::Malformed)?;
        let (host, port) = split(text).ok_or(HostError::Malformed)?;
        let port = if port.is_empty() { None } else { Some(parse_port(port).ok_or(HostError::Malformed)?) };
        Ok(Self { host, port })
    }

    /// The authority in the `Host` field, of which there must be exactly one, whatever the form of the
    /// request target (RFC 9112 §3.2).
    ///
    /// # Errors
    /// The client's fault, and 400: no such field, several, or a value that is no authority.
    pub fn from_headers<H: Headers + ?Sized>(headers: &'a H) -> Result<Self, HostError> {
        match Single::of(headers, "host") {
            Single::Absent => Err(HostError::Missing),
            Single::One(value) => Self::parse(value),
            Single::Several => Err(HostError::Repeated),
        }
    }

    /// The host as it was written: not lower-cased, an IPv6 address in its brackets.
    pub fn host(&self) -> &'a str {
        self.host
    }

    /// The port, if one was written. The default is the scheme's, which is not known here.
    pub fn port(&self) -> Option<u16> {
        self.port
    }
}

/// What is wrong with the `Host` field of a request. The client's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// There is no `Host` field.
    #[error("the Host field is missing")]
    Missing,
    /// There are several `Host` fields, be they equal or not.
    #[error("there is more than one Host field, exactly one is allowed")]
    Repeated,
    /// The value is neither a name nor an address with an optional port.
    #[error("the Host field is not a name or address with an optional port")]
    Malformed,
}

/// Host and port; the port is empty if there is none.
fn split(text: &str) -> Option<(&str, &str)> {
    if text.starts_with('[') {
        let (host, rest) = text.split_at_checked(text.find(']')? + 1)?;
        let address = host.strip_prefix('[')?.strip_suffix(']')?;
        let _: Ipv6Addr = address.parse().ok()?;
        let port = if rest.is_empty() { rest } else { rest.strip_prefix(':')? };
        return Some((host, port));
    }
    let (host, port) = text.split_once(':').unwrap_or((text, ""));
    let is_name = (1..=HOST_BYTES_MAX).contains(&host.len()) && host.bytes().all(is_name_byte);
    is_name.then_some((host, port))
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Digits only: the number parser of the language would take a sign.
fn parse_port(text: &str) -> Option<u16> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_with_an_optional_port() {
        let table = [
            ("gw.test", "gw.test", None),
            ("GW.test.:8080", "GW.test.", Some(8080)),
            ("my_service:", "my_service", None),
            ("127.0.0.1:65535", "127.0.0.1", Some(65535)),
            ("[::1]", "[::1]", None),
            ("[2001:db8::1]:443", "[2001:db8::1]", Some(443)),
            ("[::ffff:10.0.0.1]:1", "[::ffff:10.0.0.1]", Some(1)),
        ];
        for (text, host, port) in table {
            assert_eq!(Authority::parse(text.as_bytes()), Ok(Authority { host, port }), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let table: &[&[u8]] = &[
            b"",
            b":80",
            b"a b",
            b"a/b",
            b"u@h",
            b"a,b",
            b"a%2eb",
            b"a:80:80",
            b"a:x",
            b"a:+80",
            b"a:65536",
            b"a:80 ",
            b"::1",
            b"[::1",
            b"[]",
            b"[::1]80",
            b"[::1]:x",
            b"[::1%25eth0]",
            b"[gw.test]",
            b"[[::1]]",
            b"\xff",
            b"caf\xc3\xa9.test",
            b"a\0",
            b"a?b",
            b"a#b",
            b"a\\b",
        ];
        for bytes in table {
            let found = Authority::parse(bytes);
            assert_eq!(found, Err(HostError::Malformed), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn the_bound_of_a_name_is_exact() {
        let longest = "a".repeat(HOST_BYTES_MAX);
        assert_eq!(Authority::parse(longest.as_bytes()).unwrap().host(), longest);
        let longer = longest + "a";
        assert_eq!(Authority::parse(longer.as_bytes()), Err(HostError::Malformed));
    }

    #[test]
    fn exactly_one_field_even_if_both_agree() {
        let none: [(&str, &str); 0] = [];
        assert_eq!(Authority::from_headers(none.as_slice()), Err(HostError::Missing));
        let two = [("Host", "a"), ("host", "a")];
        assert_eq!(Authority::from_headers(two.as_slice()), Err(HostError::Repeated));
        let one = [("Host", " gw.test:80 ")];
        let authority = Authority::from_headers(one.as_slice()).unwrap();
        assert_eq!((authority.host(), authority.port()), ("gw.test", Some(80)));
    }
}
