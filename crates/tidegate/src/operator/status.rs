//! The state of a gateway in a terminal.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use crate::shown::is_shown;

/// A summary, the routes, and the connections that have moved the most.
pub(super) fn text(status: &Value, routes: &Value, top: &Value) -> String {
    let mut text = summary(status);
    let rows = routes["routes"].as_array().into_iter().flatten().map(route_row).collect();
    text += "\nRoutes\n";
    text += &aligned(&["name", "path", "open", "opened", "in", "out", "waiting", "backends"], rows);
    let connections: Vec<_> =
        top["connections"].as_array().into_iter().flatten().map(connection_row).collect();
    if !connections.is_empty() {
        write!(text, "\nConnections ({} of {})\n", connections.len(), top["total"]).expect(NEVER_FAILS);
        text += &aligned(&["conn", "route", "client", "age", "in", "out", "state", "backend"], connections);
    }
    text
}

fn summary(status: &Value) -> String {
    let connections = &status["connections"];
    let up = Duration::from_secs(status["uptime_seconds"].as_u64().unwrap_or(0));
    let state = if status["draining"] == true { "draining" } else { "ready" };
    let waiting = if connections["waiting"].as_u64() > Some(0) { "; others wait for a place" } else { "" };
    let closing = match status["websockets_closing"].as_u64() {
        Some(0) | None => String::new(),
        Some(closing) => format!(" ({closing} closing)"),
    };
    format!(
        "tidegate {}, up {}, {state}\n{} of {} connections open, {} of them WebSockets{closing}{waiting}\n",
        shown(&status["version"]),
        humantime::format_duration(up),
        connections["open"],
        connections["max"],
        status["websockets_open"],
    )
}

fn route_row(route: &Value) -> Vec<String> {
    let backends = route["backends"].as_array().into_iter().flatten().map(|backend| {
        let resting = if backend["resting"] == true { ", resting" } else { "" };
        format!("{} ({}{resting})", shown(&backend["name"]), backend["connections_open"])
    });
    vec![
        shown(&route["name"]),
        shown(&route["path"]),
        route["websockets_open"].to_string(),
        route["websockets_opened"].to_string(),
        moved(&route["in"]),
        moved(&route["out"]),
        bytes(&route["buffered_bytes"]),
        backends.collect::<Vec<_>>().join(", "),
    ]
}

fn connection_row(connection: &Value) -> Vec<String> {
    let age = Duration::from_secs(connection["age_seconds"].as_u64().unwrap_or(0));
    vec![
        connection["conn"].to_string(),
        shown(&connection["route"]),
        shown(&connection["client"]),
        humantime::format_duration(age).to_string(),
        moved(&connection["in"]),
        moved(&connection["out"]),
        shown(&connection["state"]),
        shown(&connection["backend"]),
    ]
}

fn moved(way: &Value) -> String {
    format!("{} / {}", way["messages"], bytes(&way["bytes"]))
}

/// With three digits or fewer.
fn bytes(value: &Value) -> String {
    let mut amount = value.as_u64().unwrap_or(0) as f64;
    let mut units = ["B", "KiB", "MiB", "GiB", "TiB"].into_iter();
    let mut unit = units.next().unwrap_or("B");
    while amount >= 1000.0 {
        let Some(next) = units.next() else { break };
        (amount, unit) = (amount / 1024.0, next);
    }
    if unit == "B" || amount >= 100.0 { format!("{amount:.0} {unit}") } else { format!("{amount:.1} {unit}") }
}

/// Names may hold anything printable; a terminal is shown nothing else.
fn shown(value: &Value) -> String {
    value.as_str().unwrap_or("-").chars().filter(|c| is_shown(*c)).collect()
}

/// Each column as wide as its widest cell.
fn aligned(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let head = head.iter().map(|cell| (*cell).to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..rows[0].len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            write!(line, "  {cell:width$}").expect(NEVER_FAILS);
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

const NEVER_FAILS: &str = "a string can be written to";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sizes_are_short() {
        for (number, expected) in [
            (0_u64, "0 B"),
            (999, "999 B"),
            (1000, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (150 << 10, "150 KiB"),
            (5 << 30, "5.0 GiB"),
            (u64::MAX, "16777216 TiB"),
        ] {
            assert_eq!(bytes(&json!(number)), expected);
        }
    }

    #[test]
    fn nothing_that_a_terminal_obeys_is_shown() {
        assert_eq!(shown(&json!("a\u{1b}[2Jb")), "a[2Jb");
    }
}
