//! A script on its way to one client.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tidegate_proto::{
    CARRY_BYTES_MAX, Close, CloseCode, Connection, Decoder, Encoder, Event, Limits, Phase, Receiver, Role,
    Times,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep};

use super::{Mark, Script};
use crate::clock::{self, timeout};

/// Bytes that one read can bring.
const READ_BYTES_MAX: usize = 64 << 10;

/// Bytes that wait to be sent, beyond the message that is due, before nothing more is read.
const UNSENT_BYTES_MAX: usize = 1 << 20;

/// How long the gateway's end may take to go after ours.
const LINGER: Duration = Duration::from_secs(5);

/// The longest that is slept without a look around.
const NAP: Duration = Duration::from_secs(3600);

/// Plays it on our end of a socket pair, and answers what comes from the other.
pub(super) async fn play(stream: UnixStream, script: Arc<Script>) {
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
        // A violation is answered with a Close by itself, and nothing is heard from then on.
        while let Ok(Some((consumed, event))) =
            self.connection.handle_bytes(self.now(), &mut bytes[at..], &mut [])
        {
            at += consumed;
            if let Event::Data { payload, .. } = event {
                self.heard += payload.len() as u64;
            }
            self.put_controls();
        }
        let kept = bytes.len() - at;
        if kept > CARRY_BYTES_MAX {
            return 0; // it is no beginning, but what came after the last that counts
        }
        bytes.copy_within(at.., 0);
        kept
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
