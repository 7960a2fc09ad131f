//! Errors of TOML itself, in the words of the other diagnostics.

use toml::de::Error;

use super::report::Report;
use crate::config::diagnostic::quoted;

/// Reports every place that could not be read.
pub(super) fn report(errors: &[Error], text: &str, report: &mut Report<'_>) {
    for error in errors {
        let span = error.span().unwrap_or(text.len()..text.len());
        if let Some((start, value)) = bare_value(text, span.start) {
            report.syntax_error(start, without_quotes(value), written(value));
            continue;
        }
        if let Some((start, value)) = curly_quotes(text, span.start) {
            let message = format!("quotes that are not those of a keyboard: {}", value.escape_debug());
            let plain = value.trim_matches(is_curly);
            report.syntax_error(start, message, format!("write {}", quoted(plain)));
            continue;
        }
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
        _ if unquoted && word => (without_quotes(found), written(found)),
        _ if unquoted => ("a value is missing".to_owned(), "write one after the equals sign".to_owned()),
        None if problem == "duplicate key" => {
            (format!("{} is set a second time", found.escape_debug()), "keep one of the two".to_owned())
        }
        Some("nothing") => (one_line(problem), "write one value in one form".to_owned()),
        Some(expected) => (one_line(problem), format!("expected {}", one_line(expected))),
        None => (one_line(problem), "correct the TOML syntax here".to_owned()),
    }
}

/// What may have been meant: other languages have more words for a switch.
fn written(value: &str) -> String {
    let switch = match value.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => "true, or ",
        "false" | "no" | "off" => "false, or ",
        _ => "",
    };
    format!("write {switch}{}", quoted(value))
}

/// The value of the line at `offset` and where it begins, if a word processor has put the quotes around it.
fn curly_quotes(text: &str, offset: usize) -> Option<(usize, &str)> {
    let start = text.get(..offset)?.rfind('\n').map_or(0, |end| end + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    let (key, rest) = line.split_once('=')?;
    let value = rest.trim();
    value
        .starts_with(is_curly)
        .then(|| (start + key.len() + 1 + (rest.len() - rest.trim_start().len()), value))
}

const fn is_curly(character: char) -> bool {
    matches!(character, '“' | '”' | '„' | '‘' | '’' | '‚' | '«' | '»')
}

fn without_quotes(value: &str) -> String {
    format!("a string without quotes: {}", value.escape_debug())
}

/// The value of the line at `offset` and where it begins, if it is a text that only wants quotes: `10m`, or
/// `127.0.0.1:8080`. The parser takes it for the number that it begins like, and stops somewhere inside of it.
fn bare_value(text: &str, offset: usize) -> Option<(usize, &str)> {
    let start = text.get(..offset)?.rfind('\n').map_or(0, |end| end + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    let (key, rest) = line.split_once('=')?;
    let is_key = |c: char| c.is_ascii_alphanumeric() || "_-.\"' \t".contains(c);
    let value = rest.split('#').next().unwrap_or_default().trim();
    let is_text = value.starts_with(|c: char| c.is_ascii_alphanumeric() || "/*.:~".contains(c))
        && value.chars().all(|c| c.is_alphanumeric() || "/*.:~_-+%@?&=".contains(c));
    let value_start = start + key.len() + 1 + (rest.len() - rest.trim_start().len());
    (key.chars().all(is_key) && is_text && offset >= value_start).then_some((value_start, value))
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
                r#"a:2:5: error: a string without quotes: yes; write true, or "yes""#,
                "a:3:4: error: a value is missing; write one after the equals sign",
                "a:4:10: error: invalid basic string; expected `\"`",
                "a:5:1: error: d is set a second time; keep one of the two",
                r#"a:6:5: error: a string without quotes: 1.5.5; write "1.5.5""#,
            ]
        );
    }

    #[test]
    fn texts_that_begin_like_numbers_want_quotes() {
        for (value, written) in [
            ("10m", "10m"),
            ("64KiB # of one", "64KiB"),
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("*:8080", "*:8080"),
            ("unix:/run/a.sock", "unix:/run/a.sock"),
            ("0660x", "0660x"),
        ] {
            let expected = format!("a:1:7: error: a string without quotes: {written}; write \"{written}\"");
            assert_eq!(errors(&format!("key = {value}\nb = 1\n")), [expected], "{value}");
        }
        assert_eq!(
            errors("key = “10m”\n"),
            [r#"a:1:7: error: quotes that are not those of a keyboard: “10m”; write "10m""#]
        );
        let rest = errors("a = [10m]\n");
        assert!(rest.len() == 1 && !rest[0].contains("[10m]"), "{rest:?}");
    }
}
