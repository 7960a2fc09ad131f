//! The reference of the keys, which is a document: `docs/configuration.md`.
//!
//! It is read as it stands, so that the manual page says what it says; a test holds its rows against the list of keys.

use super::keys::Place;

/// The keys of one table.
pub(crate) struct Chapter {
    /// The table as it is written: `[[route]]`.
    pub(crate) heading: &'static str,
    pub(crate) keys: Vec<Row>,
}

/// A row of the document: `` | `key` | default | what it takes | meaning | ``, under a heading of its place. But for the
/// name, all of it is Markdown.
pub(crate) struct Row {
    pub(super) place: Place,
    pub(crate) name: &'static str,
    pub(crate) default: &'static str,
    pub(crate) takes: &'static str,
    pub(crate) meaning: &'static str,
}

/// Every key that has a row of its own.
pub(crate) fn chapters() -> impl Iterator<Item = Chapter> {
    CHAPTERS.iter().map(|(place, _, heading)| {
        let keys = rows().into_iter().filter(|row| row.place == *place).collect();
        Chapter { heading, keys }
    })
}

pub(super) fn rows() -> Vec<Row> {
    let mut place = None;
    let mut rows = Vec::new();
    for line in DOCUMENT.lines() {
        if line.starts_with("## ") {
            place = CHAPTERS.iter().find(|(_, heading, _)| *heading == line).map(|(place, ..)| *place);
        }
        let (Some(place), Some(row)) = (place, line.strip_prefix("| `")) else { continue };
        let mut cells = row.trim_end_matches('|').splitn(4, " | ").map(str::trim);
        if let (Some(name), Some(default), Some(takes), Some(meaning)) =
            (cells.next(), cells.next(), cells.next(), cells.next())
        {
            rows.push(Row { place, name: name.trim_end_matches('`'), default, takes, meaning });
        }
    }
    rows
}

/// Where a key stands, the heading of that in the document, and how the table is written.
const CHAPTERS: [(Place, &str, &str); 8] = [
    (Place::Top, "## At the top", "the whole gateway"),
    (Place::Listener, "## `[[listener]]`", "[[listener]]"),
    (Place::Tls, "## `tls = { … }`", "[[listener]] tls"),
    (Place::Route, "## `[[route]]`", "[[route]]"),
    (Place::BackendTls, "## `backend_tls = { … }`", "[[route]] backend_tls"),
    (Place::Lookup, "## `lookup = { … }`", "[[route]] lookup"),
    (Place::Record, "## `record = { … }`", "[[route]] record"),
    (Place::Auth, "## `auth = { … }`", "[[route]] auth"),
];

const DOCUMENT: &str = include_str!("../../../../../docs/configuration.md");
