//! Private keys that are encrypted with a password: PKCS #8 with PBES2 (RFC 5958 §3, RFC 8018 §6.2), as OpenSSL has
//! written them since 1.1.0.
//!
//! Only the envelope is read here; the key is derived and the content decrypted by aws-lc.

use std::fmt;
use std::io::{self, Read as _};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use aws_lc_rs::cipher::{self, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use x509_parser::asn1_rs::{OctetString, Oid, Sequence, oid};
use x509_parser::prelude::FromDer;
use x509_parser::x509::AlgorithmIdentifier;

use super::Fault;
use crate::named_file;

/// What a private key is encrypted with.
#[derive(Clone, PartialEq, Eq)]
pub enum KeyPassword {
    /// It stands in this file, alone; the end of its line does not count.
    File(PathBuf),
    /// It was said on a command line.
    Given(String),
}

impl KeyPassword {
    /// The file that it stands in; of one that stands in none, no path at all.
    pub(crate) fn file(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Given(_) => Path::new(""),
        }
    }

    /// # Errors
    /// Its file cannot be read, or is too long for a password.
    pub(super) fn read(&self) -> io::Result<String> {
        let path = match self {
            Self::Given(password) => return Ok(password.clone()),
            Self::File(path) => path,
        };
        let mut text = String::new();
        named_file::open(path)?.take(PASSWORD_BYTES_MAX + 1).read_to_string(&mut text)?;
        if text.len() as u64 > PASSWORD_BYTES_MAX {
            let problem = format!("has more than {PASSWORD_BYTES_MAX} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        text.truncate(text.trim_end_matches(['\r', '\n']).len());
        Ok(text)
    }
}

/// Where it stands, and nothing of it.
impl fmt::Debug for KeyPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Given(_) => f.debug_tuple("Given").finish_non_exhaustive(),
        }
    }
}

/// Opens the content of an `ENCRYPTED PRIVATE KEY`.
///
/// # Errors
/// It is encrypted in a way that is not known here, or with another password.
pub(super) fn open(der: &[u8], password: &str) -> Result<PrivateKeyDer<'static>, Fault> {
    let mut sealed = Sealed::read(der).ok_or(Fault::UnknownEncryption)?;
    let mut key = vec![0; sealed.key_bytes];
    pbkdf2::derive(sealed.prf, sealed.iterations, &sealed.salt, password.as_bytes(), &mut key);
    let opened = UnboundCipherKey::new(sealed.cipher, &key)
        .and_then(PaddedBlockDecryptingKey::cbc_pkcs7)
        .and_then(|key| key.decrypt(&mut sealed.content, DecryptionContext::Iv128(sealed.iv)))
        .map_err(|_| Fault::WrongPassword)?;
    // One password in 256 leaves what looks like padding: a key begins as a sequence, and fills its bytes.
    match Sequence::from_der(opened) {
        Ok(([], _)) => Ok(PrivatePkcs8KeyDer::from(opened.to_vec()).into()),
        _ => Err(Fault::WrongPassword),
    }
}

/// An `EncryptedPrivateKeyInfo` that can be opened.
struct Sealed {
    prf: pbkdf2::Algorithm,
    salt: Vec<u8>,
    iterations: NonZeroU32,
    cipher: &'static cipher::Algorithm,
    key_bytes: usize,
    iv: FixedLength<16>,
    content: Vec<u8>,
}

impl Sealed {
    /// `None` for what is no such structure, or names another algorithm.
    fn read(der: &[u8]) -> Option<Self> {
        let (_, envelope) = Sequence::from_der(der).ok()?;
        let (rest, scheme) = AlgorithmIdentifier::from_der(&envelope.content).ok()?;
        let (_, content) = OctetString::from_der(rest).ok()?;
        let (rest, derivation) = AlgorithmIdentifier::from_der(parameters(&scheme, &PBES2)?).ok()?;
        let (_, encryption) = AlgorithmIdentifier::from_der(rest).ok()?;
        let (salt, iterations, prf) = derivation_of(&derivation)?;
        let (_, cipher, key_bytes) = CIPHERS.iter().find(|(name, ..)| *name == encryption.algorithm)?;
        let iv = encryption.parameters.as_ref()?.as_octetstring().ok()?;
        Some(Self {
            prf,
            salt,
            iterations,
            cipher,
            key_bytes: *key_bytes,
            iv: FixedLength::try_from(iv.as_ref()).ok()?,
            content: content.into_cow().into_owned(),
        })
    }
}

/// Of `PBKDF2-params` (RFC 8018 §A.2). The optional length of the key is what the cipher says anyway.
fn derivation_of(derivation: &AlgorithmIdentifier<'_>) -> Option<(Vec<u8>, NonZeroU32, pbkdf2::Algorithm)> {
    let (rest, salt) = OctetString::from_der(parameters(derivation, &PBKDF2)?).ok()?;
    let (mut rest, iterations) = u32::from_der(rest).ok()?;
    if let Ok((behind, _key_bytes)) = u32::from_der(rest) {
        rest = behind;
    }
    let prf = if rest.is_empty() {
        pbkdf2::PBKDF2_HMAC_SHA1
    } else {
        let (_, named) = AlgorithmIdentifier::from_der(rest).ok()?;
        PRFS.iter().find(|(name, _)| *name == named.algorithm)?.1
    };
    let iterations = NonZeroU32::new(iterations).filter(|count| count.get() <= ITERATIONS_MAX)?;
    Some((salt.into_cow().into_owned(), iterations, prf))
}

/// The content of an algorithm's parameters, if it is this algorithm and they are a sequence.
fn parameters<'a>(found: &'a AlgorithmIdentifier<'_>, name: &Oid<'_>) -> Option<&'a [u8]> {
    let parameters = found.parameters.as_ref().filter(|_| found.algorithm == *name)?;
    parameters.header.constructed().then_some(parameters.as_bytes())
}

const PBES2: Oid<'static> = oid!(1.2.840.113549.1.5.13);
const PBKDF2: Oid<'static> = oid!(1.2.840.113549.1.5.12);

static PRFS: [(Oid<'static>, pbkdf2::Algorithm); 4] = [
    (oid!(1.2.840.113549.2.7), pbkdf2::PBKDF2_HMAC_SHA1),
    (oid!(1.2.840.113549.2.9), pbkdf2::PBKDF2_HMAC_SHA256),
    (oid!(1.2.840.113549.2.10), pbkdf2::PBKDF2_HMAC_SHA384),
    (oid!(1.2.840.113549.2.11), pbkdf2::PBKDF2_HMAC_SHA512),
];

/// The name in the file, the cipher, and the bytes of its key.
static CIPHERS: [(Oid<'static>, &cipher::Algorithm, usize); 3] = [
    (oid!(2.16.840.1.101.3.4.1.2), &cipher::AES_128, 16),
    (oid!(2.16.840.1.101.3.4.1.22), &cipher::AES_192, 24),
    (oid!(2.16.840.1.101.3.4.1.42), &cipher::AES_256, 32),
];

/// Some seconds of work. OpenSSL writes 2,048.
const ITERATIONS_MAX: u32 = 10_000_000;
const PASSWORD_BYTES_MAX: u64 = 1024;
