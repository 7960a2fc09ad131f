//! `Range` (RFC 9110 §14): which part of a file is wanted, in words that the library behind us reads as the standard does.

use http::header::{CONTENT_RANGE, HeaderMap, HeaderValue, IF_RANGE, RANGE};
use http::{Method, Response, StatusCode};

/// What is wanted of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it, as 200. Always a right answer (§14.2).
    Whole,
    /// This part.
    Part(HeaderValue),
    /// The end of it, of a length.
    Last(HeaderValue),
}

impl Wanted {
    /// One part is served, of one request. What is no range, or of another unit than bytes, is passed over.
    pub(super) fn of(method: &Method, fields: &HeaderMap) -> Self {
        let mut lines = fields.get_all(RANGE).iter();
        let (Some(line), None) = (lines.next(), lines.next()) else { return Self::Whole };
        // Only of the very file that is named, which is not compared here. And of a GET: no other method has ranges.
        if method != Method::GET || fields.contains_key(IF_RANGE) {
            return Self::Whole;
        }
        line.to_str().ok().and_then(read).unwrap_or(Self::Whole)
    }

    /// The field to ask for it with.
    pub(super) const fn field(&self) -> Option<&HeaderValue> {
        match self {
            Self::Whole => None,
            Self::Part(field) | Self::Last(field) => Some(field),
        }
    }

    /// What to ask for in its place after this answer: of a file that is shorter than the part from its end all is meant
    /// (§14.1.2), and of an empty one there are no parts that could be named (§14.4).
    pub(super) fn instead<B>(&self, answer: &Response<B>) -> Option<Self> {
        let is_empty =
            answer.headers().get(CONTENT_RANGE).is_some_and(|told| told.as_bytes().ends_with(b"/0"));
        match self {
            Self::Part(_) | Self::Last(_) if is_empty => Some(Self::Whole),
            Self::Last(_) if answer.status() == StatusCode::RANGE_NOT_SATISFIABLE => {
                Some(Self::Part(HeaderValue::from_static("bytes=0-")))
            }
            Self::Whole | Self::Part(_) | Self::Last(_) => None,
        }
    }
}

fn read(line: &str) -> Option<Wanted> {
    let (unit, part) = line.split_once('=')?;
    let (first, last) = part.trim().split_once('-')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = (position(first)?, position(last)?);
    let field = |text: String| HeaderValue::try_from(text).expect("figures are legal in a field");
    match (first, last) {
        (Some(first), Some(last)) if first > last => None,
        // The last figure of all stands for whatever is more, and no file is as long.
        (Some(first), None | Some(u64::MAX)) => Some(Wanted::Part(field(format!("bytes={first}-")))),
        (Some(first), Some(last)) => Some(Wanted::Part(field(format!("bytes={first}-{last}")))),
        (None, Some(0)) => Some(Wanted::Part(field("bytes=-0".to_owned()))), // nothing, which cannot be served: 416
        (None, Some(last)) => Some(Wanted::Last(field(format!("bytes=-{last}")))),
        (None, None) => None,
    }
}

/// Digits, or nothing; `None` for anything else.
fn position(text: &str) -> Option<Option<u64>> {
    let is_number = text.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| (!text.is_empty()).then(|| text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t228_one_range_of_bytes_in_a_form_that_is_understood() {
        for (line, asked) in [
            ("bytes=2-4", "bytes=2-4"),
            ("Bytes=2-4", "bytes=2-4"),
            ("bytes= 2-4 ", "bytes=2-4"),
            ("bytes=002-04", "bytes=2-4"),
            ("bytes=2-", "bytes=2-"),
            ("bytes=2-99999999999999999999", "bytes=2-"),
            ("bytes=99999999999999999999-", "bytes=18446744073709551615-"),
            ("bytes=-3", "bytes=-3"),
            ("bytes=-0", "bytes=-0"),
            ("bytes=-99999999999999999999", "bytes=-18446744073709551615"),
        ] {
            let wanted = read(line).unwrap();
            assert_eq!(wanted.field().unwrap(), asked, "{line}");
            assert_eq!(
                matches!(wanted, Wanted::Last(_)),
                line.contains("=-") && line != "bytes=-0",
                "{line}"
            );
        }
        for line in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=4-2",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes=1-2,4-5",
            "lines=0-1",
            "bytes=1-2-3",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
