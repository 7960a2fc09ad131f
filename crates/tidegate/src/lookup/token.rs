//! The token that a request shows.

use percent_encoding::percent_decode_str;

use super::LookupError;
use crate::config::LookupKey;
use crate::request::Request;

/// Bytes of a token. A signed one with many claims has fewer.
const TOKEN_BYTES_MAX: usize = 4096;

/// The token of a request, decoded and fit to be looked up.
pub(super) fn of(request: &Request, key: &LookupKey) -> Result<String, LookupError> {
    let token = match key {
        LookupKey::Query(name) => query_parameter(request.query.as_deref().unwrap_or(""), name),
        LookupKey::Host => Some(request.host.clone()),
        LookupKey::Header(name) => only_field(request, name),
    };
    let token = token.ok_or(LookupError::NoToken)?;
    let token = token.trim_end_matches('\n');
    let fits = (1..=TOKEN_BYTES_MAX).contains(&token.len()) && !token.chars().any(char::is_control);
    if fits { Ok(token.to_owned()) } else { Err(LookupError::NoToken) }
}

/// The first parameter of this name, decoded as a form is; `None` if there is none, or it is no UTF-8.
pub(crate) fn query_parameter(query: &str, name: &str) -> Option<String> {
    let decoded = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8().ok().map(|text| text.into_owned())
    };
    let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let (_, value) = pairs.find(|(key, _)| decoded(key).as_deref() == Some(name))?;
    decoded(value)
}

/// A field that stands there once: of two nobody could say which one was meant.
fn only_field(request: &Request, name: &str) -> Option<String> {
    let mut values = request.fields.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().map(str::to_owned),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t231_query_parameters() {
        for (query, expected) in [
            ("token=abc", Some("abc")),
            ("a=b&token=abc&token=x", Some("abc")),
            ("token=a%20b+c", Some("a b c")),
            ("t%6Fken=abc", Some("abc")),
            ("token=%C3%A4", Some("ä")),
            ("token=a=b", Some("a=b")),
            ("token=", Some("")),
            ("token", Some("")),
            ("token=%ff", None),
            ("Token=abc", None),
            ("xtoken=abc", None),
            ("", None),
        ] {
            assert_eq!(query_parameter(query, "token").as_deref(), expected, "{query}");
        }
    }
}
