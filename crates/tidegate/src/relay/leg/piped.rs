//! Bulk data on its way to a socket through a pipe.
//!
//! What is in a pipe is the kernel's memory, so as much goes into one as it holds, whatever the socket takes. What has to
//! go to the socket behind it waits beside it: nothing is read for the socket meanwhile, so that is a Close of ours.

use std::io;
use std::task::{Context, Poll};

use tokio::time::Instant;

use super::{Leg, Phase, Read};
use crate::io::Socket;
use crate::relay::backlog::{BYTES_SOFT, Backlog};
use crate::relay::pipe::{self, Pipe};

/// A pipe with bytes in it, and what comes behind them.
#[derive(Debug)]
pub(super) struct Piped {
    pub(super) pipe: Pipe,
    /// When the socket last took some of what waits.
    pub(super) progress: Instant,
    behind: Vec<u8>,
}

impl Piped {
    pub(super) const fn new(pipe: Pipe, now: Instant) -> Self {
        Self { pipe, progress: now, behind: Vec::new() }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.behind.extend_from_slice(bytes);
        debug_assert!(self.behind.len() < BYTES_SOFT, "nothing is read for a socket behind a pipe");
    }

    pub(super) fn held(&self) -> usize {
        self.pipe.held() + self.behind.len()
    }
}

impl Leg {
    /// Reads at most `bytes_max` of the bytes that are there into an empty pipe; for a leg that [is bare](Self::is_bare).
    /// `None`: what comes next has to be read in the ordinary way.
    pub(in crate::relay) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        pipe: &mut Pipe,
        bytes_max: usize,
    ) -> Poll<Option<Read>> {
        let Phase::Open(Socket::Plain(socket)) = &self.phase else { return Poll::Pending };
        pipe.poll_fill(cx, socket, bytes_max).map(|result| match result {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => None,
            result => Some(self.read(result)),
        })
    }

    /// Sends a header, if there is one, and behind it what a pipe holds; for a leg that [is bare](Self::is_bare) and has
    /// no [backlog](Self::has_backlog).
    pub(in crate::relay) fn send_piped(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        header: &[u8],
        pipe: Pipe,
    ) {
        debug_assert!(!self.has_backlog(), "bulk data does not wait behind anything");
        if !self.is_writable() {
            return;
        }
        let taken = self.write_header(cx, header);
        if taken < header.len() && self.is_writable() {
            self.backlog.push(&header[taken..], now);
        }
        if self.is_writable() {
            self.piped = Some(Box::new(Piped::new(pipe, now)));
            self.drain_pipe(cx, now);
            self.note_pace(now);
        }
    }

    /// The beginning of a frame whose payload follows from a pipe: both leave together.
    fn write_header(&mut self, cx: &mut Context<'_>, header: &[u8]) -> usize {
        let Some(Socket::Plain(socket)) = self.phase.socket().filter(|_| !header.is_empty()) else {
            return 0;
        };
        match pipe::poll_send_header(cx, socket, header) {
            Poll::Ready(Ok(taken)) => {
                self.room.took(taken);
                taken
            }
            Poll::Ready(Err(error)) => {
                self.write_failed(&error);
                0
            }
            Poll::Pending => 0,
        }
    }

    /// Sends what the socket takes from the pipe. Whether anything moved.
    pub(super) fn drain_pipe(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        if !self.backlog.is_empty() {
            return false;
        }
        let mut moved = false;
        while let Some(piped) = self.piped.as_deref_mut()
            && let Some(Socket::Plain(socket)) = self.phase.socket()
        {
            match piped.pipe.poll_drain(cx, socket) {
                Poll::Pending => {
                    self.room.is_full();
                    break;
                }
                Poll::Ready(Err(error)) => {
                    self.write_failed(&error);
                    break;
                }
                Poll::Ready(Ok(bytes)) => {
                    self.room.took(bytes);
                    moved = true;
                    piped.progress = now;
                    if piped.pipe.held() == 0 {
                        self.backlog = Backlog::from_parts(std::mem::take(&mut piped.behind), now);
                        self.piped = None;
                    }
                }
            }
        }
        moved
    }

    /// Takes into memory what a pipe holds, so that all that waits is in one place.
    pub(super) fn unpipe(&mut self) {
        let Some(piped) = self.piped.take() else { return };
        let Piped { pipe, progress, behind } = *piped;
        match pipe.read_out() {
            Ok(bytes) => {
                self.backlog.push(&bytes, progress); // who takes nothing has no more time for it
                self.backlog.push(&behind, progress);
            }
            Err(_) => self.give_up_writing(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::{Read as _, Write as _};
    use std::thread;

    use bytes::Bytes;

    use super::*;
    use crate::clock;
    use crate::relay::pipe::PIPE_BYTES;
    use crate::relay::tests::pair;

    /// It reaches the peer in the order in which it was sent, and the pipe stays one until it is empty.
    #[tokio::test]
    async fn what_is_sent_behind_a_pipe_waits_beside_it() {
        let ((Socket::Plain(source), mut source_end), (socket, mut end)) = (pair(), pair()) else {
            panic!("a pair is TCP")
        };
        let said: Vec<u8> = (0..=250).cycle().take(32 * PIPE_BYTES).collect();
        let (saying, mut left) = (said.clone(), &said[..]);
        let says = thread::spawn(move || source_end.write_all(&saying)); // in vain, once enough was read
        let mut leg = Leg::new(socket, Bytes::new());
        let mut sent = Vec::new();
        while leg.piped.is_none() {
            let mut pipe = Pipe::take().unwrap();
            let filled = poll_fn(|cx| pipe.poll_fill(cx, &source, PIPE_BYTES)).await.unwrap();
            let payload = left.split_off(..filled).unwrap();
            sent.extend([b"header", payload].concat());
            let mut pipe = Some(pipe);
            poll_fn(|cx| {
                leg.send_piped(cx, clock::now(), b"header", pipe.take().unwrap());
                Poll::Ready(())
            })
            .await;
        }
        sent.extend(b"behind");
        poll_fn(|cx| {
            leg.send(cx, clock::now(), b"behind");
            Poll::Ready(())
        })
        .await;
        assert!(leg.backlog.pending().len() < 6, "nothing but a cut header waits in front of the pipe");
        leg.half_close();
        let receives = thread::spawn(move || {
            let mut received = Vec::new();
            end.read_to_end(&mut received).map(|_| received)
        });
        poll_fn(|cx| {
            while leg.flush(cx, clock::now()) {}
            if leg.has_backlog() { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        drop((leg, source));
        assert!(receives.join().unwrap().unwrap() == sent, "in order");
        assert!(says.join().unwrap().is_err(), "the end was not reached");
    }
}
