//! A certificate and its key: read from PEM files, held against each other, and looked over.

mod distrust;
mod names;
mod pem;
mod sealed;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use webpki::{EndEntityCert, KeyUsage};

pub(crate) use self::distrust::{explained, is_plain, is_unknown_issuer};
pub use self::names::NamesIn;
pub(crate) use self::names::{Names, common_name};
pub use self::sealed::KeyPassword;

/// The certificates of authorities, from a PEM file.
///
/// # Errors
/// What is wrong with the file.
pub(crate) fn authorities(path: &Path) -> Result<RootCertStore, Fault> {
    let mut roots = RootCertStore::empty();
    let (_, unusable) = roots.add_parsable_certificates(pem::chain(&pem::read(path)?)?);
    if unusable > 0 { Err(Fault::NoAuthority) } else { Ok(roots) }
}

/// A chain with the key of its first certificate, which is known to belong to it.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    pub(crate) certified: Arc<CertifiedKey>,
}

/// Why a certificate and its key cannot be served. The operator's fault.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}; {}", path.display(), fault.remedy())]
pub(crate) struct Unusable {
    /// Which of the files is at fault.
    pub(crate) part: Part,
    /// Its path.
    pub(crate) path: PathBuf,
    /// What is wrong with it.
    pub(crate) fault: Fault,
}

/// One of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The chain.
    Chain,
    /// The private key.
    Key,
    /// The file with the password of the key.
    Password,
}

/// What is wrong with one of the files. Follows its name in a sentence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The system does not give it to us.
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    /// No chain is so long.
    #[error("has more than 1 MiB")]
    TooLarge,
    /// It is there, and that is all.
    #[error("is empty")]
    Empty,
    /// Perhaps DER.
    #[error("is no PEM file: none of its lines begins with -----BEGIN")]
    NotPem,
    /// A block without its end: half-written, or half-copied.
    #[error("breaks off in the middle of a block")]
    BrokenOff,
    /// A block with something else in it than base64.
    #[error("is damaged: a block of it is not base64")]
    Damaged,
    /// Blocks of other kinds only.
    #[error("has no CERTIFICATE in it, only {0}")]
    NoCertificate(String),
    /// Half-copied, or another thing in a block of this name.
    #[error("has a certificate in it that is none of an authority")]
    NoAuthority,
    /// Blocks of other kinds only.
    #[error("has no PRIVATE KEY in it, only {0}")]
    NoKey(String),
    /// It wants a password, and none is given.
    #[error("has a private key that is encrypted")]
    Encrypted,
    /// As OpenSSL wrote it before it knew PKCS #8, with a derivation that is no hindrance today.
    #[error("has a private key that is encrypted in the old form of OpenSSL")]
    OldEncryption,
    /// Anything but PBES2 with PBKDF2 and AES.
    #[error("has a private key that is encrypted in a way that is not known here")]
    UnknownEncryption,
    /// The password opens nothing.
    #[error("has a private key that is encrypted with another password")]
    WrongPassword,
    /// What is in the block is no certificate that is known here.
    #[error("has a certificate that cannot be read ({0})")]
    BadCertificate(webpki::Error),
    /// What is in the block is no key that is known here.
    #[error("has a private key that cannot be used ({0})")]
    BadKey(Error),
    /// Each is good, but they are no pair.
    #[error("is not the key of the first certificate in {}", .0.display())]
    Mismatch(PathBuf),
}

/// Whether clients will take a certificate, as far as the date goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    /// They will.
    Good,
    /// Not before this time.
    NotYet(SystemTime),
    /// They will, until this time, which is near.
    Ending(SystemTime),
    /// Not since this time.
    Expired(SystemTime),
}

