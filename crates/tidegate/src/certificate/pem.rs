//! PEM files, with a name for each way in which they are not what they should be.

use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::{Error, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{Fault, sealed};
use crate::named_file;

/// The whole file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    named_file::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(Fault::Unreadable)?;
    match bytes.len() as u64 {
        0 => Err(Fault::Empty),
        1..=FILE_BYTES_MAX => Ok(bytes),
        _ => Err(Fault::TooLarge),
    }
}

/// All certificates; at least one.
pub(super) fn chain(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let chain = CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>().map_err(damage)?;
    if chain.is_empty() { Err(instead(text, Fault::NoCertificate)) } else { Ok(chain) }
}

/// The first private key, opened with this password if it is encrypted.
pub(super) fn key(text: &[u8], password: Option<&str>) -> Result<PrivateKeyDer<'static>, Fault> {
    let has_line = |sign: &[u8]| text.split(|byte| *byte == b'\n').any(|line| line.starts_with(sign));
    // A field of the older form, in which the block's name does not tell.
    if has_line(b"Proc-Type: 4,ENCRYPTED") {
        return Err(if password.is_some() { Fault::OldEncryption } else { Fault::Encrypted });
    }
    if has_line(b"-----BEGIN ENCRYPTED PRIVATE KEY") {
        return sealed::open(&sealed_block(text)?, password.ok_or(Fault::Encrypted)?);
    }
    let first = PrivateKeyDer::pem_slice_iter(text).next();
    first.ok_or_else(|| instead(text, Fault::NoKey))?.map_err(damage)
}

/// The content of the first `ENCRYPTED PRIVATE KEY`, which is no kind that the reader of the rest knows.
fn sealed_block(text: &[u8]) -> Result<Vec<u8>, Fault> {
    let text = std::str::from_utf8(text).map_err(|_| Fault::Damaged)?;
    let (_, block) = text.split_once("-----BEGIN ENCRYPTED PRIVATE KEY-----").ok_or(Fault::BrokenOff)?;
    let (block, _) = block.split_once("-----END ENCRYPTED PRIVATE KEY-----").ok_or(Fault::BrokenOff)?;
    let base64: String = block.split_ascii_whitespace().collect();
    STANDARD.decode(base64).map_err(|_| Fault::Damaged)
}

fn damage(error: Error) -> Fault {
    if matches!(error, Error::MissingSectionEnd { .. } | Error::IllegalSectionStart { .. }) {
        Fault::BrokenOff
    } else {
        Fault::Damaged
    }
}

/// What there is instead of what was looked for.
fn instead(text: &[u8], missing: fn(String) -> Fault) -> Fault {
    let mut labels = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        let Some(label) = line.strip_prefix(b"-----BEGIN ") else { continue };
        let label: String = String::from_utf8_lossy(label).trim_end().chars().take(LABEL_CHARS_MAX).collect();
        let label = label.trim_end_matches('-').to_owned();
        if labels.len() < LABELS_MAX && !labels.contains(&label) {
            labels.push(label);
        }
    }
    if labels.is_empty() { Fault::NotPem } else { missing(labels.join(", ")) }
}

/// A chain has a few KiB; whole bundles of authorities stay below this.
const FILE_BYTES_MAX: u64 = 1 << 20;
const LABELS_MAX: usize = 4;
const LABEL_CHARS_MAX: usize = 40;
