//! A connection whose request was sent already, and whose answer was read in part, for a client that wants to do both.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::io::Socket;

/// What is written to it is dropped: it is the head that was sent. Then what was read is read again, and what follows.
#[derive(Debug)]
pub(super) struct Replayed {
    socket: Socket,
    received: Bytes,
    /// The request was written once more. An answer that came before it would answer nothing.
    asked: bool,
    /// Who would have read before.
    waiting: Option<Waker>,
}

impl Replayed {
    pub(super) const fn new(socket: Socket, received: Bytes) -> Self {
        Self { socket, received, asked: false, waiting: None }
    }

    /// The socket, and what was not read again.
    pub(super) fn into_parts(self) -> (Socket, Bytes) {
        (self.socket, self.received)
    }
}

impl AsyncRead for Replayed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.asked {
            self.waiting = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if self.received.is_empty() {
            return Pin::new(&mut self.socket).poll_read(cx, into);
        }
        let bytes = self.received.len().min(into.remaining());
        into.put_slice(&self.received[..bytes]);
        self.received.advance(bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Replayed {
    fn poll_write(mut self: Pin<&mut Self>, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.asked = true;
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
