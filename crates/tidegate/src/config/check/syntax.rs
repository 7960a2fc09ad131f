//! Errors of TOML itself, in the words of the other diagnostics.

use toml::de::Error;

use super::report::Report;
use crate::config::diagnostic::quoted;

/// Reports every place that could not be read.
pub(super) fn report(errors: &[Error], text: &str, report: &mut Report<'_>) {
    for error in errors {
        let span = error.span().unwrap_or(text.len()..text.len());
        let (message, remedy) = in_our_words(error, text.get(span.clone()).unwrap_or_default());
        report.syntax_error(span.start, message, remedy);
    }
}

fn in_our_words(error: &Error, found: &str) -> (String, String) {
    let (problem, expected) = match error.message().split_once(", expected ") {
        Some((problem, expected)) => (problem, Some(expected)),
        None => (error.message(), None),
    };
    // The parser takes an unquoted text for whatever its first letter looks like: `tcp://…` for a boolean.
    let word = found.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let unquoted =
        problem.starts_with("invalid boolean") || problem.starts_with("string values must be quoted");
    match expected {
        _ if unquoted && word => {
            (format!("a string without quotes: {}", found.escape_debug()), format!("write {}", quoted(found)))
        }
        _ if unquoted => ("a value is missing".to_owned(), "write one after the equals sign".to_owned()),
        None if problem == "duplicate key" => {
            (format!("{} is set a second time", found.escape_debug()), "keep one of the two".to_owned())
        }
        Some("nothing") => (one_line(problem), "write one value in one form".to_owned()),
        Some(expected) => (one_line(problem), format!("expected {}", one_line(expected))),
        None => (one_line(problem), "correct the TOML syntax here".to_owned()),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use toml::de::DeTable;

    use super::*;

    fn errors(text: &str) -> Vec<String> {
        let mut found = Report::new(Path::new("a"), text);
        report(&DeTable::parse_recoverable(text).1, text, &mut found);
        found.into_diagnostics().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_broken_line_is_reported() {
        let text = "a = tcp://x:1\nb = yes\nc =\nd = \"open\nd = 1\ne = 1.5.5\n";
        assert_eq!(
            errors(text),
            [
                r#"a:1:5: error: a string without quotes: tcp://x:1; write "tcp://x:1""#,
                r#"a:2:5: error: a string without quotes: yes; write "yes""#,
                "a:3:4: error: a value is missing; write one after the equals sign",
                "a:4:10: error: invalid basic string; expected `\"`",
                "a:5:1: error: d is set a second time; keep one of the two",
                "a:6:8: error: invalid float; write one value in one form",
            ]
        );
    }
}
