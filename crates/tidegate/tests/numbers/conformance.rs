//! `docs/conformance.md`: every demand of the standards has a test.

use crate::tests::{Test, Tests, numbered};
use crate::{hold, number_of_row};

#[test]
fn every_demand_has_a_test_and_every_numbered_test_a_demand() {
    let tests: Tests = numbered().into_iter().filter(|(number, _)| number.starts_with('C')).collect();
    hold("docs/conformance.md", |committed| {
        let rows: Vec<&str> = committed.lines().filter_map(number_of_row).collect();
        let without_test: Vec<&&str> = rows.iter().filter(|row| !tests.contains_key(**row)).collect();
        assert!(without_test.is_empty(), "no test is named after {without_test:?}");
        let without_row: Vec<&String> =
            tests.keys().filter(|number| !rows.contains(&number.as_str())).collect();
        assert!(without_row.is_empty(), "docs/conformance.md has no row for {without_row:?}");
        committed.lines().map(|line| with_tests(line, &tests)).collect()
    });
}

/// The line, and where it is a row, with its last cell written anew.
fn with_tests(line: &str, tests: &Tests) -> String {
    let Some(tests) = number_of_row(line).map(|number| &tests[number]) else { return format!("{line}\n") };
    let demand = line.trim_end_matches('|').rsplit_once('|').unwrap().0;
    let links: Vec<String> = tests.iter().map(Test::link).collect();
    format!("{demand}| {} |\n", links.join("<br>"))
}
