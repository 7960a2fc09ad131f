//! A `tidegate.toml` to be written. By hand and not with a library: what matters here are the comments, and patterns
//! that can be read, which a literal string leaves as they are.

use std::fmt::{self, Write as _};

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

    /// What a key is set to, if that is a text.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        let (_, value) = self.entries.iter().find(|(name, _)| *name == key)?;
        if let Toml::Text(text) = value { Some(text) } else { None }
    }

    /// Printed as a comment, and why.
    #[must_use]
    pub(crate) fn left_out(mut self, why: String) -> Self {
        self.comments.push(why);
        self.is_left_out = true;
        self
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
    let line: String = comment.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
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
    let is_plain = !text.chars().any(char::is_control);
    if is_plain && text.contains(['\\', '"']) && !text.contains('\'') {
        return write!(f, "'{text}'");
    }
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            _ if c.is_control() => write!(f, "\\u{:04X}", u32::from(c))?,
            _ => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_read_as_it_was_written() {
        for text in ["", "a", r"~/a\.b", "a\"b", "it's", r"it's \d", "a\nb\u{7f}\0", "ä", "'\"\\"] {
            let line = format!("key = {}", Toml::from(text));
            let read = toml::de::DeTable::parse(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(read.get_ref().get("key").unwrap().get_ref().as_str(), Some(text), "{line}");
        }
    }

    #[test]
    fn a_comment_stays_one() {
        let table = Table::new("from a\n[[route]]").with("path", "/");
        let document = Document { routes: vec![table], ..Document::default() };
        assert_eq!(document.to_string(), "\n# from a [[route]]\n[[route]]\npath = \"/\"\n");
    }
}
