//! The pieces of field grammar that the handshake needs (RFC 9110 §5.6).

use super::Headers;

/// What a field that may occur once holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Single<'a> {
    Absent,
    /// The value without the blanks around it.
    One(&'a [u8]),
    Several,
}

impl<'a> Single<'a> {
    pub(super) fn of<H: Headers + ?Sized>(headers: &'a H, name: &'a str) -> Self {
        let mut values = headers.values(name);
        match (values.next(), values.next()) {
            (None, _) => Self::Absent,
            (Some(value), None) => Self::One(trim(value)),
            (Some(_), Some(_)) => Self::Several,
        }
    }
}

/// Whether a list field names something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listing {
    Absent,
    Malformed,
    Without,
    Names,
}

impl Listing {
    /// `Connection`: a list of tokens (RFC 9110 §7.6.1).
    pub(super) fn of_connection<H: Headers + ?Sized>(headers: &H, wanted: &str) -> Self {
        Self::of(headers.values("connection"), wanted, |element| token(element).is_some())
    }

    /// `Upgrade`: a list of protocol names, each with an optional version (RFC 9110 §7.8).
    pub(super) fn of_upgrade<H: Headers + ?Sized>(headers: &H, wanted: &str) -> Self {
        Self::of(headers.values("upgrade"), wanted, is_protocol)
    }

    /// Empty elements are skipped, as RFC 9110 §5.6.1.2 asks of a recipient.
    fn of<'a>(
        lines: impl Iterator<Item = &'a [u8]>,
        wanted: &str,
        is_element: impl Fn(&[u8]) -> bool,
    ) -> Self {
        let mut listing = Self::Absent;
        for line in lines {
            if listing == Self::Absent {
                listing = Self::Without;
            }
            for element in elements(line).filter(|element| !element.is_empty()) {
                if !is_element(element) {
                    return Self::Malformed;
                }
                if element.eq_ignore_ascii_case(wanted.as_bytes()) {
                    listing = Self::Names;
                }
            }
        }
        listing
    }
}

/// The elements of one line of a list whose elements hold no quoted strings, without the blanks around them.
pub(super) fn elements(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|&byte| byte == b',').map(trim)
}

/// Cuts off spaces and tabs at both ends: the only blanks a field value may have there (RFC 9110 §5.6.3).
pub(super) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// The bytes as text if they are a token (RFC 9110 §5.6.2), so at least one byte long and plain ASCII.
pub(super) fn token(bytes: &[u8]) -> Option<&str> {
    let is_token = !bytes.is_empty() && bytes.iter().copied().all(is_token_byte);
    if is_token { core::str::from_utf8(bytes).ok() } else { None }
}

pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_protocol(element: &[u8]) -> bool {
    let mut parts = element.splitn(2, |&byte| byte == b'/');
    parts.all(|part| token(part).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_field_is_absent_malformed_without_or_names_the_word() {
        let table: &[(&[&str], Listing)] = &[
            (&[], Listing::Absent),
            (&[""], Listing::Without),
            (&["h2c"], Listing::Without),
            (&["websocket"], Listing::Names),
            (&["WEBSOCKET"], Listing::Names),
            (&["h2c,\t websocket ,"], Listing::Names),
            (&["h2c", "websocket"], Listing::Names),
            (&["websocket2"], Listing::Without),
            (&["websocket/13"], Listing::Without),
            (&["HTTP/2.0, websocket"], Listing::Names),
            (&["web socket"], Listing::Malformed),
            (&["websocket, a/b/c"], Listing::Malformed),
            (&["websocket;q=1"], Listing::Malformed),
            (&["websocket", "\"websocket\""], Listing::Malformed),
        ];
        for (lines, expected) in table {
            let lines = lines.iter().map(|line| line.as_bytes());
            assert_eq!(Listing::of(lines.clone(), "websocket", is_protocol), *expected, "{lines:?}");
        }
    }

    #[test]
    fn connection_options_have_no_version() {
        let fields = [("connection", "keep-alive, Upgrade/1")];
        assert_eq!(Listing::of_connection(fields.as_slice(), "upgrade"), Listing::Malformed);
    }

    #[test]
    fn a_single_field_counts_lines_and_trims() {
        let fields = [("a", "\t 1 2 "), ("b", "1"), ("b", "1")];
        assert_eq!(Single::of(fields.as_slice(), "a"), Single::One(b"1 2"));
        assert_eq!(Single::of(fields.as_slice(), "b"), Single::Several);
        assert_eq!(Single::of(fields.as_slice(), "c"), Single::Absent);
    }

    #[test]
    fn only_spaces_and_tabs_are_trimmed() {
        assert_eq!(trim(b" \t a\t b \t"), b"a\t b");
        assert_eq!(trim(b" \t "), b"");
        assert_eq!(trim(b"\x0b1\r\n"), b"\x0b1\r\n");
    }

    #[test]
    fn tokens_are_the_77_bytes_of_the_grammar() {
        assert_eq!((0..=u8::MAX).filter(|&byte| is_token_byte(byte)).count(), 26 + 26 + 10 + 15);
        assert_eq!(token(b"permessage-deflate"), Some("permessage-deflate"));
        for not in ["", "a b", "a,b", "a;b", "a=b", "\"a\"", "a/b", "chat\u{3a9}", "a\r\n", "\0"] {
            assert_eq!(token(not.as_bytes()), None, "{not:?}");
        }
    }
}
