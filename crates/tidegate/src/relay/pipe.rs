//! Bulk data from one socket to another through a pipe: its bytes never enter our memory.
//!
//! Pipes belong to the worker, as buffers do. A connection holds one only while a socket cannot take what is in it.

use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::clock;

/// What a pipe takes at once; what unprivileged processes may ask for.
pub(super) const PIPE_BYTES: usize = 1 << 20;

/// Pipes of a worker. Without one, bulk data goes the ordinary way.
const PIPES_MAX: usize = 16;

/// Descriptors that the pipes of a worker may take.
pub(crate) const DESCRIPTORS_MAX: usize = 2 * PIPES_MAX;

const FLAGS: SpliceFlags = SpliceFlags::NONBLOCK.union(SpliceFlags::MOVE);

/// How long none is asked of the system after it had none to give.
const REFUSED_FOR: Duration = Duration::from_secs(1);

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { empty: Vec::new(), made: 0, refused: None }) };
}

struct Pool {
    empty: Vec<Ends>,
    /// Those that are lent as well.
    made: usize,
    /// When the system last had none to give.
    refused: Option<Instant>,
}

#[derive(Debug)]
struct Ends {
    reader: OwnedFd,
    writer: OwnedFd,
}

/// A pipe, and how many bytes are in it.
#[derive(Debug)]
pub(super) struct Pipe {
    /// Gone only once the pipe is on its way back.
    ends: Option<Ends>,
    held: usize,
}

impl Pipe {
    /// An empty one, if there is one to be had.
    pub(super) fn take() -> Option<Self> {
        POOL.with_borrow_mut(|pool| {
            let ends = pool.empty.pop().or_else(|| pool.make())?;
            Some(Self { ends: Some(ends), held: 0 })
        })
    }

    pub(super) const fn held(&self) -> usize {
        self.held
    }

    /// Takes at most `bytes_max` bytes from a socket; 0 is its end, and [`io::ErrorKind::Unsupported`] says that an ordinary
    /// read has to take what comes next. Only for an empty pipe: of one with something in it could not be told whether it
    /// waits for room in the pipe or for the socket.
    pub(super) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        from: &TcpStream,
        bytes_max: usize,
    ) -> Poll<io::Result<usize>> {
        debug_assert_eq!(self.held, 0, "only an empty pipe is filled");
        let writer = &self.ends().writer;
        loop {
            ready!(from.poll_read_ready(cx))?;
            // Looked at in here: once the readiness is gone, what has come already would wake nobody.
            let fill = || match splice(from, None, writer, None, bytes_max.min(PIPE_BYTES), FLAGS) {
                Ok(0) | Err(Errno::AGAIN) if stands_before_urgent(from) => {
                    Err(io::ErrorKind::Unsupported.into())
                }
                filled => Ok(filled?),
            };
            match from.try_io(Interest::READABLE, fill) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => {
                    self.held = *result.as_ref().unwrap_or(&0);
                    return Poll::Ready(result);
                }
            }
        }
    }

    /// Gives a socket what it takes of what is held. A broken one is an error and no signal: Rust programs ignore
    /// SIGPIPE.
    pub(super) fn poll_drain(&mut self, cx: &mut Context<'_>, to: &TcpStream) -> Poll<io::Result<usize>> {
        let reader = &self.ends().reader;
        loop {
            ready!(to.poll_write_ready(cx))?;
            let drain = || Ok(splice(reader, None, to, None, self.held, FLAGS)?);
            match to.try_io(Interest::WRITABLE, drain) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => {
                    self.held -= result.as_ref().unwrap_or(&0);
                    return Poll::Ready(result);
                }
            }
        }
    }

    /// Empties it into memory after all.
    pub(super) fn read_out(mut self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.held];
        let mut rest = &mut bytes[..];
        while !rest.is_empty() {
            let read = rustix::io::read(&self.ends().reader, &mut *rest)?;
            rest = &mut rest[read..];
        }
        self.held = 0;
        Ok(bytes)
    }

    fn ends(&self) -> &Ends {
        self.ends.as_ref().expect("a pipe has its ends until it is dropped")
    }
}

impl Drop for Pipe {
    /// An empty one goes back to the worker; one with bytes that nobody wants is of no use to anybody else.
    fn drop(&mut self) {
        let ends = self.ends.take().filter(|_| self.held == 0);
        // Not there any more when the thread ends.
        let _ended = POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            match ends {
                Some(ends) => pool.empty.push(ends),
                None => pool.made = pool.made.saturating_sub(1),
            }
        });
    }
}

impl Pool {
    /// One more, if there may be one more.
    fn make(&mut self) -> Option<Ends> {
        let was_refused = || self.refused.is_some_and(|since| clock::now() - since < REFUSED_FOR);
        if self.made == PIPES_MAX || was_refused() {
            return None;
        }
        let ends = Ends::new();
        self.refused = ends.is_err().then(clock::now);
        self.made += usize::from(ends.is_ok());
        ends.ok()
    }
}

impl Ends {
    fn new() -> io::Result<Self> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // A user without privileges may own so many large ones; small ones gain nothing.
        fcntl_setpipe_size(&writer, PIPE_BYTES)?;
        Ok(Self { reader, writer })
    }
}

/// Whether there are bytes although a splice finds none: it stops at urgent data (RFC 9293 §3.8.5) for ever, which a read
/// steps over.
fn stands_before_urgent(socket: &TcpStream) -> bool {
    recv(socket, &mut [0; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT).is_ok_and(|(bytes, _)| bytes > 0)
}

/// Sends the header of a frame whose payload follows from a pipe: both leave together.
pub(super) fn poll_send_header(
    cx: &mut Context<'_>,
    to: &TcpStream,
    header: &[u8],
) -> Poll<io::Result<usize>> {
    loop {
        ready!(to.poll_write_ready(cx))?;
        let write = || Ok(send(to, header, SendFlags::MORE | SendFlags::NOSIGNAL)?);
        match to.try_io(Interest::WRITABLE, write) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return Poll::Ready(result),
        }
    }
}
