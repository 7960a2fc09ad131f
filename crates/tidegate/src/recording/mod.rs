//! Recordings: what the two sides of a session said, and when, in files that other tools read as well.
//!
//! A `Tape` hangs in the relay and never waits: it copies what passes into a bounded queue. One thread of the process
//! takes it out, puts messages together and writes them. What does not fit is left out, and the recording says so.

mod encoder;
mod file;
mod har;
mod name;
mod read;
mod recorder;
#[cfg(test)]
mod tests;
mod websockify;
mod writer;

use std::fmt;
use std::io;
use std::time::{Duration, SystemTime};

use tidegate_proto::MessageType;

pub use name::{Name, NameFault};
pub use read::{ReadError, Recording, read};
pub(crate) use recorder::{Chunk, Recorder, Tap, Tape};

/// How a recording is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The text of websockify's `--record`, which noVNC plays back.
    Websockify,
    /// HAR 1.2 with the messages where the developer tools of browsers put them.
    Har,
}

/// Who said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The client.
    Client,
    /// The backend, or the gateway in its place.
    Backend,
}

/// One message, or a part of one, as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who said it.
    pub side: Side,
    /// When it was complete, since the session began.
    pub at: Duration,
    /// What it is.
    pub part: Part,
    /// The payload: unmasked, and not compressed.
    pub payload: Vec<u8>,
}

/// What an entry of a recording is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A message, or its first part.
    First(MessageType),
    /// It goes on with the last message of its side, which is of this type.
    More(MessageType),
}

/// What a recording says about its session as a whole.
#[derive(Debug, Clone)]
pub(crate) struct About {
    /// What the client asked for, without the query: that may hold secrets.
    pub(crate) url: String,
    /// When the session began.
    pub(crate) started: SystemTime,
}

/// There is no recording of a session.
#[derive(Debug, thiserror::Error)]
#[error("the session cannot be recorded: {0}")]
pub(crate) struct Unrecorded(#[from] pub(crate) io::Error);

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Websockify => "websockify",
            Self::Har => "har",
        })
    }
}
