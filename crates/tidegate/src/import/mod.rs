//! Configurations of what the gateway replaces, as configurations of the gateway.

mod args;
mod document;
mod lighttpd;
mod report;

use std::fmt::Write as _;
use std::path::Path;

pub(crate) use self::args::ImportFrom;
pub(crate) use self::document::{Document, Table, Toml};
pub(crate) use self::report::Report;
use crate::config::{self, Overrides, Severity};

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
    let mut document = imported.document;
    document.comments = vec![format!("From {}, by tidegate import lighttpd.", file.display())];
    document.comments.extend(ADVICE.map(str::to_owned));
    Ok(outcome(document, imported.report, imported.is_incomplete))
}

/// What has come of a document, once it was checked.
pub(crate) fn outcome(document: Document, mut report: String, is_incomplete: bool) -> Outcome {
    let text = document.to_string();
    let is_sound = check(&text, &mut report);
    Outcome { text, report, is_complete: is_sound && !is_incomplete }
}

/// Adds what is wrong with the text to the report; whether nothing is.
fn check(text: &str, report: &mut String) -> bool {
    // Paths of files are as they were: relative ones start at the working directory, as there.
    let checked = config::parse(text, Path::new("tidegate.toml"), &Overrides::default());
    for found in &checked.diagnostics {
        if found.severity == Severity::Error {
            writeln!(report, "tidegate check would say: {found}").expect("a string can be written to");
        }
    }
    checked.config.is_some()
}

const ADVICE: [&str; 3] = [
    "",
    "What lighttpd did, this does as well. Two things of it are worth a second thought:",
    "origins = [\"*\"] lets every site connect, and max_frame = \"1TiB\" is no limit.",
];
