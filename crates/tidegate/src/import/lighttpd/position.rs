//! Places in the files that are read.

use std::fmt;
use std::rc::Rc;

/// A file of the configuration: its name, and how many were opened before it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Source {
    pub(super) number: usize,
    pub(super) name: String,
}

/// Where something stands. Places are ordered as the files are read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) source: Rc<Source>,
    /// From 1.
    pub(super) line: usize,
    /// In characters, from 1.
    pub(super) column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.source.name, self.line)
    }
}

/// Something that the language does not have; reading ends there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}:{}: {problem}", .at.column)]
pub(super) struct SyntaxError {
    pub(super) at: Position,
    /// What was found, and what was expected.
    pub(super) problem: String,
}

impl SyntaxError {
    pub(super) fn new(at: &Position, problem: impl Into<String>) -> Self {
        Self { at: at.clone(), problem: problem.into() }
    }
}
