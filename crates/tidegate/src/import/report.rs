//! What became of each directive.

use std::collections::BTreeMap;
use std::fmt;

use crate::shown::escaped;

/// The findings of an import. `P` is how places are known.
#[derive(Debug)]
pub(crate) struct Report<P> {
    /// By place and directive.
    findings: BTreeMap<(P, String), Vec<Remark>>,
    /// Notes that count only where nothing else is said.
    otherwise: BTreeMap<(P, String), String>,
}

/// What is said about a directive; nothing is said where it was simply translated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Remark {
    /// Translated, but there is something to know.
    Note(String),
    /// It, or a part of it, has no equivalent.
    Without(String),
}

impl<P: Ord + Clone + fmt::Display> Report<P> {
    pub(crate) const fn new() -> Self {
        Self { findings: BTreeMap::new(), otherwise: BTreeMap::new() }
    }

    pub(crate) fn translated(&mut self, at: &P, what: impl Into<String>) {
        self.findings.entry((at.clone(), what.into())).or_default();
    }

    pub(crate) fn note(&mut self, at: &P, what: impl Into<String>, note: impl Into<String>) {
        self.add(at, what.into(), Remark::Note(note.into()));
    }

    pub(crate) fn without(&mut self, at: &P, what: impl Into<String>, why: impl Into<String>) {
        self.add(at, what.into(), Remark::Without(why.into()));
    }

    /// A note for the case that nothing else will be said about it.
    pub(crate) fn note_otherwise(&mut self, at: &P, what: impl Into<String>, note: impl Into<String>) {
        self.otherwise.insert((at.clone(), what.into()), note.into());
    }

    /// Nothing will be said any more.
    pub(crate) fn close(&mut self) {
        for (key, note) in std::mem::take(&mut self.otherwise) {
            self.findings.entry(key).or_insert_with(|| vec![Remark::Note(note)]);
        }
    }

    pub(crate) fn knows(&self, at: &P, what: &str) -> bool {
        self.findings.contains_key(&(at.clone(), what.to_owned()))
    }

    /// Whether anything has no equivalent.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.counts().2 > 0
    }

    /// One thing can be said for many routes: it is said once.
    fn add(&mut self, at: &P, what: String, remark: Remark) {
        let remarks = self.findings.entry((at.clone(), what)).or_default();
        if !remarks.contains(&remark) {
            remarks.push(remark);
        }
    }

    /// Translated; translated with a note; without equivalent.
    fn counts(&self) -> (usize, usize, usize) {
        let is_without = |remark: &Remark| matches!(remark, Remark::Without(_));
        let mut counts = (0, 0, 0);
        for remarks in self.findings.values() {
            let count = if remarks.is_empty() {
                &mut counts.0
            } else if remarks.iter().any(is_without) {
                &mut counts.2
            } else {
                &mut counts.1
            };
            *count += 1;
        }
        counts
    }
}

impl<P: Ord + Clone + fmt::Display> fmt::Display for Report<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((at, what), remarks) in &self.findings {
            // A terminal obeys what it reads, and these are pieces of somebody's file.
            let mut line = |verdict: &str| writeln!(f, "{}", escaped(&format!("{at}: {what}: {verdict}")));
            if remarks.is_empty() {
                line("translated")?;
            }
            for remark in remarks {
                match remark {
                    Remark::Note(note) => line(&format!("translated, with a note: {note}"))?,
                    Remark::Without(why) => line(&format!("no equivalent: {why}"))?,
                }
            }
        }
        let (translated, noted, without) = self.counts();
        writeln!(f, "{translated} translated, {noted} translated with a note, {without} without equivalent")
    }
}
