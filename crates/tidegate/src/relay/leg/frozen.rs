//! A leg as it is written down for another process, and taken up there.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::Instant;

use super::{Fin, Leg, Phase, SILENCE, Writes};
use crate::clock;
use crate::handover::StayReason;
use crate::handover::capabilities::Capabilities;
use crate::handover::record::{self, Octets};
use crate::io::Socket;
use crate::relay::backlog::Backlog;
use crate::relay::frozen::Unfit;
use crate::tls_socket::TlsSocket;

impl Leg {
    /// Whether its socket can become that of a process with these capabilities.
    pub(in crate::relay) fn may_move(&self, capabilities: Capabilities) -> Result<(), StayReason> {
        match &self.phase {
            Phase::Open(Socket::Plain(_) | Socket::Unix(_)) => Ok(()),
            Phase::Open(Socket::Served(socket)) if capabilities.tls && socket.may_move() => Ok(()),
            Phase::Open(Socket::ServedUnix(socket)) if capabilities.tls && socket.may_move() => Ok(()),
            Phase::Open(Socket::Tls(_) | Socket::Served(_) | Socket::ServedUnix(_)) => Err(StayReason::Tls),
            #[cfg(any(test, fuzzing))]
            Phase::Open(Socket::Simulated(_)) => Err(StayReason::Closing),
            Phase::Finishing(_) | Phase::Gone => Err(StayReason::Closing),
        }
    }

    /// Puts what a pipe and TLS hold where it can be written down, or gone on with as well; for a leg that
    /// [may move](Self::may_move).
    ///
    /// # Errors
    /// It has ended just now.
    pub(in crate::relay) fn gather(&mut self) -> io::Result<()> {
        self.unpipe();
        match &mut self.phase {
            Phase::Open(Socket::Served(socket)) => socket.free_keys(),
            Phase::Open(Socket::ServedUnix(socket)) => socket.free_keys(),
            Phase::Open(Socket::Plain(_) | Socket::Unix(_) | Socket::Tls(_))
            | Phase::Finishing(_)
            | Phase::Gone => Ok(()),
            #[cfg(any(test, fuzzing))]
            Phase::Open(Socket::Simulated(_)) => Ok(()),
        }
    }

