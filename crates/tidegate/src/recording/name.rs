//! Names of recordings: a path in which `%n` and `%t` stand for what tells sessions apart.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The path of recordings, with something in its file name that each session fills in for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    folder: PathBuf,
    pieces: Vec<Piece>,
}

/// Why a path is no name for recordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// It ends with a slash, or is empty.
    #[error("names no file")]
    NoFile,
    /// A percent sign in a folder.
    #[error("has a % in the name of a folder")]
    Folder,
    /// A percent sign before something else than `n`, `t` and `%`.
    #[error("has a % that is not followed by n, t or %")]
    Unknown,
    /// No `%n`: all sessions would have one file.
    #[error("has no %n")]
    NoNumber,
}

/// As it is written in a configuration.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = |piece: &Piece| match piece {
            Piece::Text(text) => text.replace('%', "%%"),
            Piece::Number => "%n".to_owned(),
            Piece::Time => "%t".to_owned(),
        };
        let file: String = self.pieces.iter().map(written).collect();
        self.folder.join(file).display().fmt(f)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Number,
    Time,
}

impl Name {
    /// Reads a file name in which `%n` is the number of the connection, `%t` when it was opened, and `%%` a percent
    /// sign.
    ///
    /// # Errors
    /// It cannot name the files of several sessions.
    pub fn parse(path: &Path) -> Result<Self, NameFault> {
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let file = path.file_name().and_then(|name| name.to_str()).ok_or(NameFault::NoFile)?;
        if folder.to_string_lossy().contains('%') {
            return Err(NameFault::Folder);
        }
        let pieces = pieces(file)?;
        if !pieces.contains(&Piece::Number) {
            return Err(NameFault::NoNumber);
        }
        Ok(Self { folder, pieces })
    }

    /// Where the recordings are.
    pub fn folder(&self) -> &Path {
        if self.folder.as_os_str().is_empty() { Path::new(".") } else { &self.folder }
    }

    /// Whether it stays one of a kind when the gateway is started again and counts connections anew.
    pub fn outlives_restarts(&self) -> bool {
        self.pieces.contains(&Piece::Time)
    }

    /// The file of one session.
    pub(super) fn of(&self, conn: u64, opened: SystemTime) -> PathBuf {
        let mut name = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => name.push_str(text),
                Piece::Number => name.push_str(&conn.to_string()),
                Piece::Time => name.push_str(&compact(opened)),
            }
        }
        self.folder.join(name)
    }
}

fn pieces(file: &str) -> Result<Vec<Piece>, NameFault> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut chars = file.chars();
    while let Some(char) = chars.next() {
        if char != '%' {
            text.push(char);
            continue;
        }
        let piece = match chars.next() {
            Some('n') => Piece::Number,
            Some('t') => Piece::Time,
            Some('%') => {
                text.push('%');
                continue;
            }
            Some(_) | None => return Err(NameFault::Unknown),
        };
        pieces.extend((!text.is_empty()).then(|| Piece::Text(std::mem::take(&mut text))));
        pieces.push(piece);
    }
    pieces.extend((!text.is_empty()).then_some(Piece::Text(text)));
    Ok(pieces)
}

/// `20261121T163059Z`: sorts by itself, and has no colon, which some file systems do not take.
fn compact(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string().replace(['-', ':'], "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn each_session_fills_in_its_own() {
        let opened = UNIX_EPOCH + Duration::from_secs(1_795_278_659);
        for (text, expected) in [
            ("/var/log/vnc.%n", "/var/log/vnc.7"),
            ("rec/%t-%n.har", "rec/20261121T163059Z-7.har"),
            ("%n", "7"),
            ("100%%-%n%n", "100%-77"),
        ] {
            let name = Name::parse(Path::new(text)).unwrap();
            assert_eq!(name.of(7, opened), Path::new(expected), "{text}");
            assert_eq!(name.outlives_restarts(), text.contains("%t"), "{text}");
        }
    }

    #[test]
    fn what_is_no_name() {
        for (text, fault) in [
            ("", NameFault::NoFile),
            ("/", NameFault::NoFile),
            ("a/..", NameFault::NoFile),
            ("%n/a.%n", NameFault::Folder),
            ("a.%d", NameFault::Unknown),
            ("a.%", NameFault::Unknown),
            ("a.%%n", NameFault::NoNumber),
            ("a.%t", NameFault::NoNumber),
        ] {
            assert_eq!(Name::parse(Path::new(text)), Err(fault), "{text}");
        }
    }
}
