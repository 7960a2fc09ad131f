//! `cert` and `key` of a listener: what is wrong with them, and what clients will say about them.

use std::sync::LazyLock;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;

use super::listener;
use super::report::{Report, Spot};
use super::section::Section;
use crate::certificate::{Certificate, Health, Part};
use crate::config::diagnostic::quoted;
use crate::config::{CertificateFiles, HostPattern, Route};
use crate::{clock, date};

/// A certificate that can be served, to be compared with the rest of the configuration.
pub(super) struct Examined {
    /// Where its file is named.
    spot: Spot,
    /// That name.
    file: String,
    certificate: Certificate,
}

/// Reads both files. What makes them unusable is an error; a date at which clients refuse them is not: it is better that
/// they see what is wrong than that nobody answers them.
pub(super) fn examine(section: &mut Section<'_, '_>, files: &CertificateFiles) -> Option<Examined> {
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

/// Certificates that are valid for none of the names that are served, if those are known: of the listener, or else of
/// all routes.
pub(super) fn names(report: &mut Report<'_>, drafts: &[listener::Draft], routes: &[&Route]) {
    let hosts: Option<Vec<&HostPattern>> = routes.iter().map(|route| route.host.as_ref()).collect();
    for draft in drafts {
        let Some(listener) = &draft.listener else { continue };
        let own = listener.server_names.as_ref();
        let own = own.map(|names| names.iter().cloned().map(HostPattern::Exact).collect::<Vec<_>>());
        let Some(served) = own.or_else(|| Some(hosts.as_ref()?.iter().copied().cloned().collect())) else {
            continue;
        };
        for examined in &draft.certificates {
            if served.is_empty() || served.iter().any(|name| fits(&examined.certificate, name)) {
                continue;
            }
            let own = listed(examined.certificate.dns_names());
            let message = format!(
                "listener {}: cert {} fits none of the names served here, {}: it is for {}",
                quoted(&listener.address.to_string()),
                quoted(&examined.file),
                listed(served.iter().map(ToString::to_string).collect()),
                if own.is_empty() { "no DNS name" } else { &own },
            );
            let remedy = "use a certificate for one of them, or correct server_names or host";
            report.warning(&examined.spot, message, remedy.to_owned());
        }
    }
}

/// Whether a client that asks for this name, or for one of these, can be content with it.
fn fits(certificate: &Certificate, name: &HostPattern) -> bool {
    match name {
        HostPattern::Exact(host) => {
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            ServerName::try_from(bare).is_ok_and(|name| certificate.is_valid_for(&name))
        }
        HostPattern::Subdomains(domain) => {
            let below = format!(".{domain}");
            certificate.dns_names().iter().any(|name| name.to_ascii_lowercase().ends_with(&below))
        }
    }
}

fn listed(mut names: Vec<String>) -> String {
    let more = names.len().saturating_sub(NAMES_SHOWN_MAX);
    names.truncate(NAMES_SHOWN_MAX);
    if more > 0 {
        names.push(format!("{more} more"));
    }
    names.join(", ")
}

/// Enough to recognise a certificate by.
const NAMES_SHOWN_MAX: usize = 5;

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

    #[test]
    fn lists_are_cut() {
        assert_eq!(listed(Vec::new()), "");
        assert_eq!(listed(vec!["a".to_owned(), "b".to_owned()]), "a, b");
        let many = ('a'..='z').map(String::from).collect();
        assert_eq!(listed(many), "a, b, c, d, e, 21 more");
    }
}
