//! Whether clients can be content with the certificates that they are shown: the names in them are those that are served.

use rustls::pki_types::ServerName;

use super::listener;
use super::report::Report;
use crate::certificate::Certificate;
use crate::config::diagnostic::quoted;
use crate::config::{HostPattern, Route};

/// Certificates that are valid for none of the names that are served, if those are known: of the listener, or else of
/// all routes.
pub(super) fn check(report: &mut Report<'_>, drafts: &[listener::Draft], routes: &[&Route]) {
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

/// The first of them, and how many more there are.
pub(super) fn listed(mut names: Vec<String>) -> String {
    let more = names.len().saturating_sub(NAMES_SHOWN_MAX);
    names.truncate(NAMES_SHOWN_MAX);
    if more > 0 {
        names.push(format!("{more} more"));
    }
    names.join(", ")
}

/// Enough to recognise what is meant by.
const NAMES_SHOWN_MAX: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_cut() {
        assert_eq!(listed(Vec::new()), "");
        assert_eq!(listed(vec!["a".to_owned(), "b".to_owned()]), "a, b");
        let many = ('a'..='z').map(String::from).collect();
        assert_eq!(listed(many), "a, b, c, d, e, 21 more");
    }
}
