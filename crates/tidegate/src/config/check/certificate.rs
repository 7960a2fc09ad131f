//! `cert` and `key` of a listener: what is wrong with them, and what clients will say about them.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use rustls::crypto::{CryptoProvider, aws_lc_rs};

use super::files;
use super::report::Spot;
use super::section::Section;
use crate::certificate::{Certificate, Health, Part};
use crate::config::diagnostic::{Fault, quoted};
use crate::config::{CertificateFiles, KeyPassword};
use crate::{clock, date};

/// A certificate that can be served, to be compared with the rest of the configuration.
pub(super) struct Examined {
    /// Where its file is named.
    pub(super) spot: Spot,
    /// That name.
    pub(super) file: String,
    pub(super) certificate: Certificate,
}

/// `cert`, `key` and what belongs to them, of this table, which is the listener's own for `tls = "auto"`; all are looked
/// at even if the first is wrong.
pub(super) fn pair(section: &mut Section<'_, '_>, examined: &mut Vec<Examined>) -> Option<CertificateFiles> {
    for name in ["cert", "key"] {
        if section.find(name).is_none() {
            section.missing(name, format!("write {name} = \"FILE\", a PEM file"));
        }
    }
    let cert = section.text("cert", files::readable);
    let key = section.text("key", files::readable);
    let key_password = section.text("key_password_file", password_file).map(KeyPassword::File);
    if let Some(key) = &key {
        section.guard("key", key);
    }
    if let Some(password) = &key_password {
        section.guard("key_password_file", password.file());
    }
    if key_password.is_none() && section.find("key_password_file").is_some() {
        return None; // what is wrong with it was said, and without it nothing can be said of the key
    }
    let files = CertificateFiles { cert: cert?, key: key?, key_password };
    examined.extend(examine(section, &files));
    Some(files)
}

/// Reads both files. What makes them unusable is an error; a date at which clients refuse them is not: it is better that
/// they see what is wrong than that nobody answers them.
fn examine(section: &mut Section<'_, '_>, files: &CertificateFiles) -> Option<Examined> {
    let named = |section: &Section<'_, '_>, key: &str| {
        let found = section.find(key).expect("a key that was read is set");
        (found.spot, found.value.as_str().unwrap_or_default().to_owned())
    };
    match Certificate::load(&files.cert, &files.key, files.key_password.as_ref(), &PROVIDER) {
        Ok(certificate) => {
            let (spot, file) = named(section, "cert");
            let examined = Examined { spot, file, certificate };
            if let Some((problem, remedy)) = unhealthy(examined.certificate.health(clock::wall())) {
                let message = format!("cert {} {problem}", quoted(&examined.file));
                section.warning(&examined.spot, message, remedy);
            }
            Some(examined)
        }
        Err(unusable) => {
            let key = match unusable.part {
                Part::Chain => "cert",
                Part::Key => "key",
                Part::Password => "key_password_file",
            };
            let (spot, file) = named(section, key);
            let message = format!("{key} {} {}", quoted(&file), unusable.fault);
            section.error(&spot, message, unusable.fault.remedy());
            None
        }
    }
}

fn password_file(text: &str, folder: &Path) -> Result<PathBuf, Fault> {
    let unreadable = |fault: Fault| Fault::new(fault.problem, "name a file that this user may read");
    files::readable(text, folder).map_err(unreadable)
}

fn unhealthy(health: Health) -> Option<(String, &'static str)> {
    let show = |time| date::minute(time).unwrap_or_else(|| "a far year".to_owned());
    match health {
        Health::Good => None,
        Health::NotYet(start) => Some((
            format!("is not valid before {} UTC", show(start)),
            "look at the clock of this machine, or use it from then on: until then clients refuse it",
        )),
        Health::Ending(end) => Some((format!("expires within 14 days, at {} UTC", show(end)), "renew it")),
        Health::Expired(end) => Some((
            format!("has expired, at {} UTC", show(end)),
            "renew it: it is served, but clients refuse it",
        )),
    }
}

static PROVIDER: LazyLock<CryptoProvider> = LazyLock::new(aws_lc_rs::default_provider);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_said_to_the_minute() {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_795_278_659);
        assert!(unhealthy(Health::Good).is_none());
        for (health, problem) in [
            (Health::NotYet(time), "is not valid before 2026-11-21 16:30 UTC"),
            (Health::Ending(time), "expires within 14 days, at 2026-11-21 16:30 UTC"),
            (Health::Expired(time), "has expired, at 2026-11-21 16:30 UTC"),
        ] {
            assert_eq!(unhealthy(health).unwrap().0, problem);
        }
    }
}
