//! `docs/reliability.md`: every hostile input and every fault has a test, or it is said that it has none.

use std::collections::BTreeSet;

use crate::tests::{Test, Tests, numbered};
use crate::{hold, number_of_row, scope};

/// Rows that no test holds yet. A row that gets its test must leave this list, and none may come in.
const MISSING: &[&str] = &[];

/// Rows that speak of protocols which the gateway does not speak: they come with them.
const LATER: &[(&str, u16, u16)] = &[("HTTP/2", 162, 186), ("HTTP/3", 187, 198)];

/// What stands where a row has no test.
enum Without {
    Missing,
    Later(&'static str),
}

#[test]
fn every_row_has_a_test_or_is_called_missing() {
    let tests: Tests = numbered().into_iter().filter(|(number, _)| !number.starts_with('C')).collect();
    let rows: Vec<String> = (1..=250).map(|number| format!("T{number:03}")).collect();
    let rows: Vec<String> = rows.into_iter().chain((1..=61).map(|number| format!("F{number:02}"))).collect();
    let strangers: Vec<&String> = tests.keys().filter(|number| !rows.contains(number)).collect();
    assert!(strangers.is_empty(), "there is no row {strangers:?}");
    let held_after_all: Vec<&&str> = MISSING.iter().filter(|row| tests.contains_key(**row)).collect();
    assert!(held_after_all.is_empty(), "{held_after_all:?} have tests, and are called missing");
    let unheld: Vec<&String> =
        rows.iter().filter(|row| !tests.contains_key(*row) && without(row).is_none()).collect();
    assert!(unheld.is_empty(), "no test is named after {unheld:?}");

    hold("docs/reliability.md", |committed| {
        let written: Vec<&str> = committed.lines().filter_map(number_of_row).collect();
        assert_eq!(written, rows, "docs/reliability.md has each row once, in order");
        committed.lines().map(|line| with_cells(line, &tests) + "\n").collect()
    });
}

/// The line, with what is written by this test written anew.
fn with_cells(line: &str, tests: &Tests) -> String {
    if line.starts_with("**Count:**") {
        return count(tests);
    }
    let Some(number) = number_of_row(line) else { return line.to_owned() };
    let sentence = line.split(" | ").nth(1).expect("a row has a sentence");
    let (over, links) = match tests.get(number) {
        Some(tests) => (scope::of(tests), tests.iter().map(Test::link).collect::<Vec<_>>().join("<br>")),
        None => match without(number) {
            Some(Without::Later(protocol)) => (format!("comes with {protocol}"), String::new()),
            Some(Without::Missing) | None => ("**missing**".to_owned(), String::new()),
        },
    };
    format!("| {number} | {sentence} | {over} | {links} |")
}

fn count(tests: &Tests) -> String {
    let names: BTreeSet<(&str, &str)> =
        tests.values().flatten().map(|test| (test.file.as_str(), test.name.as_str())).collect();
    let later = 311 - MISSING.len() - tests.len();
    format!(
        "**Count:** of 311 rows, {} are held by {} tests, {later} come with HTTP/2 and HTTP/3, and {} are missing.",
        tests.len(),
        names.len(),
        MISSING.len()
    )
}

/// Why this row may be without a test.
fn without(row: &str) -> Option<Without> {
    if MISSING.contains(&row) {
        return Some(Without::Missing);
    }
    if row == "F33" {
        return Some(Without::Later("HTTP/3"));
    }
    let number: u16 = row.strip_prefix('T')?.parse().ok()?;
    let later = LATER.iter().find(|(_, first, last)| (*first..=*last).contains(&number));
    later.map(|(protocol, _, _)| Without::Later(protocol))
}
