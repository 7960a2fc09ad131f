//! Paths in the one form in which they are compared and passed on.

/// The one form of a path that routes, policy and backend all see.
///
/// Percent-encoded unreserved characters are decoded (RFC 3986 §6.2.2.2), other escapes are kept in upper case. A path
/// that two parsers could read differently is not repaired but refused: dot segments, `%00`, encoded slashes and
/// backslashes, escapes that are none.
///
/// # Errors
/// [`BadPath`]: 400, the client's fault.
pub(crate) fn canonical_path(raw: &str) -> Result<String, BadPath> {
    if !raw.starts_with('/') {
        return Err(BadPath);
    }
    let mut path = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('%') {
        let escape = rest.get(at + 1..at + 3).ok_or(BadPath)?;
        if !escape.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(BadPath);
        }
        let byte = u8::from_str_radix(escape, 16).map_err(|_| BadPath)?;
        path.push_str(&rest[..at]);
        match byte {
            b'-' | b'.' | b'_' | b'~' => path.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => path.push(char::from(byte)),
            0 | b'/' | b'\\' => return Err(BadPath),
            _ => {
                path.push('%');
                path.push_str(&escape.to_ascii_uppercase());
            }
        }
        rest = &rest[at + 3..];
    }
    path.push_str(rest);
    if path.contains('\\') || path.split('/').any(|segment| segment == "." || segment == "..") {
        return Err(BadPath);
    }
    Ok(path)
}

/// A path that is refused rather than guessed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the path has dot segments or escapes that do not belong in it")]
pub struct BadPath;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t055_one_canonical_form() {
        for (raw, canonical) in [
            ("/ws", "/ws"),
            ("/%77s", "/ws"),
            ("/a%20b", "/a%20b"),
            ("/a%c3%a9", "/a%C3%A9"),
            ("/a%7e", "/a~"),
            ("//ws", "//ws"),
        ] {
            assert_eq!(canonical_path(raw).as_deref(), Ok(canonical));
        }
        for raw in [
            "/ws/%2e%2e/admin",
            "/ws/../admin",
            "/./ws",
            "/ws%00",
            "/a%2fb",
            "/a%5cb",
            "/a\\b",
            "/%",
            "/%2",
            "/%zz",
            "/%+1",
            "ws",
            "*",
        ] {
            assert_eq!(canonical_path(raw), Err(BadPath), "{raw}");
        }
    }
}
