//! Collects what is found, and knows where in the file that is.

use std::collections::BTreeSet;
use std::path::Path;

use super::guarded::Guarded;
use crate::config::diagnostic::{Diagnostic, Location, Severity};

/// Where a finding is, before it has become a line and a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Spot {
    /// A byte offset in the text of the file.
    Offset(usize),
    /// A flag with its value.
    Flag(String),
}

/// Every finding so far.
pub(super) struct Report<'t> {
    file: &'t Path,
    text: &'t str,
    /// Byte offset of the start of each line.
    line_starts: Vec<usize>,
    /// Lines whose syntax is broken: what else is found there only repeats it.
    broken_lines: BTreeSet<usize>,
    /// Files that were named and are for the gateway alone.
    guarded: Vec<Guarded>,
    diagnostics: Vec<Diagnostic>,
}

impl<'t> Report<'t> {
    pub(super) fn new(file: &'t Path, text: &'t str) -> Self {
        let line_starts =
            std::iter::once(0).chain(text.match_indices('\n').map(|(offset, _)| offset + 1)).collect();
        Self {
            file,
            text,
            line_starts,
            broken_lines: BTreeSet::new(),
            guarded: Vec::new(),
            diagnostics: Vec::new(),
        }
    }

    /// An error that makes its whole line unreadable.
    pub(super) fn syntax_error(&mut self, offset: usize, message: String, remedy: String) {
        if self.broken_lines.insert(self.line(offset)) {
            self.add(Severity::Error, &Spot::Offset(offset), message, remedy);
        }
    }

    pub(super) fn error(&mut self, spot: &Spot, message: String, remedy: String) {
        self.push(Severity::Error, spot, message, remedy);
    }

    /// Something required is not there. If the file has broken lines, it may have stood in one of them.
    pub(super) fn missing(&mut self, spot: &Spot, message: String, remedy: String) {
        if self.broken_lines.is_empty() {
            self.push(Severity::Error, spot, message, remedy);
        }
    }

    pub(super) fn warning(&mut self, spot: &Spot, message: String, remedy: String) {
        self.push(Severity::Warning, spot, message, remedy);
    }

    /// Notes a file that nobody but the gateway is to read.
    pub(super) fn guard(&mut self, file: &Path, owner: String) {
        self.guarded.push(Guarded::new(file, owner));
    }

    pub(super) fn take_guarded(&mut self) -> Vec<Guarded> {
        std::mem::take(&mut self.guarded)
    }

    pub(super) fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|found| found.severity == Severity::Error)
    }

    /// Every finding: flags first, then the file from top to bottom.
    pub(super) fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        self.diagnostics.sort_by_key(|found| match found.location {
            Location::Flag(_) => (0, 0),
            Location::File { line, column, .. } => (line, column),
        });
        self.diagnostics
    }

    fn push(&mut self, severity: Severity, spot: &Spot, message: String, remedy: String) {
        if let Spot::Offset(offset) = spot
            && self.broken_lines.contains(&self.line(*offset))
        {
            return;
        }
        self.add(severity, spot, message, remedy);
    }

    fn add(&mut self, severity: Severity, spot: &Spot, message: String, remedy: String) {
        let (message, remedy) = (bounded(message), bounded(remedy));
        self.diagnostics.push(Diagnostic { severity, location: self.location(spot), message, remedy });
    }

    fn location(&self, spot: &Spot) -> Location {
        match spot {
            Spot::Flag(flag) => Location::Flag(flag.clone()),
            Spot::Offset(offset) => {
                let line = self.line(*offset);
                let column = self.column(line, *offset);
                Location::File { line, column, file: self.file.to_owned() }
            }
        }
    }

    /// Where something else is that a finding speaks of.
    pub(super) fn place(&self, spot: &Spot) -> String {
        match spot {
            Spot::Flag(flag) => flag.clone(),
            Spot::Offset(offset) => format!("line {}", self.line(*offset)),
        }
    }

    /// The line of an offset, from 1.
    fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset)
    }

    fn column(&self, line: usize, offset: usize) -> usize {
        let start = self.line_starts[line - 1];
        let before = |(at, _): &(usize, char)| start + at < offset;
        self.text[start..].char_indices().take_while(before).count() + 1
    }
}

/// Cuts what repeats too much of the file.
fn bounded(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(TEXT_CHARS_MAX) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Room for every message and list of our own; a whole file pasted into one value has to be cut somewhere.
const TEXT_CHARS_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, offset: usize) -> (usize, usize) {
        match Report::new(Path::new("a"), text).location(&Spot::Offset(offset)) {
            Location::File { line, column, .. } => (line, column),
            Location::Flag(flag) => panic!("no place in a file: {flag}"),
        }
    }

    #[test]
    fn lines_and_columns_count_from_one_in_characters() {
        let text = "ab\nä€c\r\n\nx";
        for (offset, expected) in [
            (0, (1, 1)),
            (2, (1, 3)),
            (3, (2, 1)),
            (5, (2, 2)),
            (8, (2, 3)),
            (11, (3, 1)),
            (12, (4, 1)),
            (13, (4, 2)),
        ] {
            assert_eq!(place(text, offset), expected, "offset {offset}");
        }
        assert_eq!(place("", 0), (1, 1));
        assert_eq!(place("a\n", 2), (2, 1));
    }

    #[test]
    fn a_finding_is_bounded_whatever_the_file_holds() {
        let mut report = Report::new(Path::new("a"), "");
        report.warning(&Spot::Offset(0), "ä".repeat(5000), "b".repeat(TEXT_CHARS_MAX));
        let found = &report.into_diagnostics()[0];
        assert_eq!(found.message.chars().count(), TEXT_CHARS_MAX + 1);
        assert_eq!(found.remedy.len(), TEXT_CHARS_MAX);
    }

    #[test]
    fn findings_are_sorted_by_place() {
        let mut report = Report::new(Path::new("a"), "12\n");
        for (spot, message) in [
            (Spot::Offset(3), "last"),
            (Spot::Offset(1), "third"),
            (Spot::Flag("--workers 5000".to_owned()), "first"),
            (Spot::Flag("--listen \"x\"".to_owned()), "second"),
        ] {
            report.error(&spot, message.to_owned(), String::new());
        }
        let messages: Vec<_> = report.into_diagnostics().into_iter().map(|found| found.message).collect();
        assert_eq!(messages, ["first", "second", "third", "last"]);
    }

    #[test]
    fn a_broken_line_is_reported_once() {
        let mut report = Report::new(Path::new("a"), "x = yes\ny = 1\n");
        report.syntax_error(4, "first".to_owned(), String::new());
        report.syntax_error(5, "again".to_owned(), String::new());
        report.error(&Spot::Offset(0), "same line".to_owned(), String::new());
        report.missing(&Spot::Offset(8), "perhaps it stood in line 1".to_owned(), String::new());
        report.error(&Spot::Offset(8), "line 2".to_owned(), String::new());
        let messages: Vec<_> = report.into_diagnostics().into_iter().map(|found| found.message).collect();
        assert_eq!(messages, ["first", "line 2"]);
    }
}
