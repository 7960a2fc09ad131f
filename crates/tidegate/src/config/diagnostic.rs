//! What is wrong with a configuration, and how to mend it: one line each.

use std::fmt;
use std::path::PathBuf;

use crate::shown::escaped;

/// One finding about a configuration.
///
/// Its `Display` is one line: `tidegate.toml:12:9: error: what was found; how to mend it`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the configuration can be served all the same.
    pub severity: Severity,
    /// Where the finding is.
    pub location: Location,
    /// The key and what was found.
    pub message: String,
    /// What is allowed, or what to write instead.
    pub remedy: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The configuration cannot be served.
    Error,
    /// It can be served, but probably not as meant.
    Warning,
}

/// Where a finding is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A flag of the command line, with its value: `--route "/vnc=tcp:5900"`.
    Flag(String),
    /// A place in the file.
    File {
        /// From 1.
        line: usize,
        /// In characters (not bytes), from 1.
        column: usize,
        /// The file as it was named to us.
        file: PathBuf,
    },
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = format!("{}: {}: {}; {}", self.location, self.severity, self.message, self.remedy);
        // Here and not in every message: a remedy may repeat a piece of the file, and a terminal obeys what it reads.
        f.write_str(&escaped(&line))
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::File { line, column, file } => write!(f, "{}:{line}:{column}", file.display()),
        }
    }
}

/// What is wrong with one value, told by the code that reads it: the reader adds key, value and place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// Follows the value in a sentence: `has no scheme`.
    pub(super) problem: String,
    /// What to do: `write tcp://vnc:5900`.
    pub(super) remedy: String,
}

impl Fault {
    pub(super) fn new(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { problem: problem.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.problem, self.remedy)
    }
}

/// A text of the operator's in quotes, with nothing in it that could break the line, and of bounded length.
pub(super) fn quoted(text: &str) -> String {
    if text.chars().count() <= QUOTED_CHARS_MAX {
        return format!("{text:?}");
    }
    let head: String = text.chars().take(QUOTED_CHARS_MAX).collect();
    format!("{head:?}…")
}

/// A diagnostic must stay readable even if a whole file was pasted into one value.
const QUOTED_CHARS_MAX: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_is_one_line() {
        let diagnostic = Diagnostic {
            severity: Severity::Error,
            location: Location::File { line: 12, column: 9, file: PathBuf::from("tidegate.toml") },
            message: format!("route {}: backend {} has no scheme", quoted("a\nb"), quoted("vnc:5900")),
            remedy: "write tcp://vnc:5900".to_owned(),
        };
        assert_eq!(
            diagnostic.to_string(),
            r#"tidegate.toml:12:9: error: route "a\nb": backend "vnc:5900" has no scheme; write tcp://vnc:5900"#
        );
    }

    #[test]
    fn nothing_reaches_the_terminal_but_text() {
        let diagnostic = Diagnostic {
            severity: Severity::Warning,
            location: Location::Flag("--route \"a\"".to_owned()),
            message: "m\n".to_owned(),
            remedy: "write a\u{1b}[2Jb\u{202e}".to_owned(),
        };
        assert_eq!(diagnostic.to_string(), "--route \"a\": warning: m\\n; write a\\u{1b}[2Jb\\u{202e}");
    }

    #[test]
    fn a_long_value_is_cut() {
        let text = quoted(&"ä".repeat(1000));
        assert_eq!(text.chars().count(), QUOTED_CHARS_MAX + 3);
    }
}
