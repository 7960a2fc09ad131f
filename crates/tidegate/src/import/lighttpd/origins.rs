//! The two rules by which an Origin was let in, as `origins` has them.

use regex::Regex;

use super::position::Position;
use super::value::Item;
use crate::config::OriginPattern;
use crate::import::report::Report;

/// mod_wstunnel: an origin that is an entry, or that ends with it behind a dot.
pub(super) fn by_suffix(entries: &[Item], what: &str, report: &mut Report<Position>) -> Vec<String> {
    let mut origins = Vec::new();
    for item in entries {
        let entry = item.value.as_text().unwrap_or_default();
        let what = format!("{what} {entry:?}");
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (host, format!(":{port}")),
            _ => (entry, String::new()),
        };
        if entry == "null" {
            origins.push(entry.to_owned());
        } else if let Some((scheme, rest)) = entry.split_once("://") {
            let is_one = is_host(rest.strip_suffix(&port).unwrap_or(rest)) && is_read(entry);
            if matches!(scheme, "http" | "https") && is_one {
                origins.push(entry.to_owned());
            } else {
                report.without(&item.at, what, "is no origin of http or https, and no browser sends it");
            }
        } else if is_host(host) && is_read(&format!("https://*.{entry}")) {
            origins.extend(["https", "http"].map(|scheme| format!("{scheme}://*.{entry}")));
            let note =
                "what ends with it behind a dot, under https and http: its subdomains, not itself, as there";
            report.note(&item.at, what, note);
        } else {
            report.without(&item.at, what, "no origin ends with it behind a dot");
        }
    }
    origins.dedup();
    origins
}

/// mod_websocket: regular expressions that match from the start.
pub(super) fn by_regex(entries: &[Item], what: &str, report: &mut Report<Position>) -> Vec<String> {
    let mut origins: Vec<String> = Vec::new();
    for item in entries {
        let Some(written) = item.value.as_text() else {
            report.without(&item.at, what, "is no string");
            continue;
        };
        let what = format!("{what} {written:?}");
        if matches!(written, "" | "^" | ".*" | "^.*" | "^.*$") {
            report.note(&item.at, what, "lets every site in, as there");
            return vec!["*".to_owned()];
        }
        let is_simple = !written.contains('|') && !written.contains("(?");
        let ends = is_simple && written.ends_with('$') && !written.ends_with(r"\$");
        let core = written.strip_prefix('^').unwrap_or(written);
        let meant = if ends {
            format!("~{}", core.strip_suffix('$').unwrap_or(core))
        } else if is_simple {
            format!("~{core}.*")
        } else {
            format!("~(?:{written}).*")
        };
        // Alone first: what is put around it must not close what it leaves open.
        let start = Regex::new(written).and_then(|_| Regex::new(&format!(r"\A(?:{written})")));
        let Some(start) = start.ok().filter(|_| is_read(&meant)) else {
            let why = "this regular expression cannot be used: nobody is let in by it";
            report.without(&item.at, what, why);
            continue;
        };
        if start.is_match("null") {
            origins.push("null".to_owned());
        }
        origins.push(meant);
        // A name that goes on is another site: this is where the old rule lets strangers in.
        if !ends {
            let note = "whatever follows is let in as well, as there: end it with $ if no more is meant";
            report.note(&item.at, what, note);
        }
    }
    origins.dedup();
    origins
}

/// Whether the gateway takes this for an entry of `origins`.
fn is_read(entry: &str) -> bool {
    OriginPattern::read(entry).is_ok()
}

fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    text.split('.').all(label)
}