impl Certificate {
    /// Reads a chain and its key, with the password that the key may need.
    ///
    /// # Errors
    /// What is wrong with which of the files.
    pub(crate) fn load(
        cert: &Path,
        key: &Path,
        password: Option<&KeyPassword>,
        provider: &CryptoProvider,
    ) -> Result<Self, Unusable> {
        let wrong = |part, path: &Path| {
            let path = path.to_owned();
            move |fault| Unusable { part, path, fault }
        };
        let chain = pem::read(cert).and_then(|text| pem::chain(&text)).map_err(wrong(Part::Chain, cert))?;
        EndEntityCert::try_from(&chain[0])
            .map_err(|error| wrong(Part::Chain, cert)(Fault::BadCertificate(error)))?;
        let password = password.map(|password| match password.read() {
            Ok(text) => Ok(text),
            Err(error) => Err(wrong(Part::Password, password.file())(Fault::Unreadable(error))),
        });
        let password = password.transpose()?;
        let secret = pem::read(key)
            .and_then(|text| pem::key(&text, password.as_deref()))
            .map_err(wrong(Part::Key, key))?;
        let secret = provider
            .key_provider
            .load_private_key(secret)
            .map_err(|error| wrong(Part::Key, key)(Fault::BadKey(error)))?;
        let certified = CertifiedKey::new(chain, secret);
        match certified.keys_match() {
            // Unknown: the key does not tell its public half, as one that lives in hardware.
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {
                Ok(Self { certified: Arc::new(certified) })
            }
            Err(_) => Err(wrong(Part::Key, key)(Fault::Mismatch(cert.to_owned()))),
        }
    }

    /// Whether a client that asks for this name will take it.
    pub(crate) fn is_valid_for(&self, name: &ServerName<'_>) -> bool {
        self.parsed().verify_is_valid_for_subject_name(name).is_ok()
    }

    /// The DNS names in it, as written: some may begin with `*.`.
    pub(crate) fn dns_names(&self) -> Vec<String> {
        self.parsed().valid_dns_names().map(str::to_owned).collect()
    }

    /// What its dates mean to clients at this time.
    pub(crate) fn health(&self, now: SystemTime) -> Health {
        match (self.not_before(), self.not_after()) {
            (_, Some(end)) if end < now => Health::Expired(end),
            (Some(start), _) if start > now => Health::NotYet(start),
            (_, Some(end)) if end < now + SOON => Health::Ending(end),
            _ => Health::Good,
        }
    }

    /// `None` where it was always valid.
    fn not_before(&self) -> Option<SystemTime> {
        match self.judged_at(Duration::ZERO) {
            Some(webpki::Error::CertNotValidYet { not_before, .. }) => point(not_before),
            _ => None,
        }
    }

    /// When clients stop to take it; `None` where it is valid for ever.
    pub(crate) fn not_after(&self) -> Option<SystemTime> {
        match self.judged_at(Duration::from_secs(u64::MAX)) {
            Some(webpki::Error::CertExpired { not_after, .. }) => point(not_after),
            _ => None,
        }
    }

    /// What the library would say about it at some time since 1970. It has no other way to ask for the dates; they are
    /// the first thing that it looks at, before the issuer, of which it is told nothing here.
    fn judged_at(&self, since: Duration) -> Option<webpki::Error> {
        let time = UnixTime::since_unix_epoch(since);
        let parsed = self.parsed();
        parsed.verify_for_usage(&[], &[], &[], time, KeyUsage::server_auth(), None, None).err()
    }

    fn parsed(&self) -> EndEntityCert<'_> {
        let der = self.certified.cert.first().expect("a chain that was read is not empty");
        EndEntityCert::try_from(der).expect("it was read once before")
    }
}

impl Fault {
    /// What to do about it.
    pub(crate) const fn remedy(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "name a PEM file that this user may read",
            Self::TooLarge => "name the file of the certificate or key itself",
            Self::Empty | Self::BrokenOff | Self::Damaged => {
                "write it anew, and then under its name in one step (mv): it may be read at any time"
            }
            Self::NotPem => "convert it to PEM, from DER with openssl x509 or openssl pkey and -inform der",
            Self::NoCertificate(_) | Self::BadCertificate(_) => {
                "write the chain there, the server's own certificate first"
            }
            Self::NoAuthority => "write the certificates of authorities there, and nothing else",
            Self::NoKey(_) => "name the file that has the private key",
            Self::Encrypted => {
                "name a file with its password, key_password_file = \"FILE\", or store it without one (openssl pkey -in FILE), readable by this user only"
            }
            Self::OldEncryption | Self::UnknownEncryption => {
                "encrypt it anew (openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE), or store it without a password (openssl pkey -in FILE), readable by this user only"
            }
            Self::WrongPassword => "give the password that it was encrypted with",
            Self::BadKey(_) => "use an RSA, ECDSA or Ed25519 key",
            Self::Mismatch(_) => {
                "name the key that the certificate was issued for; of a chain, the server's own certificate comes first"
            }
        }
    }
}

fn point(time: UnixTime) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(time.as_secs()))
}

/// Time enough to renew a certificate by hand.
const SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);
