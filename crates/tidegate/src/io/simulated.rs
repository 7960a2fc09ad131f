//! A connection in memory, for the simulation of the relay: what a kernel may do to a socket is done on demand, and in
//! the same order each time.
//!
//! It takes and gives as many bytes as it likes, holds no more than it was told to, and breaks at a word. It is as
//! unforgiving as networks are: whoever drops an end with something unread behind it destroys what the other side has
//! not read yet.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::ReadBuf;

/// Bytes that a wire which is like TLS makes records of before it wants to be flushed.
const STAGED_BYTES_MAX: usize = 16 << 10;

/// How many bytes the next read or write moves at most.
pub(crate) type Lengths = Box<dyn FnMut() -> usize + Send>;

/// The gateway's end.
pub struct Wire(Arc<Mutex<State>>);

/// The peer's end, which never waits.
#[derive(Debug)]
pub(crate) struct Peer(Arc<Mutex<State>>);

/// What kind of a connection it is.
pub(crate) struct Kind {
    /// Bytes that are under way to the gateway at most, and from it.
    pub(crate) capacities: [usize; 2],
    /// Writes have to be flushed, as with TLS.
    pub(crate) buffers_writes: bool,
    pub(crate) lengths: Lengths,
}

/// How a direction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Fin,
    /// FIN, where TLS has another word for the end.
    Cut,
    Reset,
}

struct State {
    to_gateway: Lane,
    to_peer: Lane,
    /// What was written and not flushed.
    staged: VecDeque<u8>,
    buffers_writes: bool,
    lengths: Lengths,
    /// The gateway has dropped its end.
    is_dropped: bool,
    /// Grows with everything that the gateway has moved or found out.
    moves: u64,
    read: u64,
    written: u64,
}

struct Lane {
    bytes: VecDeque<u8>,
    capacity: usize,
    ended: Option<Ending>,
    /// The gateway waits here.
    waiting: Option<Waker>,
}

/// A connection of this kind.
pub(crate) fn pair(kind: Kind) -> (Wire, Peer) {
    let [to_gateway, to_peer] = kind.capacities.map(|capacity| Lane {
        bytes: VecDeque::new(),
        capacity: capacity.max(1),
        ended: None,
        waiting: None,
    });
    let state = Arc::new(Mutex::new(State {
        to_gateway,
        to_peer,
        staged: VecDeque::new(),
        buffers_writes: kind.buffers_writes,
        lengths: kind.lengths,
        is_dropped: false,
        moves: 0,
        read: 0,
        written: 0,
    }));
    (Wire(Arc::clone(&state)), Peer(state))
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lane {
    const fn is_reset(&self) -> bool {
        matches!(self.ended, Some(Ending::Reset))
    }

    fn room(&self) -> usize {
        self.capacity.saturating_sub(self.bytes.len())
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }
}

impl State {
    fn next_len(&mut self) -> usize {
        (self.lengths)().max(1)
    }

    /// What was staged goes on its way. Whether all of it did.
    fn unstage(&mut self) -> bool {
        let len = self.next_len().min(self.staged.len()).min(self.to_peer.room());
        self.to_peer.bytes.extend(self.staged.drain(..len));
        self.moves += len as u64;
        self.staged.is_empty()
    }

    fn wait_to_write<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        self.to_peer.waiting = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lanes = [&self.to_gateway, &self.to_peer].map(|lane| (lane.bytes.len(), lane.ended));
        write!(f, "Wire({lanes:?})")
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        lock(&self.0).fmt(f)
    }
}

impl Wire {
    pub(super) fn buffers_writes(&self) -> bool {
        lock(&self.0).buffers_writes
    }

