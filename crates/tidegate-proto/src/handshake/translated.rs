//! What the other kinds of opening handshake share with the one over HTTP/1.1: its rules, by being translated to it.

use super::{Headers, field::Single};

/// The fields of another kind of handshake as the one over HTTP/1.1 would have them, so that
/// [`check`](super::check) and [`Request::verify`](super::Request::verify) hold for both.
pub(crate) struct Translated<'t, H: ?Sized> {
    /// What was received.
    pub(crate) fields: &'t H,
    /// Lower-case names with the one value that takes the place of what was received; `None` takes it away.
    pub(crate) replaced: &'t [(&'t str, Option<&'t [u8]>)],
}

impl<H: Headers + ?Sized> Headers for Translated<'_, H> {
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let replaced = self.replaced.iter().find(|(replaced, _)| *replaced == name);
        let received = replaced.is_none().then(|| self.fields.values(name));
        replaced.and_then(|&(_, value)| value).into_iter().chain(received.into_iter().flatten())
    }
}

/// The value of a field that may occur once, without the blanks around it.
pub(crate) fn only<'a, H: Headers + ?Sized>(
    headers: &'a H,
    name: &'a str,
) -> Result<Option<&'a [u8]>, Several> {
    match Single::of(headers, name) {
        Single::Absent => Ok(None),
        Single::One(value) => Ok(Some(value)),
        Single::Several => Err(Several),
    }
}

/// A field that may occur once has several lines.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Several;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn fields_are_replaced_taken_away_or_left() {
        let fields = [("Host", "a"), ("Upgrade", "b"), ("Origin", "c"), ("origin", "d")];
        let replaced: [(&str, Option<&[u8]>); 3] =
            [("host", Some(b"x")), ("upgrade", None), ("te", Some(b"y"))];
        let translated = Translated { fields: fields.as_slice(), replaced: &replaced };
        let values = |name| translated.values(name).collect::<Vec<_>>();
        assert_eq!(values("host"), [b"x"]);
        assert_eq!(values("upgrade"), [b""; 0]);
        assert_eq!(values("te"), [b"y"]);
        assert_eq!(values("origin"), [b"c", b"d"]);
        assert_eq!(only(&translated, "origin"), Err(Several));
        assert_eq!(only(&translated, "host"), Ok(Some(&b"x"[..])));
        assert_eq!(only(&translated, "upgrade"), Ok(None));
    }
}
