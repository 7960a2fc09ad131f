use alloc::{string::String, vec::Vec};

use crate::handshake::field::{is_token_byte, token};

use super::{Extension, Parameter};

/// The most extensions one header may list: 32. Whoever lists more is at fault.
///
/// Bounds, with [`EXTENSION_PARAMETERS_MAX`], the memory that a list takes next to the head it came from.
pub const EXTENSIONS_MAX: usize = 32;

/// The most parameters one extension may have: 16. permessage-deflate has four.
pub const EXTENSION_PARAMETERS_MAX: usize = 16;

/// Why a list of extensions is refused. Positions count bytes from the start of the field line, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtensionsError {
    /// The field is there, but lists nothing.
    #[error("the list of extensions is empty")]
    Empty,
    /// A name, of an extension or a parameter, is not a token.
    #[error("expected a token at byte {at} of the list of extensions")]
    NameExpected {
        /// Where the name should start.
        at: usize,
    },
    /// After an equals sign there is neither a token nor a quoted string.
    #[error("expected a token or a quoted string at byte {at} of the list of extensions")]
    ValueExpected {
        /// Where the value should start.
        at: usize,
    },
    /// A quoted string is empty, or what it quotes is not a token.
    #[error("expected a quoted token before byte {at} of the list of extensions")]
    QuotedNotToken {
        /// The byte after the one that is not allowed.
        at: usize,
    },
    /// A quoted string has no end.
    #[error("the quoted string that ends the list of extensions is not closed")]
    QuoteOpen,
    /// Something other than a separator follows a name or value.
    #[error("expected a separator or the end at byte {at} of the list of extensions")]
    SeparatorExpected {
        /// Where the separator should be.
        at: usize,
    },
    /// There are more than [`EXTENSIONS_MAX`] extensions.
    #[error("more than {EXTENSIONS_MAX} extensions are listed")]
    TooMany,
    /// An extension has more than [`EXTENSION_PARAMETERS_MAX`] parameters.
    #[error("an extension has more than {EXTENSION_PARAMETERS_MAX} parameters")]
    TooManyParameters,
}

/// Every extension of every line. A field that is there must list something, but not in each
/// of its lines.
///
/// Reading line by line is reading them joined: the comma between two lines is no part of any element.
pub(super) fn list<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Extension>, ExtensionsError> {
    let mut lines = lines.peekable();
    let is_absent = lines.peek().is_none();
    let mut list = Vec::new();
    for line in lines {
        Cursor::new(line).list(&mut list)?;
    }
    if list.is_empty() && !is_absent { Err(ExtensionsError::Empty) } else { Ok(list) }
}

