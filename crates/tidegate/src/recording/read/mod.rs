//! Recordings, read back: whole, before anything is done with them.

mod har;
mod websockify;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use super::{Format, Message};

/// Bytes of the largest file that is read: all of it is held in memory.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// A recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// Everything that was said, in order.
    pub messages: Vec<Message>,
    /// The file is not complete: its gateway has crashed, or it is still written.
    pub is_cut: bool,
    /// WebSockets in the same file that are left out: only the first is read.
    pub others: usize,
}

/// Why a file cannot be read as a recording. Shown behind the name of the file.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such file, or it cannot be read.
    #[error(": {0}")]
    Io(#[from] io::Error),
    /// It is too large.
    #[error(": it is larger than 256 MiB")]
    TooLarge,
    /// There is nothing in it.
    #[error(": no WebSocket is recorded in it")]
    Nothing,
    /// It is not in its format.
    #[error(":{line}:{column}: {problem}")]
    Wrong {
        /// The line, from 1.
        line: usize,
        /// The column, from 1; 1 where the line as a whole is wrong.
        column: usize,
        /// What is wrong with it.
        problem: String,
    },
}

/// Reads a recording; without a format, in the one that it begins like.
///
/// # Errors
/// Why not, and where.
pub fn read(path: &Path, format: Option<Format>) -> Result<Recording, ReadError> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(ReadError::TooLarge);
    }
    let looks_like_json = bytes.trim_ascii_start().starts_with(b"{");
    match format.unwrap_or(if looks_like_json { Format::Har } else { Format::Websockify }) {
        // A file that was cut off may end inside a character.
        Format::Har => har::read(&String::from_utf8_lossy(&bytes)),
        Format::Websockify => websockify::read(&bytes),
    }
}
