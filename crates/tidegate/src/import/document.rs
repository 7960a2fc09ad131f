//! A `tidegate.toml` to be written. By hand and not with a library: what matters here are the comments, and patterns
//! that can be read, which a literal string leaves as they are.

use std::fmt::{self, Write as _};

use crate::shown::is_shown;

/// The whole file.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// Lines of comment at the top.
    pub(crate) comments: Vec<String>,
    pub(crate) listeners: Vec<Table>,
    pub(crate) routes: Vec<Table>,
}

/// One `[[listener]]` or `[[route]]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Table {
    comments: Vec<String>,
    entries: Vec<(&'static str, Toml)>,
    /// Printed as a comment.
    is_left_out: bool,
}

/// The value of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Toml {
    Text(String),
    Number(u64),
    Flag(bool),
    List(Vec<Self>),
    Table(Vec<(&'static str, Self)>),
}

impl Table {
    pub(crate) fn new(comment: impl Into<String>) -> Self {
        Self { comments: vec![comment.into()], ..Self::default() }
    }

    #[must_use]
    pub(crate) fn with(mut self, key: &'static str, value: impl Into<Toml>) -> Self {
        self.entries.push((key, value.into()));
        self
    }

    /// The lines that it takes as it is written, with the empty one in front of it.
    const fn lines(&self) -> usize {
        1 + self.comments.len() + 1 + self.entries.len()
    }

    /// What it comes from, as its first comment says.
    pub(crate) fn origin(&self) -> &str {
        self.comments.first().map_or("", String::as_str)
    }

    /// What a key is set to, if that is a text.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        let (_, value) = self.entries.iter().find(|(name, _)| *name == key)?;
        if let Toml::Text(text) = value { Some(text) } else { None }
    }

    /// Printed as a comment, and why.
    #[must_use]
    pub(crate) fn left_out(mut self, why: String) -> Self {
        self.leave_out(why);
        self
    }

    /// The same, in its place.
    pub(crate) fn leave_out(&mut self, why: String) {
        self.comments.push(why);
        self.is_left_out = true;
    }

    #[must_use]
    pub(crate) fn with_some(self, key: &'static str, value: Option<impl Into<Toml>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }
}

impl From<&str> for Toml {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Toml {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Toml {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Toml {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Toml {
    fn from(items: Vec<T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

impl Document {
    /// The table that a line of the text is of, counted from 1, and the key that is set there.
    pub(crate) fn at_line(&mut self, line: usize) -> Option<(&mut Table, Option<&'static str>)> {
        let mut left = line.checked_sub(self.comments.len() + 1)?;
        for table in self.listeners.iter_mut().chain(&mut self.routes) {
            let lines = table.lines();
            if left < lines {
                let first = lines - table.entries.len();
                let key = left.checked_sub(first).map(|at| table.entries[at].0);
                return Some((table, key));
            }
            left -= lines;
        }
        None
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for comment in &self.comments {
            write_comment(f, comment)?;
        }
        for listener in &self.listeners {
            write!(f, "\n{}", Titled("listener", listener))?;
        }
        for route in &self.routes {
            write!(f, "\n{}", Titled("route", route))?;
        }
        Ok(())
    }
}

struct Titled<'t>(&'static str, &'t Table);

impl fmt::Display for Titled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(title, table) = self;
        for comment in &table.comments {
            write_comment(f, comment)?;
        }
        let mark = if table.is_left_out { "# " } else { "" };
        writeln!(f, "{mark}[[{title}]]")?;
        for (key, value) in &table.entries {
            writeln!(f, "{mark}{key} = {value}")?;
        }
        Ok(())
    }
}

/// Pieces of somebody's file may stand in it: it must stay one line.
fn write_comment(f: &mut fmt::Formatter<'_>, comment: &str) -> fmt::Result {
    let line: String = comment.chars().map(|c| if is_shown(c) { c } else { ' ' }).collect();
    writeln!(f, "{}", format!("# {line}").trim_end())
}

impl fmt::Display for Toml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write_text(f, text),
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::List(items) => {
                f.write_char('[')?;
                for (index, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
                }
                f.write_char(']')
            }
            Self::Table(entries) => {
                f.write_str("{ ")?;
                for (index, (key, value)) in entries.iter().enumerate() {
                    write!(f, "{}{key} = {value}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str(" }")
            }
        }
    }
}

/// Between apostrophes where a backslash would have to be doubled, otherwise between quotation marks.
fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let is_plain = text.chars().all(is_shown);
    if is_plain && text.contains(['\\', '"']) && !text.contains('\'') {
        return write!(f, "'{text}'");
    }
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            _ if is_shown(c) => f.write_char(c)?,
            _ => write!(f, "\\U{:08X}", u32::from(c))?,
        }
    }
    f.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_read_as_it_was_written() {
        for text in [
            "",
            "a",
            r"~/a\.b",
            "a\"b",
            "it's",
            r"it's \d",
            "a\nb\u{7f}\0",
            "ä",
            "'\"\\",
            "\u{202e}'\u{e0041}",
        ] {
            let line = format!("key = {}", Toml::from(text));
            let read = toml::de::DeTable::parse(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(read.get_ref().get("key").unwrap().get_ref().as_str(), Some(text), "{line}");
        }
    }

    #[test]
    fn each_line_is_known_by_its_table_and_key() {
        let listener = Table::new("first").with("address", "a");
        let routes = ["b", "c"].map(|path| Table::new(path).with("path", path).with("listing", true));
        let comments = vec!["on top".to_owned(); 2];
        let mut document = Document { comments, listeners: vec![listener], routes: routes.to_vec() };
        document.routes[0].leave_out("and why".to_owned());
        let text = document.to_string();
        for (at, line) in text.lines().enumerate() {
            let found = document.at_line(at + 1).map(|(table, key)| (table.origin().to_owned(), key));
            let is_of = |origin: &str, key| found == Some((origin.to_owned(), key));
            let is_told = match line {
                "# on top" => found.is_none(),
                "" | "# first" | "# b" | "# and why" | "# c" | "[[listener]]" | "[[route]]"
                | "# [[route]]" => found.as_ref().is_some_and(|(_, key)| key.is_none()),
                "address = \"a\"" => is_of("first", Some("address")),
                "# path = \"b\"" => is_of("b", Some("path")),
                "# listing = true" => is_of("b", Some("listing")),
                "path = \"c\"" => is_of("c", Some("path")),
                "listing = true" => is_of("c", Some("listing")),
                other => panic!("{other}"),
            };
            assert!(is_told, "{line}: {found:?}");
        }
        assert_eq!(document.at_line(text.lines().count() + 1), None);
    }

    #[test]
    fn a_comment_stays_one() {
        let table = Table::new("from a\n[[route]]").with("path", "/");
        let document = Document { routes: vec![table], ..Document::default() };
        assert_eq!(document.to_string(), "\n# from a [[route]]\n[[route]]\npath = \"/\"\n");
    }
}
