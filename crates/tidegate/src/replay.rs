//! The backend's side of a recording, played to a client as if the backend were there.
//!
//! It is a WebSocket server at the end of a socket pair, so that handshake, limits and endings are those of every other
//! session of the gateway.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tidegate_proto::{
    Close, CloseCode, Connection, Decoder, Encoder, Event, FrameHeader, HeaderBytes, Limits, MessageType,
    Opcode, Phase, Receiver, Role, Times,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::recording::{Message, Part, Side};

/// Bytes that one read can bring.
const READ_BYTES_MAX: usize = 64 << 10;

/// Bytes that wait to be sent, beyond the message that is due, before nothing more is read.
const UNSENT_BYTES_MAX: usize = 1 << 20;

/// How long the gateway's end may take to go after ours.
const LINGER: Duration = Duration::from_secs(5);

/// The longest that is slept without a look around.
const NAP: Duration = Duration::from_secs(3600);

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
    /// So many times as fast as it was.
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
        tokio::spawn(play(ours, Arc::clone(&self.0)));
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

async fn play(stream: UnixStream, script: Arc<Script>) {
    if let Err(error) = Play::new(&script).run(stream).await {
        tracing::debug!(%error, "a replay was broken off");
    }
    script.played.cancel();
}

/// A script on its way to one client.
struct Play<'s> {
    script: &'s Script,
    begun: Instant,
    connection: Connection,
    /// The next cue.
    next: usize,
    /// Payload bytes of the client so far.
    heard: u64,
    /// What waiting for the client has cost.
    late: Duration,
    /// It is waited for.
    held: bool,
    unsent: Vec<u8>,
}

impl<'s> Play<'s> {
    fn new(script: &'s Script) -> Self {
        let receiver = Receiver::new(Decoder::new(Role::Server, Limits::NONE));
        // The gateway in front pings its client already.
        let times = Times { ping_interval: None, ping_timeout: None, ..Times::default() };
        let encoder = Encoder::new(Role::Server);
        Self {
            script,
            begun: clock::now(),
            connection: Connection::new(receiver, encoder, &times, Duration::ZERO, *b"replayed"),
            next: 0,
            heard: 0,
            late: Duration::ZERO,
            held: false,
            unsent: Vec::new(),
        }
    }

    async fn run(mut self, mut stream: UnixStream) -> io::Result<()> {
        let mut buffer = vec![0; READ_BYTES_MAX];
        let mut kept = 0;
        let (mut reading, mut writing) = stream.split();
        loop {
            self.prompt();
            if self.unsent.is_empty() && self.connection.phase() == Phase::Over {
                break;
            }
            tokio::select! {
                sent = writing.write(&self.unsent), if !self.unsent.is_empty() => {
                    drop(self.unsent.drain(..sent?));
                }
                read = reading.read(&mut buffer[kept..]), if self.unsent.len() < UNSENT_BYTES_MAX => match read? {
                    0 => return Ok(()),
                    bytes => kept = self.listen(&mut buffer[..kept + bytes]),
                },
                () = sleep(self.pause()) => drop(self.connection.handle_time(self.now())),
            }
        }
        stream.shutdown().await?;
        let gone = async { while stream.read(&mut buffer).await.is_ok_and(|bytes| bytes > 0) {} };
        timeout(LINGER, gone).await.ok(); // the gateway ends its side by itself
        Ok(())
    }

    fn now(&self) -> Duration {
        clock::now() - self.begun
    }

    /// Puts what is due in line: control frames, cues, one at a time, and the end.
    fn prompt(&mut self) {
        self.put_controls();
        while self.unsent.is_empty() && self.connection.may_send() {
            if self.wait() != Wait::Over {
                self.held |= self.wait() == Wait::Client;
                return;
            }
            if std::mem::take(&mut self.held) {
                // What comes after is played at its distance from here.
                self.late = self.now().saturating_sub(self.script.due(self.mark())).max(self.late);
            }
            match self.script.cues.get(self.next) {
                None => self.connection.close(self.now(), &Close::code(CloseCode::NORMAL)),
                Some(cue) => {
                    self.unsent.extend_from_slice(cue.header.as_slice());
                    self.unsent.extend_from_slice(&cue.payload);
                    self.next += 1;
                }
            }
            self.put_controls();
        }
    }

    /// The place that is played next.
    fn mark(&self) -> Mark {
        self.script.cues.get(self.next).map_or(self.script.end, |cue| cue.mark)
    }

    fn wait(&self) -> Wait {
        let mark = self.mark();
        if self.script.follow_client && self.heard < mark.heard {
            return Wait::Client;
        }
        let due = self.script.due(mark).saturating_add(self.late);
        let left = due.saturating_sub(self.now());
        if left.is_zero() { Wait::Over } else { Wait::For(left) }
    }

    /// How long nothing happens unless a socket is ready.
    fn pause(&self) -> Duration {
        let cue = match self.wait() {
            Wait::For(left) if self.unsent.is_empty() && self.connection.may_send() => Some(left),
            Wait::For(_) | Wait::Over | Wait::Client => None,
        };
        let deadline = self.connection.deadline().map(|deadline| deadline.saturating_sub(self.now()));
        cue.into_iter().chain(deadline).chain([NAP]).min().unwrap_or(NAP)
    }

    /// Hears what the client says; how many bytes at the front of the buffer are the beginning of something.
    fn listen(&mut self, bytes: &mut [u8]) -> usize {
        let mut at = 0;
        // A violation is answered with a Close, and `None` from then on.
        while let Ok(Some((consumed, event))) =
            self.connection.handle_bytes(self.now(), &mut bytes[at..], &mut [])
        {
            at += consumed;
            if let Event::Data { payload, .. } = event {
                self.heard += payload.len() as u64;
            }
            self.put_controls();
        }
        bytes.copy_within(at.., 0);
        bytes.len() - at
    }

    fn put_controls(&mut self) {
        while let Ok(Some(frame)) = self.connection.poll_control(self.now(), None) {
            self.unsent.extend_from_slice(frame.as_slice());
        }
    }
}

/// What stands between now and the next cue.
#[derive(Debug, PartialEq, Eq)]
enum Wait {
    /// Nothing.
    Over,
    /// Time.
    For(Duration),
    /// Something that the client has to say first.
    Client,
}
