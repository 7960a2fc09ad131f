//! A configuration of lighttpd: what comes of it is a configuration that can be served, but for files that are not there,
//! and nothing that is set in it is passed over in silence.

use std::fs;
use std::path::Path;

use super::access_line::is_plain;
use super::folder::Folder;
use crate::config::{self, Overrides, Severity};
use crate::import;

thread_local! {
    static FOLDER: Folder = Folder::new("lighttpd");
}

/// Imports an input.
pub fn run(data: &[u8]) {
    let file = FOLDER.with(|folder| folder.0.join("lighttpd.conf"));
    fs::write(&file, data).expect("the folder takes files");
    let outcome = match import::lighttpd(&file) {
        Ok(outcome) => outcome,
        Err(error) => return assert!(!error.is_empty() && error.chars().all(is_plain), "{error:?}"),
    };
    let is_text = |text: &str| text.split('\n').all(|line| line.chars().all(is_plain));
    assert!(is_text(&outcome.text), "{:?}", outcome.text);
    assert!(is_text(&outcome.report), "{:?}", outcome.report);
    let checked = config::parse(&outcome.text, Path::new("tidegate.toml"), &Overrides::default());
    let errors = checked.diagnostics.iter().filter(|found| found.severity == Severity::Error);
    let unexpected: Vec<_> = errors.map(ToString::to_string).filter(|error| !is_allowed(error)).collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}\n{}", outcome.text);
    assert!(!outcome.is_complete || checked.config.is_some(), "{}", outcome.report);
    assert_all_is_told(&String::from_utf8_lossy(data), &file, &outcome.report);
}

/// Whether a file or folder is missing, as the machine is another one, or nothing was asked for that is served. What the
/// input says of itself, between quotation marks, is no reason.
fn is_allowed(error: &str) -> bool {
    let words = [
        "cannot be read",
        "does not exist",
        "is there already",
        "no folder",
        "not a directory",
        "no route is set",
    ];
    let unescaped = error.replace("\\\\", "").replace("\\\"", "");
    let own: String = unescaped.split('"').step_by(2).collect();
    words.iter().any(|words| own.contains(words))
}

/// Each directive that begins a line has a line of the report. Where strings go on from line to line, and in comments, it
/// would take lighttpd to know what is one.
fn assert_all_is_told(text: &str, file: &Path, report: &str) {
    if text.contains(['#', '\\']) || text.split('\n').any(|line| line.matches('"').count() % 2 == 1) {
        return;
    }
    for (at, line) in text.split('\n').enumerate() {
        if let Some(name) = directive(line) {
            let start = format!("{}:{}: {name}: ", file.display(), at + 1);
            assert!(report.lines().any(|line| line.starts_with(&start)), "nothing of {start:?} in\n{report}");
        }
    }
}

/// The name that something is assigned to at the beginning of a line, but for variables.
fn directive(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)))?;
    let (name, rest) = line.split_at(end);
    let sign = rest.trim_start();
    let is_assigned = ["+=", ":="].iter().any(|assign| sign.starts_with(assign))
        || sign.starts_with('=')
            && !["==", "=>", "=~", "=^", "=$"].iter().any(|other| sign.starts_with(other));
    (name.contains('.') && !name.starts_with("var.") && is_assigned).then_some(name)
}
