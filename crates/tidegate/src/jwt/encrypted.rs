//! Encrypted tokens (RFC 7516, compact form): what is in one, if it was made for our key.
//!
//! Encryption alone says nothing about who made a token, since anybody has a public key: what is inside has to be signed.

use aws_lc_rs::aead::{self, AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{self, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::key_wrap::{self, AesKek, KeyWrap as _};
use aws_lc_rs::rsa::{
    KeyPair, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey,
    PrivateDecryptingKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use subtle::ConstantTimeEq as _;

/// Opens tokens.
pub(super) enum Opener {
    /// With what is shared.
    Shared(Vec<u8>),
    /// With an RSA key, whose public half they are made with.
    Private(Box<OaepPrivateDecryptingKey>),
}

/// The protected header (RFC 7516 §4.1). A member that says how something is to be done, and is not known here, is an error.
#[derive(Deserialize)]
struct Header {
    alg: String,
    enc: String,
    zip: Option<String>,
    crit: Option<Vec<String>>,
}

impl Opener {
    /// A private RSA key in PEM, and the public half of it in PEM, with which what is inside has to be signed.
    pub(super) fn private(pem: &str) -> Option<(Self, String)> {
        let pem = PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok()?;
        let key = if let PrivateKeyDer::Pkcs8(der) = &pem {
            PrivateDecryptingKey::from_pkcs8(der.secret_pkcs8_der())
        } else if let PrivateKeyDer::Pkcs1(der) = &pem {
            let der: Pkcs8V1Der<'_> = KeyPair::from_der(der.secret_pkcs1_der()).ok()?.as_der().ok()?;
            PrivateDecryptingKey::from_pkcs8(der.as_ref())
        } else {
            return None;
        };
        let key = key.ok()?;
        let public: PublicKeyX509Der<'_> = key.public_key().as_der().ok()?;
        let public = STANDARD.encode(public.as_ref());
        let public = format!("-----BEGIN PUBLIC KEY-----\n{public}\n-----END PUBLIC KEY-----\n");
        Some((Self::Private(Box::new(OaepPrivateDecryptingKey::new(key).ok()?)), public))
    }

    /// What is in a token; `None` for one that is made for another key, or in a way that is not known here.
    pub(super) fn open(&self, token: &str) -> Option<String> {
        let parts: [&str; 5] = token.split('.').collect::<Vec<_>>().try_into().ok()?;
        let [header, key, iv, ciphertext, tag] = parts.map(|part| URL_SAFE_NO_PAD.decode(part));
        let Header { alg, enc, zip, crit } = serde_json::from_slice(&header.ok()?).ok()?;
        if zip.is_some() || crit.is_some() {
            return None;
        }
        let key = self.content_key(&alg, key.ok()?)?;
        let authenticated = parts[0].as_bytes();
        let opened = decrypt(&enc, &key, &iv.ok()?, ciphertext.ok()?, &tag.ok()?, authenticated)?;
        String::from_utf8(opened).ok()
    }

    /// The key that the content is encrypted with. What the header says has to fit our key; it chooses nothing else.
    fn content_key(&self, algorithm: &str, encrypted: Vec<u8>) -> Option<Vec<u8>> {
        match (self, algorithm) {
            (Self::Shared(shared), "dir") => encrypted.is_empty().then(|| shared.clone()),
            (Self::Shared(shared), "A128KW") => unwrap(&key_wrap::AES_128, shared, &encrypted),
            (Self::Shared(shared), "A256KW") => unwrap(&key_wrap::AES_256, shared, &encrypted),
            (Self::Private(private), "RSA-OAEP") => oaep(private, &OAEP_SHA1_MGF1SHA1, &encrypted),
            (Self::Private(private), "RSA-OAEP-256") => oaep(private, &OAEP_SHA256_MGF1SHA256, &encrypted),
            _ => None,
        }
    }
}

fn unwrap(cipher: &'static key_wrap::AesBlockCipher, shared: &[u8], wrapped: &[u8]) -> Option<Vec<u8>> {
    let mut key = vec![0; wrapped.len()];
    let kek = AesKek::new(cipher, shared).ok()?;
    let len = kek.unwrap(wrapped, &mut key).ok()?.len();
    key.truncate(len);
    Some(key)
}

fn oaep(key: &OaepPrivateDecryptingKey, with: &'static OaepAlgorithm, encrypted: &[u8]) -> Option<Vec<u8>> {
    let mut opened = vec![0; key.min_output_size()];
    let len = key.decrypt(with, encrypted, &mut opened, None).ok()?.len();
    opened.truncate(len);
    Some(opened)
}

/// The content, if nothing of it or of the header was changed (RFC 7518 §5).
fn decrypt(
    encryption: &str,
    key: &[u8],
    iv: &[u8],
    mut ciphertext: Vec<u8>,
    tag: &[u8],
    authenticated: &[u8],
) -> Option<Vec<u8>> {
    if let Some((_, algorithm)) = GCM.iter().find(|(name, _)| *name == encryption) {
        let key = LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?);
        let nonce = Nonce::try_assume_unique_for_key(iv).ok()?;
        if tag.len() != algorithm.tag_len() {
            return None;
        }
        ciphertext.extend_from_slice(tag);
        let opened = key.open_in_place(nonce, Aad::from(authenticated), &mut ciphertext).ok()?;
        return Some(opened.to_vec());
    }
    let (.., cipher, mac) = CBC.iter().find(|(name, ..)| *name == encryption)?;
    // The first half authenticates, the second encrypts, and half of what the first makes is the tag.
    let (mac_key, key) = key.split_at_checked(key.len() / 2)?;
    let bits = u64::try_from(authenticated.len()).ok()?.checked_mul(8)?.to_be_bytes();
    let said = [authenticated, iv, &ciphertext, &bits].concat();
    let whole = hmac::sign(&hmac::Key::new(*mac, mac_key), &said);
    let expected = whole.as_ref().get(..whole.as_ref().len() / 2)?;
    if !bool::from(expected.ct_eq(tag)) {
        return None;
    }
    let context = DecryptionContext::Iv128(FixedLength::try_from(iv).ok()?);
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(UnboundCipherKey::new(cipher, key).ok()?).ok()?;
    key.decrypt(&mut ciphertext, context).ok().map(|opened| opened.to_vec())
}

static GCM: [(&str, &aead::Algorithm); 3] =
    [("A128GCM", &AES_128_GCM), ("A192GCM", &AES_192_GCM), ("A256GCM", &AES_256_GCM)];

static CBC: [(&str, &cipher::Algorithm, hmac::Algorithm); 3] = [
    ("A128CBC-HS256", &cipher::AES_128, hmac::HMAC_SHA256),
    ("A192CBC-HS384", &cipher::AES_192, hmac::HMAC_SHA384),
    ("A256CBC-HS512", &cipher::AES_256, hmac::HMAC_SHA512),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7516 §A.3.
    #[test]
    fn the_example_with_a_wrapped_key() {
        let shared = Opener::Shared(URL_SAFE_NO_PAD.decode("GawgguFyGrWKav7AX4VKUg").unwrap());
        let token = "eyJhbGciOiJBMTI4S1ciLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0.\
                     6KB707dM9YTIgHtLvtgWQ8mKwboJW3of9locizkDTHzBC2IlrT1oOQ.\
                     AxY8DCtDaGlsbGljb3RoZQ.KDlTtXchhZTGufMYmOYGS4HffxPSUrfmqCHXaI9wOGY.U0m_YmjN04DJvceFICbCVQ";
        assert_eq!(shared.open(token).as_deref(), Some("Live long and prosper."));
        // Wherever a character is another one, nothing is opened: not the header, not the key, not the tag.
        for at in (0..token.len()).filter(|at| token.as_bytes()[*at] != b'.') {
            let mut changed = token.as_bytes().to_vec();
            changed[at] = if changed[at] == b'g' { b'w' } else { b'g' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(shared.open(&changed), None, "{at}");
        }
        assert_eq!(Opener::Shared(vec![7; 16]).open(token), None, "another key");
        assert_eq!(shared.open("...."), None);
    }
}
