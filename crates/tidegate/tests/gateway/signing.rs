//! Signs tokens as others do, with another implementation than the one that reads them.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// The secret that tests share with the gateway.
pub(crate) const SECRET: &[u8] = b"a secret of thirty-two bytes....";

/// The file that the gateway reads it from.
pub(crate) fn secret_file(folder: &tempfile::TempDir) -> std::path::PathBuf {
    let path = folder.path().join("secret");
    std::fs::write(&path, URL_SAFE_NO_PAD.encode(SECRET)).unwrap();
    path
}

/// A token with these claims, signed with HMAC and SHA-256 (RFC 7518 §3.2).
pub(crate) fn token(claims: &Value) -> String {
    signed(&json!({ "typ": "JWT", "alg": "HS256" }), claims, SECRET)
}

/// The same, with this header and secret.
pub(crate) fn signed(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let message = format!("{header}.{claims}");
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes()));
    format!("{message}.{signature}")
}

/// So many seconds from now, as tokens write it.
pub(crate) fn in_seconds(seconds: i64) -> i64 {
    i64::try_from(jsonwebtoken::get_current_timestamp()).unwrap() + seconds
}