/// Walks along one field line, and never back.
struct Cursor<'a> {
    line: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn new(line: &'a [u8]) -> Self {
        Self { line, rest: line }
    }

    fn list(mut self, list: &mut Vec<Extension>) -> Result<(), ExtensionsError> {
        loop {
            self.skip_blanks();
            if !matches!(self.rest.first(), None | Some(b',')) {
                if list.len() == EXTENSIONS_MAX {
                    return Err(ExtensionsError::TooMany);
                }
                list.push(self.extension()?);
            }
            if self.rest.is_empty() {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(ExtensionsError::SeparatorExpected { at: self.at() });
            }
        }
    }

    /// An extension and the blanks after it.
    fn extension(&mut self) -> Result<Extension, ExtensionsError> {
        let name = self.name()?;
        let mut parameters = Vec::new();
        self.skip_blanks();
        while self.take(b';') {
            if parameters.len() == EXTENSION_PARAMETERS_MAX {
                return Err(ExtensionsError::TooManyParameters);
            }
            parameters.push(self.parameter()?);
        }
        Ok(Extension { name, parameters })
    }

    /// A parameter and the blanks around it.
    fn parameter(&mut self) -> Result<Parameter, ExtensionsError> {
        self.skip_blanks();
        let name = self.name()?;
        self.skip_blanks();
        let value = if self.take(b'=') { Some(self.value()?) } else { None };
        self.skip_blanks();
        Ok(Parameter { name, value })
    }

    fn name(&mut self) -> Result<String, ExtensionsError> {
        self.token().ok_or(ExtensionsError::NameExpected { at: self.at() })
    }

    fn value(&mut self) -> Result<String, ExtensionsError> {
        self.skip_blanks();
        if self.take(b'"') {
            return self.quoted();
        }
        self.token().ok_or(ExtensionsError::ValueExpected { at: self.at() })
    }

    /// What stands between the opening quote, taken already, and the closing one. A backslash makes the byte
    /// after it stand for itself (RFC 9110 §5.6.4), which must still be a byte of a token.
    fn quoted(&mut self) -> Result<String, ExtensionsError> {
        let mut content = String::new();
        loop {
            let (byte, is_escaped) = match self.byte()? {
                b'\\' => (self.byte()?, true),
                byte => (byte, false),
            };
            if is_token_byte(byte) {
                content.push(char::from(byte));
            } else if byte == b'"' && !is_escaped && !content.is_empty() {
                return Ok(content);
            } else {
                return Err(ExtensionsError::QuotedNotToken { at: self.at() });
            }
        }
    }

    /// The longest token from here on, if there is one.
    fn token(&mut self) -> Option<String> {
        let length = self.rest.iter().take_while(|&&byte| is_token_byte(byte)).count();
        let (name, rest) = self.rest.split_at_checked(length)?;
        let name = token(name)?;
        self.rest = rest;
        Some(name.into())
    }

    /// The next byte of a quoted string.
    fn byte(&mut self) -> Result<u8, ExtensionsError> {
        let (&byte, rest) = self.rest.split_first().ok_or(ExtensionsError::QuoteOpen)?;
        self.rest = rest;
        Ok(byte)
    }

    /// Steps over `byte` if it comes next.
    fn take(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((&next, rest)) if next == byte => {
                self.rest = rest;
                true
            }
            Some(_) | None => false,
        }
    }

    fn skip_blanks(&mut self) {
        while let [b' ' | b'\t', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    fn at(&self) -> usize {
        self.line.len() - self.rest.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::Extensions;
    use alloc::{format, vec};

    fn parse(line: &str) -> Result<Extensions, ExtensionsError> {
        line.parse()
    }

    #[test]
    fn every_breach_of_the_grammar_is_located() {
        use ExtensionsError::*;
        let table = [
            ("", Empty),
            (" , ,", Empty),
            (",;constructor", NameExpected { at: 1 }),
            ("=a", NameExpected { at: 0 }),
            ("a;", NameExpected { at: 2 }),
            ("a;;b", NameExpected { at: 2 }),
            ("a; ,b", NameExpected { at: 3 }),
            ("a;=1", NameExpected { at: 2 }),
            ("\"a\"", NameExpected { at: 0 }),
            ("a;b=", ValueExpected { at: 4 }),
            ("a;b=,c", ValueExpected { at: 4 }),
            ("a;b==", ValueExpected { at: 4 }),
            ("a=\"", SeparatorExpected { at: 1 }),
            ("a b", SeparatorExpected { at: 2 }),
            ("a;b c", SeparatorExpected { at: 4 }),
            ("a;b=\"c\"d", SeparatorExpected { at: 7 }),
            ("a/b", SeparatorExpected { at: 1 }),
            ("a\u{3a9}", SeparatorExpected { at: 1 }),
            ("a\0", SeparatorExpected { at: 1 }),
            ("a;b=\"", QuoteOpen),
            ("a;b=\"c", QuoteOpen),
            ("permessage-deflate; x=\"\\", QuoteOpen),
            ("a;b=\"c\\", QuoteOpen),
            ("a;b=\"\"", QuotedNotToken { at: 6 }),
            ("a;b=\"c d\"", QuotedNotToken { at: 7 }),
            ("a;b=\"c\\\"\"", QuotedNotToken { at: 8 }),
            ("a;b=\"\\\\\"", QuotedNotToken { at: 7 }),
            ("a;b=\"c,d\"", QuotedNotToken { at: 7 }),
        ];
        for (line, error) in table {
            assert_eq!(parse(line), Err(error), "{line}");
        }
        assert_eq!(Extensions::parse([b"a".as_slice(), b"\xff"]), Err(NameExpected { at: 0 }));
    }

    #[test]
    fn the_bounds_are_exact() {
        let full = vec!["a"; EXTENSIONS_MAX].join(",");
        assert_eq!(parse(&full).unwrap().iter().count(), EXTENSIONS_MAX);
        assert_eq!(parse(&format!("{full},a")), Err(ExtensionsError::TooMany));
        let two_lines = [full.as_bytes(), b"a"];
        assert_eq!(Extensions::parse(two_lines), Err(ExtensionsError::TooMany));

        let full = format!("a{}", ";b".repeat(EXTENSION_PARAMETERS_MAX));
        assert!(parse(&full).is_ok());
        assert_eq!(parse(&format!("{full};b")), Err(ExtensionsError::TooManyParameters));
    }
}
