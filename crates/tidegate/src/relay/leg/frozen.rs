//! A leg as it is written down for another process, and taken up there.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use bytes::Bytes;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::Instant;

use super::{Fin, Leg, Phase};
use crate::clock;
use crate::handover::Stays;
use crate::handover::record::{self, Octets};
use crate::io::Socket;
use crate::relay::backlog::Backlog;

impl Leg {
    /// Whether its socket can become another process's.
    pub(in crate::relay) const fn may_move(&self) -> Result<(), Stays> {
        match &self.phase {
            Phase::Open(Socket::Plain(_) | Socket::Unix(_)) => Ok(()),
            Phase::Open(Socket::Tls(_) | Socket::Served(_) | Socket::ServedUnix(_)) => Err(Stays::Tls),
            #[cfg(any(test, fuzzing))]
            Phase::Open(Socket::Simulated(_)) => Err(Stays::Ending),
            Phase::Finishing(..) | Phase::Gone => Err(Stays::Ending),
        }
    }

    /// Puts what a pipe holds into memory, from where it can be sent on or written down.
    pub(in crate::relay) fn gather(&mut self, now: Instant) {
        self.unpipe(now);
    }

    /// A descriptor of its socket, for a leg that [may move](Self::may_move).
    ///
    /// # Errors
    /// The system has no more descriptors.
    pub(in crate::relay) fn descriptor(&self) -> io::Result<OwnedFd> {
        match &self.phase {
            Phase::Open(Socket::Plain(socket)) => socket.as_fd().try_clone_to_owned(),
            Phase::Open(Socket::Unix(socket)) => socket.as_fd().try_clone_to_owned(),
            Phase::Open(Socket::Tls(_) | Socket::Served(_) | Socket::ServedUnix(_))
            | Phase::Finishing(..)
            | Phase::Gone => Err(io::ErrorKind::Unsupported.into()),
            #[cfg(any(test, fuzzing))]
            Phase::Open(Socket::Simulated(_)) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Writes it down; what was in a pipe has been [gathered](Self::gather).
    pub(in crate::relay) fn write_down(&self, now: Instant) -> record::Leg {
        let socket = match &self.phase {
            Phase::Open(Socket::Unix(_) | Socket::ServedUnix(_)) => record::Socket::Unix,
            Phase::Open(Socket::Plain(_) | Socket::Tls(_) | Socket::Served(_))
            | Phase::Finishing(..)
            | Phase::Gone => record::Socket::Tcp,
            #[cfg(any(test, fuzzing))]
            Phase::Open(Socket::Simulated(_)) => record::Socket::Tcp,
        };
        let (unsent, unsent_since) = self.backlog.to_parts();
        let since = |then: Instant| now.saturating_duration_since(then);
        record::Leg {
            socket,
            early: Octets(self.early.to_vec()),
            unsent: Octets(unsent.to_vec()),
            unsent_for: unsent_since.map(since),
            kept_for: self.kept_since.map(since),
            prompt: self.prompt,
            read_ended: self.read_ended,
            writes_failed: self.writes_failed,
            fin: match self.fin {
                Fin::NotYet => record::Fin::NotYet,
                Fin::Due => record::Fin::Due,
                Fin::Sent => record::Fin::Sent,
            },
        }
    }

    /// Takes it up, in the runtime of this thread.
    ///
    /// # Errors
    /// The event queue does not take the socket.
    pub(in crate::relay) fn take_up(written: record::Leg, descriptor: OwnedFd) -> io::Result<Self> {
        let socket = match written.socket {
            record::Socket::Tcp => Socket::Plain(TcpStream::from_std(descriptor.into())?),
            record::Socket::Unix => Socket::Unix(UnixStream::from_std(descriptor.into())?),
        };
        let Octets(unsent) = written.unsent;
        let unsent_since = clock::ago(written.unsent_for.unwrap_or_default());
        Ok(Self {
            backlog: Backlog::from_parts(unsent, unsent_since),
            kept_since: written.kept_for.map(clock::ago),
            prompt: written.prompt,
            read_ended: written.read_ended,
            writes_failed: written.writes_failed,
            fin: match written.fin {
                record::Fin::NotYet => Fin::NotYet,
                record::Fin::Due => Fin::Due,
                record::Fin::Sent => Fin::Sent,
            },
            ..Self::new(socket, Bytes::from(written.early.0))
        })
    }
}
