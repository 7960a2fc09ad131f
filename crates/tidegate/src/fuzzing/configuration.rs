//! A configuration: whatever the text, every finding has a place in it, and what is accepted can be served, and means the
//! same when it is read again as it is shown.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use super::access_line::is_plain;
use crate::config::{self, Backend, Checked, Location, Overrides, Route, Severity};
use crate::generation::Generation;

/// The keys that can be shown and cannot be read back: what stands behind them is a secret, or is shown as it is in
/// force (`tls = "auto"` has no files of its own).
const NOT_WRITTEN: [&str; 5] = ["auth", "tls", "cert", "key", "lookup"];

/// Reads an input.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let checked = parse(text);
    let is_wrong = checked.diagnostics.iter().any(|found| found.severity == Severity::Error);
    assert_eq!(checked.config.is_none(), is_wrong, "{:?}", checked.diagnostics);
    for found in &checked.diagnostics {
        assert!(found.to_string().chars().all(is_plain), "{found:?}");
        match &found.location {
            Location::File { line, column, .. } => assert_is_inside(text, *line, *column),
            Location::Flag(flag) => panic!("there are no flags: {flag}"),
        }
    }
    let Some(config) = checked.config else { return };
    assert!(!config.routes.is_empty() && !config.listeners.is_empty() && config.workers > 0);
    let table = config::table(&config);
    assert!(table.split('\n').all(|line| line.chars().all(is_plain)), "{table:?}");
    let served: Vec<_> = config.routes.iter().filter(|route| is_of_no_file(route)).cloned().collect();
    if let Err(refused) = Generation::first(served) {
        panic!("is accepted and cannot be served: {refused}");
    }
    let shown = config::shown(&config);
    if can_be_written(&shown) {
        let again = parse(&written(&shown));
        let errors = || again.diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>();
        let again = again.config.as_ref().unwrap_or_else(|| panic!("{:?} of {}", errors(), written(&shown)));
        assert_eq!(config::shown(again), shown);
        // Two that are shown alike need not be alike.
        assert_eq!(in_force(&again.routes), in_force(&config.routes), "{}", written(&shown));
        assert_eq!(
            format!("{:?}", again.listeners),
            format!("{:?}", config.listeners),
            "{}",
            written(&shown)
        );
    }
}

/// Routes as they are in force: what is not set is shown as what it then is.
fn in_force(routes: &[Route]) -> Vec<Route> {
    let in_force = |route: &Route| Route {
        message_bytes_max: route.message_limit(),
        fragments_max: route.fragment_limit(),
        ..route.clone()
    };
    routes.iter().map(in_force).collect()
}

/// Nothing has to be read or started for it, which would take its time and depend on the machine.
fn is_of_no_file(route: &Route) -> bool {
    route.record.is_none() && !route.backends.iter().any(Backend::is_tls)
}

fn parse(text: &str) -> Checked {
    config::parse(text, Path::new("fuzzed.toml"), &Overrides::default())
}

/// A place is a character of a line, or the end of one.
fn assert_is_inside(text: &str, line: usize, column: usize) {
    let lines: Vec<_> = text.split('\n').collect();
    let found = line.checked_sub(1).and_then(|at| lines.get(at));
    let len = found.unwrap_or_else(|| panic!("{line}:{column} of {} lines", lines.len())).chars().count();
    assert!((1..=len + 1).contains(&column), "{line}:{column} in a line of {len} characters");
}

fn can_be_written(shown: &Value) -> bool {
    match shown {
        Value::Object(fields) => fields.iter().all(|(key, value)| {
            (value.is_null() || !NOT_WRITTEN.contains(&key.as_str())) && can_be_written(value)
        }),
        Value::Array(values) => values.iter().all(can_be_written),
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => true,
    }
}

/// What is shown as a file: what is not set is left out.
fn written(shown: &Value) -> String {
    let mut text = String::new();
    let (mut scalars, mut tables) = (String::new(), String::new());
    for (key, value) in shown.as_object().into_iter().flatten() {
        if let (Value::Array(values), "listener" | "route") = (value, key.as_str()) {
            for table in values {
                write!(tables, "[[{key}]]\n{}", lines(table)).expect("a string can be written to");
            }
        } else {
            scalars.push_str(&line(key, value));
        }
    }
    text.push_str(&scalars);
    text.push_str(&tables);
    text
}

fn lines(table: &Value) -> String {
    let is_file = table["address"].as_str().is_some_and(|address| address.starts_with("unix:"));
    let fields = table.as_object().into_iter().flatten();
    // It is shown of every listener, and may be set of those that are files.
    let fields = fields.filter(|(key, _)| is_file || *key != "socket_mode");
    fields.map(|(key, value)| line(key, value)).collect()
}

fn line(key: &str, value: &Value) -> String {
    if value.is_null() { String::new() } else { format!("{key} = {}\n", inline(value)) }
}

fn inline(value: &Value) -> String {
    match value {
        // A string of JSON is one of TOML, but for DEL, which TOML wants escaped.
        Value::String(text) => Value::from(text.as_str()).to_string().replace('\u{7f}', "\\u007f"),
        Value::Array(values) => format!("[{}]", values.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let set = fields.iter().filter(|(_, value)| !value.is_null());
            let fields: Vec<_> = set.map(|(key, value)| format!("{key} = {}", inline(value))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        Value::Number(_) | Value::Bool(_) | Value::Null => value.to_string(),
    }
}
