//! One socket of a relay: reading, sending without ever waiting, and ending without losing a byte.

mod frozen;
mod piped;
mod room;
mod sending;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Instant;

use self::piped::Piped;
use self::room::Room;
use super::backlog::{Backlog, STALL};
use crate::clock;
use crate::io::Socket;

/// How long a peer that can be sent nothing any more may be silent: it can still be heard, and has no way to learn that it
/// should speak.
const SILENCE: Duration = Duration::from_secs(5);

/// A socket with the bytes it could not take yet.
#[derive(Debug)]
pub(super) struct Leg {
    phase: Phase,
    /// What was read together with the handshake, if it was anything: a place for it alone would be kept for hours.
    early: Option<Box<Bytes>>,
    backlog: Backlog,
    room: Room,
    /// What comes behind the backlog: a pipe of bulk data.
    piped: Option<Box<Piped>>,
    /// Since when bytes wait that the socket has not taken.
    kept_since: Option<Instant>,
    /// The peer took in no time what had to wait for it.
    prompt: bool,
    /// TLS has made records that the socket has not taken.
    unflushed: bool,
    read_ended: bool,
    writes: Writes,
    fin: Fin,
}

/// What has become of our writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writes {
    Work,
    /// One has failed for the moment, and is tried again at this time.
    Pause(Instant),
    /// The peer takes no more, and may be silent until then. What it sent before may still wait to be read.
    Failed(Instant),
}

#[derive(Debug)]
enum Phase {
    Open(Socket),
    /// Everything is sent, then FIN; what still arrives is dropped. Boxed: it lasts for seconds, and being open for hours.
    Finishing(Box<Finishing>),
    Gone,
}

#[derive(Debug)]
struct Finishing {
    socket: Socket,
    patience: &'static Patience,
    /// When there last was progress.
    progress: Instant,
}

/// How long a leg may take to finish. A slow peer gets everything it is owed, as long as it takes some of it.
#[derive(Debug)]
pub(super) struct Patience {
    /// How long the peer may take nothing of what it is owed.
    pub(super) taking: Duration,
    /// How long it may take to end its side after our FIN.
    pub(super) after_fin: Duration,
}

/// The end of our own direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fin {
    /// More may be sent.
    NotYet,
    /// Due as soon as everything is sent.
    Due,
    Sent,
}

/// What a read brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    Bytes(usize),
    /// The peer's FIN; over TLS, its close_notify.
    End,
    /// TLS has ended without close_notify: something may be missing.
    Cut,
    /// A reset, or what comes to the same.
    Failed,
}

impl Leg {
    pub(super) fn new(socket: Socket, early: Bytes) -> Self {
        Self {
            phase: Phase::Open(socket),
            early: (!early.is_empty()).then(|| Box::new(early)),
            backlog: Backlog::default(),
            room: Room::default(),
            piped: None,
            kept_since: None,
            prompt: false,
            unflushed: false,
            read_ended: false,
            writes: Writes::Work,
            fin: Fin::NotYet,
        }
    }

    /// Whether bytes wait that the socket has not taken.
    pub(super) const fn has_backlog(&self) -> bool {
        !self.backlog.is_empty() || self.piped.is_some()
    }

    /// Whether bulk data can go from or to it through a pipe: nothing stands between us and the socket.
    pub(super) fn is_bare(&self) -> bool {
        matches!(self.phase, Phase::Open(Socket::Plain(_))) && self.early.is_none()
    }

    /// How many they are.
    pub(super) fn buffered(&self) -> usize {
        self.backlog.pending().len() + self.piped.as_ref().map_or(0, |piped| piped.held())
    }

    /// Whether more can be sent.
    pub(super) const fn is_writable(&self) -> bool {
        matches!(self.fin, Fin::NotYet) && !matches!(self.phase, Phase::Gone)
    }

    /// Whether a read makes sense: it can bring something that is still wanted.
    pub(super) const fn is_readable(&self) -> bool {
        !self.read_ended && self.is_open()
    }

    /// Whether the peer has ended its direction.
    pub(super) const fn read_ended(&self) -> bool {
        self.read_ended
    }

    /// Whether neither direction works any more, although nobody has ended the leg yet.
    pub(super) const fn is_dead(&self) -> bool {
        self.is_open() && self.read_ended && self.writes.have_failed()
    }

