//! `docs/conformance.md` against the tests there are: every demand has a test that is named after it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The numbers in a test's name, and where the test is.
type Tests = BTreeMap<String, Vec<String>>;

#[test]
fn every_demand_has_a_test_and_every_numbered_test_a_demand() {
    let document = root().join("docs/conformance.md");
    let committed = fs::read_to_string(&document).unwrap();
    let tests = numbered_tests();
    let updated = with_tests(&committed, &tests);
    let is_update = std::env::var_os("TIDEGATE_UPDATE").is_some();
    if is_update {
        fs::write(&document, &updated).unwrap();
    }
    let rows: Vec<&str> = updated.lines().filter_map(number_of_row).collect();
    let without_test: Vec<&&str> = rows.iter().filter(|row| !tests.contains_key(**row)).collect();
    assert!(without_test.is_empty(), "no test is named after {without_test:?}");
    let without_row: Vec<&String> = tests.keys().filter(|number| !rows.contains(&number.as_str())).collect();
    assert!(without_row.is_empty(), "docs/conformance.md has no row for {without_row:?}");
    assert!(
        is_update || updated == committed,
        "docs/conformance.md is not up to date: it says how to write it anew"
    );
}

/// The document with the last cell of each row written anew.
fn with_tests(document: &str, tests: &Tests) -> String {
    let mut updated = String::new();
    for line in document.lines() {
        match number_of_row(line) {
            None => updated.push_str(line),
            Some(number) => {
                let demand = line.trim_end_matches('|').rsplit_once('|').unwrap().0;
                let cell = tests.get(number).map(|tests| tests.join("<br>")).unwrap_or_default();
                updated.push_str(&format!("{demand}| {cell} |"));
            }
        }
        updated.push('\n');
    }
    updated
}

/// `C036` of a row of the table.
fn number_of_row(line: &str) -> Option<&str> {
    let number = line.strip_prefix("| ")?.split(' ').next()?;
    is_number(&number.to_lowercase()).then_some(number)
}

fn is_number(word: &str) -> bool {
    word.strip_prefix('c')
        .is_some_and(|digits| digits.len() == 3 && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Every function of a test that begins with numbers (`fn c043_c048_…`), by number.
fn numbered_tests() -> Tests {
    let mut tests = Tests::new();
    let mut files = Vec::new();
    source_files(&root().join("crates"), &mut files);
    files.sort();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let shown = file.strip_prefix(root()).unwrap().display().to_string();
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with("#[") {
                is_test |= line.contains("test");
                assert!(!line.starts_with("#[ignore"), "{shown} ignores a test");
                continue;
            }
            let name = line.split("fn ").nth(1).and_then(|rest| rest.split(['(', '<']).next());
            let Some(name) = name else { continue };
            // Properties stand inside of a macro, which gives them their attribute in the block before the name.
            if std::mem::take(&mut is_test) || text.contains("proptest!") {
                for number in name.split('_').take_while(|word| is_number(word)) {
                    let at = format!("[{name}](../{shown})");
                    tests.entry(number.to_uppercase()).or_default().push(at);
                }
            }
        }
    }
    tests
}

fn source_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_none_or(|name| name != "target") {
            source_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}
