//! Signed tokens (RFC 7519): whether the signature is that of a key, and what the token claims.
//!
//! The key decides which algorithms are taken, never the token: one that names another algorithm than its key has is
//! refused.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{AlgorithmFamily, DecodingKey, Validation, decode};
use serde_json::{Map, Value};

/// Bytes of a file with a key.
const KEY_BYTES_MAX: u64 = 64 << 10;

/// Verifies tokens with one key.
pub(crate) struct Verifier {
    key: DecodingKey,
    validation: Validation,
}

/// Why a key cannot be used. Follows the name of its file in a sentence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("has more than 64 KiB; name the file of the key itself")]
    TooLarge,
    #[error("is empty; write a public key in PEM, or a shared key as base64url")]
    Empty,
    #[error("holds a private key; write the public one there (openssl pkey -in FILE -pubout)")]
    Private,
    #[error("holds no public key of RSA, ECDSA or Ed25519; print one with openssl pkey -pubout")]
    NotPublic,
    #[error("is neither PEM nor base64url; write a public key in PEM, or a shared key as base64url")]
    NotBase64,
}

/// Why a token is not believed. Says nothing of what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Rejected {
    #[error("the token has expired, or is not valid yet")]
    Time,
    #[error("the token is an encrypted one, which this gateway does not read")]
    Encrypted,
    #[error("the token is not signed as it should be, or claims something else")]
    Other,
}

impl Verifier {
    /// Reads a key: PEM, or the base64url form of a shared one.
    pub(crate) fn load(path: &Path) -> Result<Self, KeyError> {
        let mut text = String::new();
        File::open(path)?.take(KEY_BYTES_MAX + 1).read_to_string(&mut text)?;
        if text.len() as u64 > KEY_BYTES_MAX {
            return Err(KeyError::TooLarge);
        }
        let (key, family) = read(&text)?;
        let mut validation = Validation::new_for_family(family);
        validation.validate_nbf = true;
        validation.validate_aud = false;
        // Both are honoured where they stand, and asked for nowhere.
        validation.set_required_spec_claims::<&str>(&[]);
        Ok(Self { key, validation })
    }

    /// Wants `iss` and `aud` to be these.
    pub(crate) fn demand(&mut self, issuer: Option<&str>, audience: Option<&str>) {
        let mut demanded = Vec::new();
        if let Some(issuer) = issuer {
            self.validation.set_issuer(&[issuer]);
            demanded.push("iss");
        }
        if let Some(audience) = audience {
            self.validation.set_audience(&[audience]);
            self.validation.validate_aud = true;
            demanded.push("aud");
        }
        self.validation.set_required_spec_claims(&demanded);
    }

    /// The claims of a token; `exp` and `nbf` are checked with a minute of grace for clocks that differ.
    pub(crate) fn claims(&self, token: &str) -> Result<Map<String, Value>, Rejected> {
        use jsonwebtoken::errors::ErrorKind::{ExpiredSignature, ImmatureSignature};
        // Five parts are the compact form of encryption (RFC 7516 §3.1).
        if token.split('.').count() == 5 {
            return Err(Rejected::Encrypted);
        }
        let decoded = decode::<Map<String, Value>>(token, &self.key, &self.validation);
        decoded.map(|token| token.claims).map_err(|error| {
            let is_time = matches!(error.kind(), ExpiredSignature | ImmatureSignature);
            if is_time { Rejected::Time } else { Rejected::Other }
        })
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

fn read(text: &str) -> Result<(DecodingKey, AlgorithmFamily), KeyError> {
    if text.contains("PRIVATE KEY-----") {
        return Err(KeyError::Private);
    }
    if text.contains("-----BEGIN") {
        let pem = text.as_bytes();
        return DecodingKey::from_rsa_pem(pem)
            .map(|key| (key, AlgorithmFamily::Rsa))
            .or_else(|_| DecodingKey::from_ec_pem(pem).map(|key| (key, AlgorithmFamily::Ec)))
            .or_else(|_| DecodingKey::from_ed_pem(pem).map(|key| (key, AlgorithmFamily::Ed)))
            .map_err(|_| KeyError::NotPublic);
    }
    let shared =
        URL_SAFE_NO_PAD.decode(text.trim().trim_end_matches('=')).map_err(|_| KeyError::NotBase64)?;
    if shared.is_empty() {
        return Err(KeyError::Empty);
    }
    Ok((DecodingKey::from_secret(&shared), AlgorithmFamily::Hmac))
}
