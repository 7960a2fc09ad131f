//! `jwt`: the token itself says where, and somebody with the key has signed that.

use serde_json::Value;

use super::LookupError;
use super::target::Target;
use super::web::Place;
use crate::jwt::Verifier;

/// Where the claims `host` and `port` lead.
pub(super) fn target(verifier: &Verifier, token: &str) -> Result<Target, LookupError> {
    let claims = Value::Object(verifier.claims(token)?);
    let place: Option<Place> = serde_json::from_value(claims).ok();
    place.and_then(|place| place.target()).ok_or(LookupError::NoTarget)
}
