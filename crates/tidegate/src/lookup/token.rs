//! The token that a request shows.

use super::LookupError;
use crate::config::LookupKey;
use crate::request::{Request, query_parameter};

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

/// A field that stands there once: of two nobody could say which one was meant.
fn only_field(request: &Request, name: &str) -> Option<String> {
    let mut values = request.fields.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().map(str::to_owned),
        _ => None,
    }
}
