//! Paths in the one form in which they are compared and passed on.

/// The one form of a path that the patterns of routes, policy and backend all see.
///
/// Whoever decodes it, or merges its slashes, takes all spellings of a path for one, so they are made one here before
/// anything is decided (RFC 3986 §6.2.2.2):
///
/// - What may stand raw in a segment (`pchar`: unreserved characters, sub-delimiters, `:` and `@`) stands raw, however
///   it was written. A `;` is a character like others here; that backends may make something else of it is dealt with
///   where routes are chosen.
/// - Every other byte is an escape in upper case: `%25`, `%3F` and `%23`, but also a raw `"`, `|` or `é`.
/// - Slashes that stand together are one, as file systems and most servers have it.
/// - What two parsers could read differently is not repaired but refused: `%2F`, `%5C`, a backslash, `%00`, escapes that
///   are none, and the segments `.` and `..`, also with parameters behind them (`..;`), which servlets cut off.
///
/// # Errors
/// [`BadPath`]: 400, the client's fault.
pub(crate) fn canonical_path(raw: &str) -> Result<String, BadPath> {
    if !raw.starts_with('/') {
        return Err(BadPath);
    }
    let mut path = String::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'/' if path.ends_with('/') => {}
            b'/' => path.push('/'),
            b'\\' => return Err(BadPath),
            b'%' => match escaped(&mut bytes)? {
                0 | b'/' | b'\\' => return Err(BadPath),
                byte => push(&mut path, byte),
            },
            byte => push(&mut path, byte),
        }
    }
    let is_dots = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
    if path.split('/').any(is_dots) { Err(BadPath) } else { Ok(path) }
}

/// The byte that the two digits behind a percent sign stand for.
fn escaped(bytes: &mut impl Iterator<Item = u8>) -> Result<u8, BadPath> {
    let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16)).ok_or(BadPath);
    let (high, low) = (digit()?, digit()?);
    u8::try_from(high << 4 | low).map_err(|_| BadPath)
}

fn push(path: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if is_pchar(byte) {
        path.push(char::from(byte));
    } else {
        path.push('%');
        path.extend([byte >> 4, byte & 15].map(|digit| char::from(DIGITS[usize::from(digit)])));
    }
}

/// Whether it stands raw in a segment (RFC 3986 §3.3).
pub(crate) fn is_pchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte)
}

/// A path without what stands behind a `;` in its segments, in the one form again: as servlets read it.
pub(crate) fn without_parameters(path: &str) -> String {
    let mut bare = String::with_capacity(path.len());
    for part in path.split_inclusive('/') {
        let (segment, slash) = part.strip_suffix('/').map_or((part, false), |segment| (segment, true));
        bare.push_str(segment.split(';').next().unwrap_or_default());
        if slash && !bare.ends_with('/') {
            bare.push('/');
        }
    }
    bare
}

/// A path that is refused rather than guessed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the path has dot segments or escapes that do not belong in it")]
pub struct BadPath;

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn t055_one_canonical_form() {
        for (raw, canonical) in [
            ("/ws", "/ws"),
            ("/%77s", "/ws"),
            ("/a%20b", "/a%20b"),
            ("/a%c3%a9", "/a%C3%A9"),
            ("/aé", "/a%C3%A9"),
            ("/a%7e", "/a~"),
            ("//ws", "/ws"),
            ("/a///b//", "/a/b/"),
            ("/%40team/%21%24%26%27%28%29%2a%2B%2c%3B%3d%3A", "/@team/!$&'()*+,;=:"),
            ("/ws;x=1", "/ws;x=1"),
            ("/%25%3f%23%ff%7F%01", "/%25%3F%23%FF%7F%01"),
            ("/\"[]^{|}\u{7f}", "/%22%5B%5D%5E%7B%7C%7D%7F"),
            ("/...", "/..."),
        ] {
            assert_eq!(canonical_path(raw).as_deref(), Ok(canonical));
        }
        for raw in [
            "/ws/%2e%2e/admin",
            "/ws/../admin",
            "/./ws",
            "/ws/..",
            "/ws/..;/admin",
            "/ws/.%2e%3bx=1/admin",
            "/ws%00",
            "/a%2fb",
            "/a%5cb",
            "/a\\b",
            "/%",
            "/%2",
            "/%zz",
            "/%+1",
            "/%é",
            "ws",
            "*",
            "",
        ] {
            assert_eq!(canonical_path(raw), Err(BadPath), "{raw}");
        }
    }

    #[test]
    fn t055_parameters_are_cut_from_each_segment() {
        for (path, bare) in [
            ("/a/b", "/a/b"),
            ("/a;x/b", "/a/b"),
            ("/a;x=1;y/b;z", "/a/b"),
            ("/a/;x", "/a/"),
            ("/;x/a", "/a"),
            ("/a/;/;x/b/", "/a/b/"),
            ("/;", "/"),
            ("/a;/", "/a/"),
        ] {
            assert_eq!(without_parameters(path), bare, "{path}");
        }
    }

    /// What a server makes of a path that decodes it and merges its slashes.
    fn as_read(path: &str) -> Vec<u8> {
        let mut read: Vec<u8> = percent_decode_str(path).collect();
        read.dedup_by(|next, before| (*next, *before) == (b'/', b'/'));
        read
    }

    /// Paths of a few characters of each kind, and for each character whether it is escaped, and in which case.
    fn characters() -> impl Strategy<Value = Vec<(char, u8, u8)>> {
        let any = proptest::sample::select("//ab.~;:@+=%?# \"|éß\u{9b}".chars().collect::<Vec<_>>());
        proptest::collection::vec((any, 0..3_u8, 0..3_u8), 0..16)
    }

    /// A spelling of them; what may not stand raw in a request target is escaped in any case.
    fn spelt(characters: impl Iterator<Item = (char, u8)>) -> String {
        characters.fold("/".to_owned(), |path, (character, how)| {
            let raw = character == '/' || how == 0 && !"%?# ".contains(character);
            let escape = |byte| if how == 1 { format!("%{byte:02x}") } else { format!("%{byte:02X}") };
            let mut utf8 = [0; 4];
            let bytes = character.encode_utf8(&mut utf8).bytes();
            path + &if raw { character.to_string() } else { bytes.map(escape).collect() }
        })
    }

    proptest! {
        #[test]
        fn t055_spellings_that_are_read_alike_have_one_form(characters in characters()) {
            let one = spelt(characters.iter().map(|(character, how, _)| (*character, *how)));
            let other = spelt(characters.iter().map(|(character, _, how)| (*character, *how)));
            prop_assert_eq!(as_read(&one), as_read(&other));
            prop_assert_eq!(canonical_path(&one), canonical_path(&other));
            prop_assert_eq!(canonical_path(&one), canonical_path(&format!("/{one}")));
        }

        #[test]
        fn t055_the_form_is_its_own_and_is_read_as_what_was_written(raw in "/[ -~é]{0,12}") {
            if let Ok(path) = canonical_path(&raw) {
                prop_assert_eq!(canonical_path(&path), Ok(path.clone()));
                prop_assert_eq!(as_read(&path), as_read(&raw));
                prop_assert!(path.bytes().all(|byte| byte == b'/' || byte == b'%' || is_pchar(byte)));
            }
        }
    }
}
