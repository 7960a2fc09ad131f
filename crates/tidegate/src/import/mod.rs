//! Configurations of what the gateway replaces, as configurations of the gateway.

mod args;
mod document;
mod lighttpd;
mod report;

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::path::Path;

pub(crate) use self::args::ImportFrom;
pub(crate) use self::document::{Document, Table, Toml};
pub(crate) use self::report::Report;
use crate::config::{self, Diagnostic, Location, Overrides, Severity};
use crate::shown::escaped;

/// What an import has come to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The text of a `tidegate.toml`.
    pub(crate) text: String,
    /// One line for each directive, and what `tidegate check` says of the text.
    pub(crate) report: String,
    /// Everything has an equivalent, and the text can be served on this machine.
    pub(crate) is_complete: bool,
}

/// Translates a configuration of lighttpd.
///
/// # Errors
/// The place of what cannot be read, and what was expected there.
pub(crate) fn lighttpd(file: &Path) -> Result<Outcome, String> {
    let imported = lighttpd::import(file)?;
    let source = file.display();
    let mut document = imported.document;
    document.comments = vec![format!("From {source}, by tidegate import lighttpd.")];
    document.comments.extend(ADVICE.map(str::to_owned));
    let outcome = outcome(document, imported.report, imported.is_incomplete);
    if outcome.text.len() > config::FILE_BYTES_MAX {
        let text = escaped(&format!("{source}: comes to more than {} bytes", config::FILE_BYTES_MAX));
        return Err(text);
    }
    Ok(outcome)
}

/// What has come of a document, once it was checked. What the gateway would not take in any place is left out: one such
/// table must not keep all others from being served.
pub(crate) fn outcome(mut document: Document, mut report: String, is_incomplete: bool) -> Outcome {
    let mut is_whole = !is_incomplete;
    for _ in 0..ROUNDS_MAX {
        if !leave_out_refused(&mut document, &mut report) {
            break;
        }
        is_whole = false;
    }
    let text = document.to_string();
    let errors = errors(&text);
    for found in &errors {
        say(&mut report, format_args!("tidegate check would say: {found}"));
    }
    Outcome { text, report, is_complete: is_whole && errors.is_empty() }
}

/// What is wrong with a text. Paths of files are as they were: relative ones start at the working directory, as there.
fn errors(text: &str) -> Vec<Diagnostic> {
    let checked = config::parse(text, Path::new("tidegate.toml"), &Overrides::default());
    checked.diagnostics.into_iter().filter(|found| found.severity == Severity::Error).collect()
}

/// Makes comments of the tables that the gateway would refuse on any machine; whether there were some.
fn leave_out_refused(document: &mut Document, report: &mut String) -> bool {
    let mut refused = BTreeSet::new();
    for found in errors(&document.to_string()) {
        let Location::File { line, .. } = found.location else { continue };
        let in_any_place = |(table, key): &(&mut Table, Option<&str>)| !is_of_files(table, *key);
        let Some((table, _)) = document.at_line(line).filter(in_any_place) else { continue };
        let why = format!("{}; {}", found.message, found.remedy);
        let said = format!("{}: no equivalent: left out, as the gateway refuses it: {why}", table.origin());
        say(report, format_args!("{}", escaped(&said)));
        refused.insert((line, why));
    }
    // From the last on: a table that has one more comment moves all that follow it.
    for (line, why) in refused.iter().rev() {
        if let Some((table, _)) = document.at_line(*line) {
            table.leave_out(format!("LEFT OUT: {why}"));
        }
    }
    !refused.is_empty()
}

/// Whether what is wrong with this key of a table is wrong with files, which may be others where it is to be served.
fn is_of_files(table: &Table, key: Option<&str>) -> bool {
    let Some(key) = key else { return false };
    let text = table.text(key).unwrap_or_default();
    match key {
        "backend" => text.starts_with("file:"),
        "address" => text.starts_with("unix:") && config::check_address(text).is_ok(),
        _ => FILES.contains(&key),
    }
}

fn say(report: &mut String, line: fmt::Arguments<'_>) {
    writeln!(report, "{line}").expect("a string can be written to");
}

/// Keys that are about files.
const FILES: [&str; 8] = ["tls", "cert", "key", "key_password_file", "client_ca", "lookup", "auth", "record"];

/// What two tables have to do with each other may come out only when a third one is gone.
const ROUNDS_MAX: usize = 8;

const ADVICE: [&str; 3] = [
    "",
    "What lighttpd did, this does as well. Two things of it are worth a second thought:",
    "origins = [\"*\"] lets every site connect, and max_frame = \"1TiB\" is no limit.",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(address: &str) -> Table {
        Table::new(format!("from {address}")).with("address", address)
    }

    fn route(path: &str, backend: &str) -> Table {
        Table::new(format!("from {path}")).with("path", path).with("backend", backend)
    }

    #[test]
    fn what_no_gateway_takes_is_left_out_and_the_rest_is_served() {
        let listeners = ["0.0.0.0:8080", "127.0.0.1:8080", "[::1]:8080"].map(listener).to_vec();
        let odd = [
            route("/a/../b", "echo:"),
            route("/a", "echo:").with("host", "a..b"),
            route("~*", "echo:").with("subprotocols", vec!["a b"]),
            route("/b\u{202e}", "tpc://a:1"),
        ];
        let routes = [route("/first", "echo:")].into_iter().chain(odd).chain([route("/last", "echo:")]);
        let document = Document { listeners, routes: routes.collect(), ..Document::default() };
        let Outcome { text, report, is_complete } = outcome(document, String::new(), false);
        let checked = config::parse(&text, Path::new("t"), &Overrides::default());
        let config = checked.config.unwrap_or_else(|| panic!("{:?}\n{text}", checked.diagnostics));
        let paths: Vec<_> = config.routes.iter().map(|route| route.path.to_string()).collect();
        let addresses: Vec<_> =
            config.listeners.iter().map(|listener| listener.address.to_string()).collect();
        assert_eq!(paths, ["/first", "/last"]);
        assert_eq!(addresses, ["0.0.0.0:8080", "[::1]:8080"]);
        assert!(!is_complete);
        for said in ["from /a/../b", "from /a", "from ~*", "from /b\\u{202e}", "from 127.0.0.1:8080"] {
            let start = format!("{said}: no equivalent: left out, as the gateway refuses it: ");
            assert!(report.lines().any(|line| line.starts_with(&start)), "{said}:\n{report}");
        }
        assert!(!report.contains("tidegate check would say"), "{report}");
    }

    #[test]
    fn what_this_machine_lacks_stays_where_it_is() {
        let secure = Toml::Table(vec![("cert", "/nonexistent/c".into()), ("key", "/nonexistent/k".into())]);
        let document = Document {
            listeners: vec![listener("127.0.0.1:8443").with("tls", secure), listener("unix:/nonexistent/a")],
            routes: vec![route("/*", "file:/nonexistent")],
            ..Document::default()
        };
        let written = document.to_string();
        let Outcome { text, report, is_complete } = outcome(document, String::new(), false);
        assert_eq!(text, written);
        assert!(!is_complete);
        assert_eq!(report.matches("tidegate check would say: ").count(), 4, "{report}");
    }
}
