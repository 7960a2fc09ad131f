//! Passwords and tokens: they come from files and the environment, and are never shown.

use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::named_file;

/// Bytes of the longest secret.
const SECRET_BYTES_MAX: u64 = 8 << 10;

/// A text that `Debug` does not show.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(String);

/// Why there is no secret. The operator's fault.
#[derive(Debug, thiserror::Error)]
pub(super) enum SecretError {
    /// The system does not give it to us.
    #[error("cannot read {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Empty, too long, or with characters that no header field may have.
    #[error("{0} must be one line of 1 byte to 8 KiB, without control characters")]
    Unusable(String),
}

impl Secret {
    /// The one line of a file.
    pub(super) fn read(path: &Path) -> Result<Self, SecretError> {
        let mut text = String::new();
        named_file::open(path)
            .and_then(|file| file.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text))
            .map_err(|error| SecretError::Unreadable { path: path.to_owned(), error })?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        Self::checked(line.strip_suffix('\r').unwrap_or(line), &path.display().to_string())
    }

    /// The value of an environment variable, where it is set.
    pub(super) fn from_env(name: &str) -> Result<Option<Self>, SecretError> {
        let Some(value) = std::env::var_os(name) else { return Ok(None) };
        let value = value.into_string().map_err(|_| SecretError::Unusable(name.to_owned()))?;
        Self::checked(&value, name).map(Some)
    }

    /// `Basic …` (RFC 7617 §2).
    pub(super) fn basic(user: &str, password: &Self) -> Self {
        Self(format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.0))))
    }

    /// `Bearer …` (RFC 6750 §2.1).
    pub(super) fn bearer(token: &Self) -> Self {
        Self(format!("Bearer {}", token.0))
    }

    /// A header field's value that is secret and already checked.
    pub(super) fn of_field(value: &str) -> Self {
        Self(value.to_owned())
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    fn checked(text: &str, source: &str) -> Result<Self, SecretError> {
        let fits = !text.is_empty() && text.len() as u64 <= SECRET_BYTES_MAX;
        if fits && !text.chars().any(char::is_control) {
            Ok(Self(text.to_owned()))
        } else {
            Err(SecretError::Unusable(source.to_owned()))
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        for (text, secret) in [("opensesame", "opensesame"), ("a b\n", "a b"), ("ä\r\n", "ä")] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(Secret::read(&file).unwrap().expose(), secret);
        }
        for text in ["", "\n", "a\nb", "a\0", &"x".repeat(9000)] {
            std::fs::write(&file, text).unwrap();
            assert!(matches!(Secret::read(&file), Err(SecretError::Unusable(_))), "{text:?}");
        }
    }

    #[test]
    fn the_example_of_rfc_7617_and_nothing_of_it_is_shown() {
        let basic = Secret::basic("Aladdin", &Secret("open sesame".into()));
        assert_eq!(basic.expose(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(format!("{basic:?}"), "Secret");
    }
}
