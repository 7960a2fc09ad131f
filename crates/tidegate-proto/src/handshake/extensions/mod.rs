use alloc::{string::String, vec::Vec};
use core::{fmt, slice, str::FromStr};

use crate::Reserved;

mod parse;

pub use parse::{EXTENSION_PARAMETERS_MAX, EXTENSIONS_MAX, ExtensionsError};

/// The registered name of the compression extension (RFC 7692 §7).
pub const PERMESSAGE_DEFLATE: &str = "permessage-deflate";

/// A list of extensions with their parameters: `Sec-WebSocket-Extensions` (RFC 6455 §9.1).
///
/// In a request these are offers, the preferred ones first; in a response they are agreed, in the order in
/// which they are applied to outgoing data. `Display` writes the list as the value of a header field, made
/// from what was understood and not from the bytes that were read, so nothing unread is ever passed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions(Vec<Extension>);

impl Extensions {
    /// Reads the lines of the field, joined in order (RFC 6455 §11.3.2). No lines are no extensions.
    ///
    /// Blanks may stand around every separator. Empty list elements are skipped, but a field without any
    /// extension at all breaks the grammar.
    ///
    /// # Errors
    /// The fault of whoever wrote the field, at the first byte that breaks the grammar. The whole list is
    /// void then: RFC 6455 §9.1 wants the handshake to fail.
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, ExtensionsError> {
        parse::list(lines.into_iter()).map(Self)
    }

    /// The extensions in order.
    pub fn iter(&self) -> slice::Iter<'_, Extension> {
        self.0.iter()
    }

    /// Whether there is no extension.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an extension of this name is in the list, whatever its parameters. Names have a case.
    pub fn contains_name(&self, name: &str) -> bool {
        self.iter().any(|extension| extension.name == name)
    }

    /// What the reserved bits of frames mean once these extensions are agreed (RFC 6455 §5.2).
    ///
    /// The rules of one extension are known. Beside another it may no longer own its bit alone, so every
    /// other list lets all bits pass.
    pub fn reserved(&self) -> Reserved {
        match self.0.as_slice() {
            [] => Reserved::None,
            [only] if only.name == PERMESSAGE_DEFLATE => Reserved::PermessageDeflate,
            _ => Reserved::Any,
        }
    }
}

impl<'a> IntoIterator for &'a Extensions {
    type Item = &'a Extension;
    type IntoIter = slice::Iter<'a, Extension>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// For a part of another list; the bounds on length are those of the parser and not checked again.
impl FromIterator<Extension> for Extensions {
    fn from_iter<I: IntoIterator<Item = Extension>>(extensions: I) -> Self {
        Self(extensions.into_iter().collect())
    }
}

impl FromStr for Extensions {
    type Err = ExtensionsError;

    fn from_str(value: &str) -> Result<Self, ExtensionsError> {
        Self::parse([value.as_bytes()])
    }
}

impl fmt::Display for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, extension) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{extension}")?;
        }
        Ok(())
    }
}

/// One extension: its name and its parameters in order, repetitions included. Every part is a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    name: String,
    parameters: Vec<Parameter>,
}

impl Extension {
    /// The registered name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The parameters in order. What they mean, and whether one may repeat, is the extension's affair.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }
}

impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for Parameter { name, value } in &self.parameters {
            write!(f, "; {name}")?;
            if let Some(value) = value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}

/// A parameter of an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    name: String,
    value: Option<String>,
}

impl Parameter {
    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value, if there is an equals sign; quotes and backslashes are taken off.
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{string::ToString as _, vec};

    fn parse(line: &str) -> Result<Extensions, ExtensionsError> {
        line.parse()
    }

    #[test]
    fn lists_come_out_in_one_canonical_form() {
        let table = [
            ("foo", "foo"),
            ("foo;bar", "foo; bar"),
            ("foo ;\tbar = 1 , baz", "foo; bar=1, baz"),
            ("foo; bar=\"1\"; bar; bar=2", "foo; bar=1; bar; bar=2"),
            (r#"foo; bar="\a\b""#, "foo; bar=ab"),
            (",, foo ,,bar,", "foo, bar"),
            ("foo, foo", "foo, foo"),
            (
                "permessage-deflate; client_max_window_bits, x-webkit-deflate-frame",
                "permessage-deflate; client_max_window_bits, x-webkit-deflate-frame",
            ),
        ];
        for (line, canonical) in table {
            let written = parse(line).unwrap().to_string();
            assert_eq!(written, canonical, "{line}");
        }
    }

    #[test]
    fn a_parsed_parameter_can_be_asked() {
        let list = parse("a; b; c=\"d\"").unwrap();
        let [extension] = list.0.as_slice() else { panic!("one extension in {list}") };
        let parameters: Vec<_> = extension.parameters().iter().map(|p| (p.name(), p.value())).collect();
        assert_eq!((extension.name(), parameters), ("a", vec![("b", None), ("c", Some("d"))]));
    }

    #[test]
    fn lines_are_joined_and_none_are_no_extensions() {
        let lines = [b"a; b".as_slice(), b"", b"c"];
        assert_eq!(Extensions::parse(lines).unwrap().to_string(), "a; b, c");
        assert!(Extensions::parse([]).unwrap().is_empty());
        // A quoted string that begins in one line and ends in the next would hold the joining comma.
        assert!(Extensions::parse([b"a;b=\"c".as_slice(), b"d\""]).is_err());
    }

    #[test]
    fn only_a_lone_permessage_deflate_has_known_bits() {
        let table = [
            ("permessage-deflate; server_max_window_bits=10", Reserved::PermessageDeflate),
            ("permessage-deflate, permessage-deflate", Reserved::Any),
            ("permessage-deflate, foo", Reserved::Any),
            ("Permessage-Deflate", Reserved::Any),
        ];
        assert_eq!(Extensions::default().reserved(), Reserved::None);
        for (line, bits) in table {
            assert_eq!(parse(line).unwrap().reserved(), bits, "{line}");
        }
    }
}
