//! The tables of `docs/` whose rows are numbers, against the tests that have those numbers in their names.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod conformance;
mod reliability;
mod scope;
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

/// Holds a document against what it would be if it were written now, or with `TIDEGATE_UPDATE=1` writes it.
#[track_caller]
fn hold(name: &str, written: impl FnOnce(&str) -> String) {
    let document = root().join(name);
    let committed = fs::read_to_string(&document).unwrap();
    let now = written(&committed);
    if std::env::var_os("TIDEGATE_UPDATE").is_some() {
        fs::write(&document, now).unwrap();
    } else {
        assert!(now == committed, "{name} is not up to date: it says how to write it anew");
    }
}

/// The first cell of a row: `C036` of `| C036 | …`.
fn number_of_row(line: &str) -> Option<&str> {
    let number = line.strip_prefix("| ")?.split(' ').next()?;
    tests::is_number(&number.to_lowercase()).then_some(number)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}