    pub(super) fn poll_read(&self, cx: &Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let state = &mut *lock(&self.0);
        if state.to_gateway.is_reset() {
            state.moves += 1;
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if state.to_gateway.bytes.is_empty() {
            let Some(ended) = state.to_gateway.ended else {
                state.to_gateway.waiting = Some(cx.waker().clone());
                return Poll::Pending;
            };
            state.moves += 1;
            let cut = ended == Ending::Cut;
            return Poll::Ready(if cut { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) });
        }
        let len = state.next_len().min(into.remaining()).min(state.to_gateway.bytes.len());
        for byte in state.to_gateway.bytes.drain(..len) {
            into.put_slice(&[byte]);
        }
        state.moves += len as u64;
        state.read += len as u64;
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_write(&self, cx: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let state = &mut *lock(&self.0);
        if state.to_gateway.is_reset() || state.to_peer.ended.is_some() {
            state.moves += 1;
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let len_max = state.next_len().min(bytes.len());
        let taken = if state.buffers_writes {
            if state.staged.len() >= STAGED_BYTES_MAX {
                state.unstage();
            }
            let len = len_max.min(STAGED_BYTES_MAX - state.staged.len());
            state.staged.extend(&bytes[..len]);
            len
        } else {
            let len = len_max.min(state.to_peer.room());
            state.to_peer.bytes.extend(&bytes[..len]);
            len
        };
        if taken == 0 {
            return state.wait_to_write(cx);
        }
        state.moves += taken as u64;
        state.written += taken as u64;
        Poll::Ready(Ok(taken))
    }

    pub(super) fn takes_surely(&self) -> usize {
        lock(&self.0).to_peer.room()
    }

    pub(super) fn poll_flush(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let state = &mut *lock(&self.0);
        if state.to_gateway.is_reset() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        while !state.unstage() {
            if state.to_peer.room() == 0 {
                return state.wait_to_write(cx);
            }
        }
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_shutdown(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        if self.poll_flush(cx)?.is_pending() {
            return Poll::Pending;
        }
        let state = &mut *lock(&self.0);
        state.to_peer.ended.get_or_insert(Ending::Fin);
        state.moves += 1;
        Poll::Ready(Ok(()))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let state = &mut *lock(&self.0);
        state.is_dropped = true;
        state.staged.clear();
        if !state.to_gateway.bytes.is_empty() {
            state.to_peer.bytes.clear();
            state.to_peer.ended = Some(Ending::Reset);
        }
        state.to_peer.ended.get_or_insert(Ending::Fin);
    }
}

impl Peer {
    /// Those of these bytes that go on their way; `None` if nobody will ever read them.
    pub(crate) fn write(&self, bytes: &mut VecDeque<u8>) -> Option<Vec<u8>> {
        let state = &mut *lock(&self.0);
        if state.is_dropped {
            state.to_peer.bytes.clear();
            state.to_peer.ended = Some(Ending::Reset);
            return None;
        }
        let len = bytes.len().min(state.to_gateway.room());
        let taken: Vec<u8> = bytes.drain(..len).collect();
        state.to_gateway.bytes.extend(&taken);
        if len > 0 {
            state.to_gateway.wake();
        }
        Some(taken)
    }

    /// Ends the direction to the gateway, or with a reset the connection.
    pub(crate) fn end(&self, ending: Ending) {
        let state = &mut *lock(&self.0);
        if ending == Ending::Reset {
            state.to_gateway.bytes.clear();
            state.to_gateway.ended = Some(ending);
            state.to_peer.wake();
        }
        state.to_gateway.ended.get_or_insert(ending);
        state.to_gateway.wake();
    }

    /// At most so many of the bytes that have come.
    pub(crate) fn read(&self, len_max: usize) -> Vec<u8> {
        let state = &mut *lock(&self.0);
        let len = state.to_peer.bytes.len().min(len_max);
        let bytes = state.to_peer.bytes.drain(..len).collect();
        if len > 0 {
            state.to_peer.wake();
        }
        bytes
    }

    /// Whether there are bytes to read.
    pub(crate) fn has_bytes(&self) -> bool {
        !lock(&self.0).to_peer.bytes.is_empty()
    }

    /// How the gateway has ended its direction, once everything in it was read.
    pub(crate) fn ended(&self) -> Option<Ending> {
        let state = lock(&self.0);
        state.to_peer.ended.filter(|_| state.to_peer.bytes.is_empty())
    }

    /// What the gateway has done so far: a figure that grows with all that it moves, the bytes read, the bytes written.
    pub(crate) fn seen(&self) -> [u64; 3] {
        let state = lock(&self.0);
        [state.moves, state.read, state.written]
    }
}
