use alloc::{boxed::Box, vec::Vec};
use core::{fmt, slice, str::FromStr};

use super::field::{elements, token};

/// The most subprotocols one peer may offer: 100. A client that offers more is at fault.
///
/// Bounds what is kept of a request, and the search for duplicates, which compares each with each.
pub const SUBPROTOCOLS_MAX: usize = 100;

/// The name of a subprotocol: a token (RFC 6455 §4.1, item 10), so it is safe to write into a header field.
///
/// Compared by case, as the registered names are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subprotocol(Box<str>);

impl Subprotocol {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, NotAToken> {
        token(bytes).map(|name| Self(name.into())).ok_or(NotAToken)
    }
}

impl FromStr for Subprotocol {
    type Err = NotAToken;

    fn from_str(name: &str) -> Result<Self, NotAToken> {
        Self::from_bytes(name.as_bytes())
    }
}

impl fmt::Display for Subprotocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name that is not a token: it is empty, or has a character other than ASCII letters, digits and
/// ``!#$%&'*+-.^_`|~`` (RFC 9110 §5.6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a token: one or more ASCII letters, digits and any of !#$%&'*+-.^_`|~")]
pub struct NotAToken;

/// A list of subprotocols in order of preference: each a token, none twice, at most [`SUBPROTOCOLS_MAX`].
///
/// `Display` writes it as the value of a header field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subprotocols(Vec<Subprotocol>);

impl Subprotocols {
    /// Reads the lines of `Sec-WebSocket-Protocol` in a request, joined in order (RFC 6455 §11.3.4).
    ///
    /// Empty elements are refused, unlike in other lists: RFC 6455 §4.1 wants every element non-empty.
    ///
    /// # Errors
    /// The fault of whoever wrote the list, at the first element that breaks it.
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, SubprotocolsError> {
        let mut list = Self::default();
        for element in lines.into_iter().flat_map(elements) {
            let name = token(element).ok_or(SubprotocolsError::NotAToken)?;
            list.push(Subprotocol(name.into()))?;
        }
        Ok(list)
    }

    /// Appends `subprotocol`, as the one that is preferred least.
    ///
    /// # Errors
    /// It is in the list already, or the list is full.
    pub fn push(&mut self, subprotocol: Subprotocol) -> Result<(), SubprotocolsError> {
        if self.0.len() == SUBPROTOCOLS_MAX {
            return Err(SubprotocolsError::TooMany);
        }
        if self.0.contains(&subprotocol) {
            return Err(SubprotocolsError::Repeated);
        }
        self.0.push(subprotocol);
        Ok(())
    }

    /// The first of this offer that `served` has too: the client's order of preference decides.
    pub fn select(&self, served: &Self) -> Option<&Subprotocol> {
        self.iter().find(|offered| served.contains(offered))
    }

    /// Whether the list has this very name.
    pub fn contains(&self, subprotocol: &Subprotocol) -> bool {
        self.0.contains(subprotocol)
    }

    /// The subprotocols in order.
    pub fn iter(&self) -> slice::Iter<'_, Subprotocol> {
        self.0.iter()
    }

    /// Whether nothing is offered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a Subprotocols {
    type Item = &'a Subprotocol;
    type IntoIter = slice::Iter<'a, Subprotocol>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Subprotocols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, subprotocol) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{subprotocol}")?;
        }
        Ok(())
    }
}

/// Why a list of subprotocols is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubprotocolsError {
    /// An element is empty or no token.
    #[error("a subprotocol is empty or not a token")]
    NotAToken,
    /// An element occurs twice.
    #[error("a subprotocol is listed twice")]
    Repeated,
    /// There are more than [`SUBPROTOCOLS_MAX`] elements.
    #[error("more than {SUBPROTOCOLS_MAX} subprotocols are listed")]
    TooMany,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString as _};

    fn parse(line: &str) -> Result<Subprotocols, SubprotocolsError> {
        Subprotocols::parse([line.as_bytes()])
    }

    #[test]
    fn lists_keep_their_order_over_all_lines() {
        let lines = [b"chat ,\tsuperchat".as_slice(), b"v1.json"];
        assert_eq!(Subprotocols::parse(lines).unwrap().to_string(), "chat, superchat, v1.json");
        assert!(Subprotocols::parse([]).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_list_of_unique_tokens_is_refused() {
        use SubprotocolsError::{NotAToken, Repeated};
        let table = [
            ("", NotAToken),
            ("chat,", NotAToken),
            (",chat", NotAToken),
            ("chat,,superchat", NotAToken),
            ("a b", NotAToken),
            ("chat\r\nX: 1", NotAToken),
            ("\"chat\"", NotAToken),
            ("chat\u{3a9}", NotAToken),
            ("chat, chat", Repeated),
        ];
        for (line, error) in table {
            assert_eq!(parse(line), Err(error), "{line:?}");
        }
        assert_eq!(parse("chat, Chat").unwrap().iter().count(), 2);
        assert_eq!(Subprotocols::parse([b"chat".as_slice(), b"chat"]), Err(Repeated));
        assert_eq!(Subprotocols::parse([b"chat".as_slice(), b""]), Err(NotAToken));
    }

    #[test]
    fn the_bound_is_exact() {
        let mut list = Subprotocols::default();
        for number in 0..SUBPROTOCOLS_MAX {
            list.push(format!("p{number}").parse().unwrap()).unwrap();
        }
        assert_eq!(parse(&list.to_string()), Ok(list.clone()));
        assert_eq!(list.push("more".parse().unwrap()), Err(SubprotocolsError::TooMany));
        assert_eq!(parse(&format!("{list}, more")), Err(SubprotocolsError::TooMany));
    }

    #[test]
    fn the_order_of_the_client_decides() {
        let table = [
            ("chat, superchat", "superchat", Some("superchat")),
            ("chat, superchat", "superchat, chat", Some("chat")),
            ("chat", "Chat", None),
            ("mqtt", "chat", None),
        ];
        for (offered, served, expected) in table {
            let (offered, served) = (parse(offered).unwrap(), parse(served).unwrap());
            assert_eq!(offered.select(&served).map(Subprotocol::as_str), expected);
        }
        assert_eq!(parse("chat").unwrap().select(&Subprotocols::default()), None);
    }
}