    /// Whether it still is as it was at the start: neither finishing nor gone.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
    }

    /// Whether it is in full swing: neither direction has ended or is to end.
    pub(super) const fn is_calm(&self) -> bool {
        self.is_open() && !self.read_ended && !self.writes.have_failed() && matches!(self.fin, Fin::NotYet)
    }

    /// Whether TLS on it has come to the last of its keys.
    pub(super) const fn is_spent(&self) -> bool {
        match &self.phase {
            Phase::Open(Socket::Served(socket)) => socket.is_spent(),
            Phase::Open(Socket::ServedUnix(socket)) => socket.is_spent(),
            Phase::Open(_) | Phase::Finishing(_) | Phase::Gone => false,
        }
    }

    pub(super) const fn is_gone(&self) -> bool {
        matches!(self.phase, Phase::Gone)
    }

    /// When something is due although the socket is not ready.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let of_writes = match self.writes {
            Writes::Pause(until) => Some(until),
            Writes::Failed(silent_until) => Some(silent_until).filter(|_| self.is_open()), // finishing has a time of its own
            Writes::Work => None,
        };
        self.stalled_at().into_iter().chain(self.finish_by()).chain(of_writes).min()
    }

    /// When the peer counts as stalled if it takes nothing until then.
    fn stalled_at(&self) -> Option<Instant> {
        let piped = self.piped.as_ref().map(|piped| piped.progress + STALL);
        self.backlog.deadline().or(piped)
    }

    /// When patience with a leg that is finishing ends.
    fn finish_by(&self) -> Option<Instant> {
        match (&self.phase, self.fin) {
            (Phase::Finishing(it), Fin::Sent) => Some(it.progress + it.patience.after_fin),
            (Phase::Finishing(it), Fin::NotYet | Fin::Due) => Some(it.progress + it.patience.taking),
            (Phase::Open(_) | Phase::Gone, _) => None,
        }
    }

    /// Whether the peer has taken nothing for too long.
    pub(super) fn is_stalled(&self, now: Instant) -> bool {
        self.stalled_at().is_some_and(|deadline| now >= deadline)
    }

    /// Whether the peer, which can be sent nothing, has been silent for too long. Whoever is not read has not been silent.
    pub(super) fn has_fallen_silent(&mut self, now: Instant, is_read: bool) -> bool {
        let is_over = matches!(self.writes, Writes::Failed(silent_until) if now >= silent_until);
        if !is_over || !self.is_open() {
            return false;
        }
        if !is_read {
            self.writes = Writes::Failed(now + SILENCE);
        }
        is_read
    }

    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<Read> {
        if let Some(early) = &mut self.early {
            let bytes = early.len().min(into.len());
            early.copy_to_slice(&mut into[..bytes]);
            if early.is_empty() {
                self.early = None; // gives the handshake's buffer back
            }
            return Poll::Ready(Read::Bytes(bytes));
        }
        let Some(socket) = self.phase.socket() else { return Poll::Pending };
        let mut buffer = ReadBuf::new(into);
        let result = match Pin::new(socket).poll_read(cx, &mut buffer) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(result) => result,
        };
        let bytes = buffer.filled().len();
        Poll::Ready(self.read(result.map(|()| bytes)))
    }

    /// What the result of a read means.
    fn read(&mut self, result: io::Result<usize>) -> Read {
        match result {
            Ok(bytes) if bytes > 0 => {
                if self.writes.have_failed() {
                    self.writes = Writes::Failed(clock::now() + SILENCE);
                }
                Read::Bytes(bytes)
            }
            Ok(_) if !self.writes.have_failed() => self.ended(),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !self.writes.have_failed() => {
                self.read_ended = true;
                Read::Cut
            }
            Ok(_) | Err(_) => {
                self.abort();
                Read::Failed
            }
        }
    }

    /// Ends our direction after everything that was sent; the peer may go on.
    pub(super) fn half_close(&mut self) {
        if self.fin == Fin::NotYet {
            self.fin = Fin::Due;
        }
    }

    /// Ends the leg: everything sent is delivered, then FIN; what still arrives is read and dropped, so that no reset
    /// of ours can overtake what was sent. Gone when the peer has ended too, or patience has.
    pub(super) fn finish(&mut self, now: Instant, patience: &'static Patience) {
        self.phase = match std::mem::replace(&mut self.phase, Phase::Gone) {
            Phase::Open(socket) => Phase::Finishing(Box::new(Finishing { socket, patience, progress: now })),
            finishing_or_gone @ (Phase::Finishing(_) | Phase::Gone) => finishing_or_gone,
        };
        self.half_close();
        self.early = None;
    }

    /// Drops the socket as it is.
    pub(super) fn abort(&mut self) {
        self.phase = Phase::Gone;
        self.writes = Writes::Work; // there are none that could fail
        self.read_ended = true;
        self.early = None;
        self.backlog.clear();
        self.piped = None;
    }

    /// Goes on finishing. Whether anything moved.
    pub(super) fn poll_finish(&mut self, cx: &mut Context<'_>, scratch: &mut [u8]) -> bool {
        if !matches!(self.phase, Phase::Finishing(_)) {
            return false;
        }
        if self.read_ended && self.fin == Fin::Sent {
            self.abort();
            return true;
        }
        !self.read_ended && self.poll_read(cx, scratch).is_ready()
    }

    /// Drops the socket if patience with its finishing has ended. Whether it has.
    pub(super) fn judge_finish(&mut self, rang: Instant) -> bool {
        let is_over = self.finish_by().is_some_and(|finish_by| rang >= finish_by);
        if is_over {
            self.abort();
        }
        is_over
    }

    fn ended(&mut self) -> Read {
        self.read_ended = true;
        Read::End
    }
}

impl Writes {
    const fn have_failed(self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

impl Phase {
    fn socket(&mut self) -> Option<&mut Socket> {
        match self {
            Self::Open(socket) => Some(socket),
            Self::Finishing(finishing) => Some(&mut finishing.socket),
            Self::Gone => None,
        }
    }

    fn progressed(&mut self, now: Instant) {
        if let Self::Finishing(finishing) = self {
            finishing.progress = now;
        }
    }
}
