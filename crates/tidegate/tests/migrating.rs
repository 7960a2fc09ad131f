//! The tables of `docs/migrating/` against the tests there are: every row names one, and it exists.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A test: the folders and the file that it is in, and its name.
type Test = (Vec<String>, String);

#[test]
fn every_row_names_a_test_that_exists() {
    let (tests, mut rows, mut wrong) = (tests(), 0, Vec::new());
    for page in files(&root().join("docs/migrating"), "md") {
        let name = page.file_name().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(page).unwrap();
        let mut module = None;
        let mut before = false;
        for line in text.lines() {
            let cells = cells(line);
            match (cells.last(), before) {
                (None, _) => module = None,
                (Some(_), false) => module = Some(heading(&name, line, &cells, &mut wrong)),
                (Some(cell), true) if !cell.starts_with("---") => {
                    rows += 1;
                    if !names_a_test(cell, module.as_ref().and_then(Option::as_deref), &tests) {
                        wrong.push(format!("{name}: {line}"));
                    }
                }
                (Some(_), true) => {}
            }
            before = !cells.is_empty();
        }
    }
    assert!(rows > 100, "the test has lost sight of the tables: {rows} rows");
    assert!(wrong.is_empty(), "no test, or one that is not there:\n{}", wrong.join("\n"));
}

/// The module that the tests of a table are in, if its heading says so.
fn heading(page: &str, line: &str, cells: &[&str], wrong: &mut Vec<String>) -> Option<String> {
    let Some(module) = cells.last().and_then(|cell| cell.strip_prefix("test")) else {
        wrong.push(format!("{page}: a table without a column for tests: {line}"));
        return None;
    };
    let module = module.trim().strip_prefix("in `")?;
    Some(module.trim_end_matches('`').trim_end_matches("::").to_owned())
}

fn names_a_test(cell: &str, module: Option<&str>, tests: &BTreeSet<Test>) -> bool {
    let names: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
    let is_there = |name: &&str| {
        if name.contains('/') {
            return root().join(name).is_file();
        }
        let mut parts: Vec<&str> = name.split("::").collect();
        let function = parts.pop().unwrap_or_default();
        if parts.is_empty() {
            parts.extend(module);
        }
        parts.retain(|part| !matches!(*part, "…" | "tests"));
        tests.iter().any(|(path, test)| {
            let fits = match function.strip_suffix('…') {
                Some(start) => test.starts_with(start),
                None if function == "tests" => true,
                None => test == function,
            };
            fits && parts.iter().all(|module| path.iter().any(|part| part == module))
        })
    };
    if names.is_empty() { cell.starts_with("the same") } else { names.iter().all(is_there) }
}

/// The cells of a row of a table.
fn cells(line: &str) -> Vec<&str> {
    let Some(row) = line.strip_prefix('|').and_then(|row| row.strip_suffix('|')) else { return Vec::new() };
    row.split(" | ").map(str::trim).collect()
}

fn tests() -> BTreeSet<Test> {
    let mut tests = BTreeSet::new();
    for folder in ["crates/tidegate/src", "crates/tidegate/tests"] {
        for file in files(&root().join(folder), "rs") {
            let path: Vec<_> =
                file.iter().map(|part| part.to_str().unwrap().trim_end_matches(".rs")).collect();
            let path: Vec<String> = path.into_iter().map(str::to_owned).collect();
            let text = fs::read_to_string(&file).unwrap();
            let mut is_test = false;
            for line in text.lines().map(str::trim) {
                match line.strip_prefix("fn ").and_then(|rest| rest.split('(').next()) {
                    Some(name) if is_test => drop(tests.insert((path.clone(), name.to_owned()))),
                    Some(_) | None => {}
                }
                is_test = line == "#[test]"
                    || line.starts_with("#[tokio::test")
                    || (is_test && line.starts_with("#["));
            }
        }
    }
    tests
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|own| own == extension) {
            found.push(path);
        }
    }
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
