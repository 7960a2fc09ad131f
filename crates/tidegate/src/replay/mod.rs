//! The backend's side of a recording, played to a client as if the backend were there.
//!
//! It is a WebSocket server at the end of a socket pair, so that handshake, limits and endings are those of every other
//! session of the gateway.

mod args;
mod play;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tidegate_proto::{FrameHeader, HeaderBytes, MessageType, Opcode};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

pub(crate) use self::args::ReplayArgs;
use crate::recording::{Message, Part, Side};

/// What is played to each client.
#[derive(Debug)]
pub struct Script {
    cues: Vec<Cue>,
    /// When the recording ends, and what the client has said by then.
    end: Mark,
    pace: Pace,
    /// Wait for the client where the backend had heard more of it.
    follow_client: bool,
    /// Told after the first client.
    played: CancellationToken,
}

/// A script as what stands behind a route. Two are equal if they are the same one.
#[derive(Debug, Clone)]
pub struct Replay(Arc<Script>);

/// How fast a recording is played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// This many times as fast as it was.
    Times(f64),
    /// As fast as the client takes it.
    Fast,
}

/// One frame that the backend sent.
#[derive(Debug)]
struct Cue {
    mark: Mark,
    header: HeaderBytes,
    payload: Vec<u8>,
}

/// A place in a recording.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    /// Since the session began.
    at: Duration,
    /// Bytes of payload that the client had sent.
    heard: u64,
}

impl Replay {
    /// The script, to be played to each client.
    pub fn new(script: Script) -> Self {
        Self(Arc::new(script))
    }

    /// Plays it to one client; the WebSocket, whose handshake is over, has its other end here.
    ///
    /// # Errors
    /// The system gives no sockets.
    pub(crate) fn begin(&self) -> io::Result<UnixStream> {
        let (ours, theirs) = UnixStream::pair()?;
        tokio::spawn(play::play(ours, Arc::clone(&self.0)));
        Ok(theirs)
    }
}

impl PartialEq for Replay {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Replay {}

impl Script {
    /// A script of what the backend said in these messages. `played` is told after the first client.
    pub fn new(messages: Vec<Message>, pace: Pace, follow_client: bool, played: CancellationToken) -> Self {
        let last = last_parts(&messages);
        let mut mark = Mark::default();
        let mut cues = Vec::new();
        for (message, ends_message) in messages.into_iter().zip(last) {
            mark.at = mark.at.max(message.at);
            match message.side {
                Side::Client => mark.heard += message.payload.len() as u64,
                Side::Backend => {
                    let header = header(message.part, message.payload.len(), ends_message);
                    cues.push(Cue { mark, header, payload: message.payload });
                }
            }
        }
        Self { cues, end: mark, pace, follow_client, played }
    }

    /// When a place is reached, by the pace.
    fn due(&self, mark: Mark) -> Duration {
        match self.pace {
            Pace::Fast => Duration::ZERO,
            Pace::Times(times) => {
                Duration::try_from_secs_f64(mark.at.as_secs_f64() / times).unwrap_or(Duration::MAX)
            }
        }
    }
}

/// For each message, whether it ends there: no part follows on the same side.
fn last_parts(messages: &[Message]) -> Vec<bool> {
    let mut goes_on = [false; 2];
    let mut last: Vec<_> = messages
        .iter()
        .rev()
        .map(|message| {
            let goes_on = &mut goes_on[usize::from(message.side == Side::Client)];
            !std::mem::replace(goes_on, matches!(message.part, Part::More(_)))
        })
        .collect();
    last.reverse();
    last
}

fn header(part: Part, len: usize, ends_message: bool) -> HeaderBytes {
    let opcode = match part {
        Part::First(MessageType::Text) => Opcode::Text,
        Part::First(MessageType::Binary) => Opcode::Binary,
        Part::More(_) => Opcode::Continuation,
    };
    FrameHeader::unmasked(ends_message, opcode, len as u64).encode()
}
