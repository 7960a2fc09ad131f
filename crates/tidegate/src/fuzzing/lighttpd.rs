//! A configuration of lighttpd: what comes of it is a configuration that can be served, but for files that are not there.

use std::fs;
use std::path::Path;

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
        Err(error) => return assert!(!error.is_empty() && error.lines().count() == 1, "{error:?}"),
    };
    let checked = config::parse(&outcome.text, Path::new("tidegate.toml"), &Overrides::default());
    let errors = checked.diagnostics.iter().filter(|found| found.severity == Severity::Error);
    let unexpected: Vec<_> = errors.map(ToString::to_string).filter(|error| !is_allowed(error)).collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}\n{}", outcome.text);
    assert!(!outcome.is_complete || checked.config.is_some(), "{}", outcome.report);
    assert!(outcome.report.lines().all(|line| !line.chars().any(char::is_control)), "{:?}", outcome.report);
}

/// Whether a file or folder is missing, as the machine is another one, or nothing was asked for that is served.
fn is_allowed(error: &str) -> bool {
    let words =
        ["cannot be read", "does not exist", "is not there", "no folder", "No such file", "no route is set"];
    words.iter().any(|words| error.contains(words))
}