    /// A descriptor of its socket, for a leg that [may move](Self::may_move).
    ///
    /// # Errors
    /// The system has no more descriptors.
    pub(in crate::relay) fn descriptor(&self) -> io::Result<OwnedFd> {
        match &self.phase {
            Phase::Open(Socket::Plain(socket)) => socket.as_fd().try_clone_to_owned(),
            Phase::Open(Socket::Unix(socket)) => socket.as_fd().try_clone_to_owned(),
            Phase::Open(Socket::Served(socket)) => socket.get_ref().as_fd().try_clone_to_owned(),
            Phase::Open(Socket::ServedUnix(socket)) => socket.get_ref().as_fd().try_clone_to_owned(),
            Phase::Open(Socket::Tls(_)) | Phase::Finishing(_) | Phase::Gone => {
                Err(io::ErrorKind::Unsupported.into())
            }
            #[cfg(any(test, fuzzing))]
            Phase::Open(Socket::Simulated(_)) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Writes it down; what was in a pipe has been [gathered](Self::gather).
    pub(in crate::relay) fn write_down(&self, now: Instant) -> record::Leg {
        let socket = match &self.phase {
            Phase::Open(Socket::Unix(_) | Socket::ServedUnix(_)) => record::Socket::Unix,
            Phase::Open(Socket::Plain(_) | Socket::Tls(_) | Socket::Served(_))
            | Phase::Finishing(_)
            | Phase::Gone => record::Socket::Tcp,
            #[cfg(any(test, fuzzing))]
            Phase::Open(Socket::Simulated(_)) => record::Socket::Tcp,
        };
        let tls = match &self.phase {
            Phase::Open(Socket::Served(socket)) => socket.write_down(),
            Phase::Open(Socket::ServedUnix(socket)) => socket.write_down(),
            Phase::Open(Socket::Plain(_) | Socket::Unix(_) | Socket::Tls(_))
            | Phase::Finishing(_)
            | Phase::Gone => None,
            #[cfg(any(test, fuzzing))]
            Phase::Open(Socket::Simulated(_)) => None,
        };
        let (unsent, unsent_since) = self.backlog.to_parts();
        let since = |then: Instant| now.saturating_duration_since(then);
        record::Leg {
            socket,
            tls,
            early: Octets(self.early.as_ref().map_or_else(Vec::new, |early| early.to_vec())),
            unsent: Octets(unsent.to_vec()),
            unsent_for: unsent_since.map(since),
            kept_for: self.kept_since.map(since),
            prompt: self.prompt,
            read_ended: self.read_ended,
            writes_failed: self.writes.have_failed(),
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
    /// The event queue does not take the socket, or TLS on it cannot be gone on with.
    pub(in crate::relay) fn take_up(written: record::Leg, descriptor: OwnedFd) -> Result<Self, Unfit> {
        let unflushed = written.tls.as_ref().is_some_and(|tls| !tls.outgoing.0.is_empty());
        let socket = socket(written.socket, written.tls, descriptor)?;
        let Octets(unsent) = written.unsent;
        let unsent_since = clock::ago(written.unsent_for.unwrap_or_default());
        Ok(Self {
            backlog: Backlog::from_parts(unsent, unsent_since),
            kept_since: written.kept_for.map(clock::ago),
            prompt: written.prompt,
            unflushed,
            read_ended: written.read_ended,
            writes: if written.writes_failed { Writes::Failed(clock::now() + SILENCE) } else { Writes::Work },
            fin: match written.fin {
                record::Fin::NotYet => Fin::NotYet,
                record::Fin::Due => Fin::Due,
                record::Fin::Sent => Fin::Sent,
            },
            ..Self::new(socket, Bytes::from(written.early.0))
        })
    }
}

/// A socket of this kind, with this on it.
fn socket(kind: record::Socket, tls: Option<record::Tls>, descriptor: OwnedFd) -> Result<Socket, Unfit> {
    Ok(match (kind, tls) {
        (record::Socket::Tcp, None) => Socket::Plain(TcpStream::from_std(descriptor.into())?),
        (record::Socket::Unix, None) => Socket::Unix(UnixStream::from_std(descriptor.into())?),
        (record::Socket::Tcp, Some(tls)) => {
            Socket::Served(Box::new(with_tls(TcpStream::from_std(descriptor.into())?, tls)?))
        }
        (record::Socket::Unix, Some(tls)) => {
            Socket::ServedUnix(Box::new(with_tls(UnixStream::from_std(descriptor.into())?, tls)?))
        }
    })
}

fn with_tls<S>(socket: S, tls: record::Tls) -> Result<TlsSocket<S>, Unfit>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    TlsSocket::take_up(socket, tls).map_err(Unfit::State)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Write as _;

    use super::super::piped::Piped;
    use super::*;
    use crate::relay::backlog::STALL;
    use crate::relay::pipe::Pipe;
    use crate::relay::tests::pair;

    /// The time that a peer may take nothing is the same, in however many processes it passes.
    #[tokio::test(start_paused = true)]
    async fn what_a_pipe_has_held_for_a_while_is_written_down_as_that_old() {
        let ((Socket::Plain(source), mut source_end), (socket, _end)) = (pair(), pair()) else {
            panic!("a pair is TCP")
        };
        source_end.write_all(b"held").unwrap();
        let mut pipe = Pipe::take().unwrap();
        assert_eq!(poll_fn(|cx| pipe.poll_fill(cx, &source, 64)).await.unwrap(), 4);
        let mut leg = Leg::new(socket, Bytes::new());
        let since = clock::now();
        let mut piped = Piped::new(pipe, since);
        piped.push(b" and behind");
        leg.piped = Some(Box::new(piped));
        tokio::time::advance(STALL / 3).await;
        leg.gather().unwrap();
        let written = leg.write_down(clock::now());
        assert_eq!((&written.unsent.0[..], written.unsent_for), (&b"held and behind"[..], Some(STALL / 3)));
        assert_eq!(leg.stalled_at(), Some(since + STALL), "here as well, where it stays after all");
    }
}
