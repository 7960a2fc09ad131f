//! Why TLS did not come about, in words: what the other side's certificate lacks, and what to do about it.

use std::io;

use rustls::{CertificateError, Error, InvalidMessage, OtherError};

/// Names of a certificate that are shown.
const NAMES_SHOWN_MAX: usize = 5;

/// The cause of an error that TLS ended with; an error of something else as it is.
pub(crate) fn explained(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::InvalidCertificate(error)) => certificate(error),
        Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
            "it does not speak TLS there".to_owned()
        }
        Some(Error::AlertReceived(alert)) => format!("it refuses with the alert {alert:?}"),
        Some(_) | None => error.to_string(),
    }
}

/// Whether the other side speaks something else than TLS.
pub(crate) fn is_plain(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    matches!(inner, Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)))
}

/// Whether a certificate is not believed only because nobody is trusted who vouches for it.
pub(crate) fn is_unknown_issuer(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    matches!(inner, Some(Error::InvalidCertificate(error)) if *error == CertificateError::UnknownIssuer || is_namesake(error))
}

/// Whether somebody is trusted who has the name of its issuer, and another key: its own one, where it has signed itself.
const fn is_namesake(error: &CertificateError) -> bool {
    matches!(
        error,
        CertificateError::BadSignature
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. }
    )
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library speaks for the others, and for later ones")]
fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => "its certificate is signed by nobody who is trusted here".to_owned(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet; look at the clock of this machine".to_owned()
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            format!("its certificate is not for {}, but for {}", expected.to_str(), names(presented))
        }
        CertificateError::NotValidForName => "its certificate is for another name".to_owned(),
        namesake if is_namesake(namesake) => {
            "its certificate is signed by nobody who is trusted here (somebody of the same name is, with another key)"
                .to_owned()
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. } => {
            "its certificate is signed in a way that is not supported; use RSA with 2048 bits or more and SHA-256, \
             ECDSA with P-256 or P-384, or Ed25519"
                .to_owned()
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "its certificate is not meant for servers (extendedKeyUsage)".to_owned()
        }
        CertificateError::Other(OtherError(other)) if is_authority(other.as_ref()) => {
            "its certificate is that of an authority (CA:TRUE), which cannot stand for a server; make one with \
             openssl req -x509 … -addext basicConstraints=critical,CA:FALSE"
                .to_owned()
        }
        other => format!("its certificate is not accepted: {other}"),
    }
}

fn is_authority(error: &(dyn std::error::Error + 'static)) -> bool {
    matches!(error.downcast_ref::<webpki::Error>(), Some(webpki::Error::CaUsedAsEndEntity))
}

/// What the library lists as `DnsName("a")`, without its own words.
fn names(presented: &[String]) -> String {
    let plain = |name: &String| name.split('"').nth(1).unwrap_or(name).escape_debug().to_string();
    let shown: Vec<_> = presented.iter().take(NAMES_SHOWN_MAX).map(plain).collect();
    match presented.len() {
        0 => "no name at all".to_owned(),
        count if count > NAMES_SHOWN_MAX => {
            format!("{} and {} more", shown.join(", "), count - NAMES_SHOWN_MAX)
        }
        _ => shown.join(", "),
    }
}
