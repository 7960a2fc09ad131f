//! Signed tokens (RFC 7519): whether the signature is that of a key, and what the token claims.
//!
//! The key decides which algorithms are taken, never the token: one that names another algorithm than its key has is
//! refused.

mod encrypted;

use std::io::{self, Read as _};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{AlgorithmFamily, DecodingKey, Validation, decode};
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::clock;
use crate::named_file;

use self::encrypted::Opener;

/// Bytes of a file with a key.
const KEY_BYTES_MAX: u64 = 64 << 10;

/// Verifies tokens with one key.
pub(crate) struct Verifier {
    key: DecodingKey,
    validation: Validation,
    /// A token that names an audience is not for us.
    is_for_nobody: bool,
    /// What opens tokens that are encrypted; `None` with a public key, and where none are taken.
    opener: Option<Opener>,
}

/// What an HMAC with SHA-256 needs (RFC 7518 §3.2): a shorter key can be guessed from one token.
const SHARED_BYTES_MIN: usize = 32;

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
    #[error("holds a private key that is none of RSA; write an RSA key there, or a public one")]
    NotOpening,
    #[error("holds no public key of RSA, ECDSA or Ed25519; print one with openssl pkey -pubout")]
    NotPublic,
    #[error("is neither PEM nor base64url; write a public key in PEM, or a shared key as base64url")]
    NotBase64,
    #[error(
        "has {0} bytes; a shared key needs {SHARED_BYTES_MIN} at least: openssl rand 32 | basenc --base64url -w0"
    )]
    Short(usize),
}

/// Why a token is not believed. Says nothing of what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Rejected {
    #[error("the token has expired, or is not valid yet")]
    Time,
    #[error("the token is an encrypted one, which the key does not open")]
    Encrypted,
    #[error("the token demands something that is not understood here (crit)")]
    Critical,
    #[error("the token is for somebody (aud), and the route does not say for whom: set audience")]
    Audience,
    #[error("the token is not signed as it should be, or claims something else")]
    Other,
}

impl Verifier {
    /// Reads a key: PEM, or the base64url form of a shared one.
    pub(crate) fn load(path: &Path) -> Result<Self, KeyError> {
        let text = text_of(path)?;
        let (key, family) = read(&text)?;
        long_enough(&text, family)?;
        Ok(Self::new(key, family, None))
    }

    /// The same, of a key that opens tokens as well: a private one of RSA, or a shared one, which is taken in any length,
    /// as websockify takes it.
    pub(crate) fn load_opening(path: &Path) -> Result<Self, KeyError> {
        let text = text_of(path)?;
        if text.contains("PRIVATE KEY-----") {
            let (opener, public) = Opener::private(&text).ok_or(KeyError::NotOpening)?;
            let (key, family) = read(&public)?;
            return Ok(Self::new(key, family, Some(opener)));
        }
        let (key, family) = read(&text)?;
        let opener = shared(&text).ok().map(Opener::Shared);
        Ok(Self::new(key, family, opener))
    }

    fn new(key: DecodingKey, family: AlgorithmFamily, opener: Option<Opener>) -> Self {
        let mut validation = Validation::new_for_family(family);
        validation.validate_nbf = true;
        validation.validate_aud = false;
        // Both are honoured where they stand, and asked for nowhere.
        validation.set_required_spec_claims::<&str>(&[]);
        Self { key, validation, is_for_nobody: false, opener }
    }

    /// Wants `iss` and `aud` to be these. Without an `audience` of its own, a route is none that a token can be for
    /// (RFC 7519 §4.1.3): then one with `aud` is somebody else's.
    pub(crate) fn demand(&mut self, issuer: Option<&str>, audience: Option<&str>) {
        let mut demanded = Vec::new();
        if let Some(issuer) = issuer {
            self.validation.set_issuer(&[issuer]);
            demanded.push("iss");
        }
        self.is_for_nobody = audience.is_none();
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
        // Five parts are the compact form of encryption (RFC 7516 §3.1). What is inside is a signed token, and not another
        // encrypted one.
        let opened = if token.split('.').count() == 5 {
            let opened = self.opener.as_ref().and_then(|opener| opener.open(token));
            Some(opened.ok_or(Rejected::Encrypted)?)
        } else {
            None
        };
        let signed = opened.as_deref().unwrap_or(token);
        let decoded = decode::<Map<String, Value>>(signed, &self.key, &self.validation).map_err(|error| {
            let is_time = matches!(error.kind(), ExpiredSignature | ImmatureSignature);
            if is_time { Rejected::Time } else { Rejected::Other }
        })?;
        // Nothing that can stand there is known here, so that all of it has to be refused (RFC 7515 §4.1.11).
        if decoded.header.crit.is_some() {
            return Err(Rejected::Critical);
        }
        if self.is_for_nobody && decoded.claims.contains_key("aud") {
            return Err(Rejected::Audience);
        }
        Ok(decoded.claims)
    }
}

/// When a token expires that was believed. One that is in its minute of grace expires with that.
pub(crate) fn expiry(claims: &Map<String, Value>) -> Option<Instant> {
    const GRACE: f64 = 60.0;
    let since_epoch = clock::wall().duration_since(UNIX_EPOCH).unwrap_or_default();
    let left = claims.get("exp")?.as_f64()? - since_epoch.as_secs_f64();
    let left = if left > 0.0 { left } else { left + GRACE };
    let left = Duration::try_from_secs_f64(left.max(0.0)).ok()?; // else it is for longer than anybody can say
    clock::now().checked_add(left)
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

fn text_of(path: &Path) -> Result<String, KeyError> {
    let mut text = String::new();
    named_file::open(path)?.take(KEY_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > KEY_BYTES_MAX { Err(KeyError::TooLarge) } else { Ok(text) }
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
    Ok((DecodingKey::from_secret(&shared(text)?), AlgorithmFamily::Hmac))
}

/// Whether a shared key cannot be guessed; others are what they are.
fn long_enough(text: &str, family: AlgorithmFamily) -> Result<(), KeyError> {
    match family {
        AlgorithmFamily::Hmac => match shared(text)?.len() {
            SHARED_BYTES_MIN.. => Ok(()),
            short => Err(KeyError::Short(short)),
        },
        AlgorithmFamily::Rsa | AlgorithmFamily::Ec | AlgorithmFamily::Ed => Ok(()),
    }
}

fn shared(text: &str) -> Result<Vec<u8>, KeyError> {
    let shared =
        URL_SAFE_NO_PAD.decode(text.trim().trim_end_matches('=')).map_err(|_| KeyError::NotBase64)?;
    if shared.is_empty() { Err(KeyError::Empty) } else { Ok(shared) }
}
