//! The server's end of a TLS connection, with no buffers of its own while it is quiet.
//!
//! Records are read into a buffer of the worker's, opened in place there, and made in it. A connection keeps what the last
//! read cut of a record, what its reader had no room for, and what its socket did not take: nothing of each, as a rule.

mod by_rustls;
mod moved;
mod records;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::server::UnbufferedServerConnection;
use rustls::{CommonState, ServerConfig};
use thin_vec::ThinVec;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use self::records::Records;
pub(crate) use self::records::can_move;

/// Bytes of the worker's buffer for records. Sixteen of the largest fit.
const RECORDS_BYTES: usize = 16 * RECORD_BYTES_MAX;

/// Bytes of the longest record on the wire (RFC 5246 §6.2.3; RFC 8446 §5.2 allows less).
const RECORD_BYTES_MAX: usize = 5 + PLAIN_BYTES_MAX + 2048;

/// Bytes of the payload of a record.
const PLAIN_BYTES_MAX: usize = 16 << 10;

/// Payload that one write takes: its records fit into the buffer, with what else may have to be sent before them.
const WRITE_BYTES_MAX: usize = 15 * PLAIN_BYTES_MAX;

/// What is read at the least, however little room the reader has.
const READ_BYTES_MIN: usize = 4 << 10;

thread_local! {
    static RECORDS: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lends this thread's buffer for records. What is in it means nothing.
fn with_records<T>(borrow: impl FnOnce(&mut [u8]) -> T) -> T {
    RECORDS.with_borrow_mut(|records| {
        if records.is_empty() {
            records.resize(RECORDS_BYTES, 0);
        }
        borrow(records)
    })
}

/// A socket with TLS on it, of which we are the server.
pub struct TlsSocket<S> {
    socket: S,
    protocol: Protocol,
    /// Its keys may be taken out.
    is_extractable: bool,
    held: Held,
}

/// Who makes and opens records.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are the large one: a box would be one more allocation"
)]
enum Protocol {
    /// From the handshake on.
    Rustls(UnbufferedServerConnection),
    /// Where the keys were taken out to go to another process, or have come from one.
    Records(Records),
    /// Nobody: the keys were taken out, and are no good.
    Lost,
}

/// What is held besides: nothing, as a rule, so that its places are small.
#[derive(Default)]
struct Held {
    /// The beginning of a record that the last read cut, and what of records the reader has not asked for.
    incoming: ThinVec<u8>,
    /// Payload that was opened and that the reader had no room for: less than a record.
    opened: ThinVec<u8>,
    /// Records that the socket has not taken.
    outgoing: ThinVec<u8>,
    /// How many bytes at their front have gone.
    gone: usize,
    /// The peer has said that it sends no more.
    read_ended: bool,
    /// We have said so.
    write_ended: bool,
}

/// Where payload goes that was opened.
struct Reader<'r, 'b> {
    into: &'r mut ReadBuf<'b>,
    /// What does not fit.
    rest: &'r mut ThinVec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsSocket<S> {
    /// Takes the handshake. The caller bounds the time.
    ///
    /// # Errors
    /// The client speaks no TLS, or none that we speak; it was sent an alert then.
    pub(crate) async fn accept(socket: S, config: Arc<ServerConfig>) -> io::Result<Self> {
        let is_extractable = config.enable_secret_extraction;
        let tls = UnbufferedServerConnection::new(config).map_err(io::Error::other)?;
        let protocol = Protocol::Rustls(tls);
        let mut accepted = Self { socket, protocol, is_extractable, held: Held::default() };
        std::future::poll_fn(|cx| accepted.poll_handshake(cx)).await?;
        Ok(accepted)
    }

    /// What was agreed on, and who the client is; not known any more where it has come from another process.
    pub(crate) fn connection(&self) -> Option<&CommonState> {
        match &self.protocol {
            Protocol::Rustls(tls) => Some(tls),
            Protocol::Records(_) | Protocol::Lost => None,
        }
    }

    /// What it is made over.
    pub(crate) const fn get_ref(&self) -> &S {
        &self.socket
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_send(cx))?;
            if self.connection().is_none_or(|tls| !tls.is_handshaking()) {
                return Poll::Ready(Ok(()));
            }
            if self.held.read_ended {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            // What the client sends behind its handshake waits until somebody reads.
            let mut opened = mem::take(&mut self.held.opened);
            let mut nothing = ReadBuf::new(&mut []);
            let polled = self.poll_records(cx, &mut Reader { into: &mut nothing, rest: &mut opened });
            self.held.opened = opened;
            ready!(polled)?;
        }
    }

    /// Reads once, and opens what there is then.
    fn poll_records(&mut self, cx: &mut Context<'_>, reader: &mut Reader<'_, '_>) -> Poll<io::Result<()>> {
        with_records(|records| {
            let kept = self.held.incoming.len();
            let room = reader.into.remaining().max(READ_BYTES_MIN).min(records.len() - kept);
            records[..kept].copy_from_slice(&self.held.incoming);
            let mut read = ReadBuf::new(&mut records[kept..kept + room]);
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut read))?;
            let end = kept + read.filled().len();
            if end == kept {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())); // it has ended without saying so
            }
            self.held.incoming = ThinVec::new();
            Poll::Ready(self.open(cx, &mut records[..end], reader))
        })
    }

    /// Opens records until the reader has no more room, keeps what is left, and answers what has to be answered.
    fn open(
        &mut self,
        cx: &mut Context<'_>,
        records: &mut [u8],
        reader: &mut Reader<'_, '_>,
    ) -> io::Result<()> {
        let opened = self.open_all(records, reader);
        if let Poll::Ready(Err(error)) = self.poll_send(cx) {
            tracing::debug!(%error, "a TLS answer could not be sent"); // what has come is not lost with that
        }
        opened
    }

    fn open_all(&mut self, records: &mut [u8], reader: &mut Reader<'_, '_>) -> io::Result<()> {
        let held = &mut self.held;
        let done = match &mut self.protocol {
            Protocol::Rustls(tls) => by_rustls::open_all(tls, records, held, reader)?,
            Protocol::Records(layer) => layer.open_all(records, held, reader)?,
            Protocol::Lost => return Err(lost()),
        };
        held.incoming = records[done..].into();
        Ok(())
    }

    /// Makes records of these bytes in the buffer; how many bytes they are. What has to be sent before them is made, and
    /// what is opened meanwhile waits for the reader.
    fn seal(&mut self, bytes: &[u8], records: &mut [u8]) -> io::Result<usize> {
        match &mut self.protocol {
            Protocol::Rustls(tls) => {
                by_rustls::seal(tls, &mut self.held, |traffic| traffic.encrypt(bytes, records))
            }
            Protocol::Records(layer) => layer.seal(bytes, records),
            Protocol::Lost => Err(lost()),
        }
    }

    /// Has it said that no more will come.
    fn say_end(&mut self) -> io::Result<()> {
        match &mut self.protocol {
            Protocol::Rustls(tls) => {
                let mut records = [0; RECORD_OF_ALERT_BYTES_MAX];
                let end = |traffic: &mut by_rustls::Traffic<'_>| traffic.queue_close_notify(&mut records);
                let sealed = by_rustls::seal(tls, &mut self.held, end)?;
                self.held.outgoing.extend_from_slice(&records[..sealed]);
            }
            Protocol::Records(layer) => self.held.outgoing.extend(layer.close_notify()?),
            Protocol::Lost => return Err(lost()),
        }
        Ok(())
    }

    /// Sends what the socket has not taken. Ready when it has all of it.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.held.gone < self.held.outgoing.len() {
            let rest = &self.held.outgoing[self.held.gone..];
            match ready!(Pin::new(&mut self.socket).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                taken => self.held.gone += taken,
            }
        }
        (self.held.outgoing, self.held.gone) = (ThinVec::new(), 0);
        Poll::Ready(Ok(()))
    }
}

fn lost() -> io::Error {
    io::Error::other("the keys of TLS are lost")
}

impl Reader<'_, '_> {
    fn take(&mut self, payload: &[u8]) {
        let fits = if self.rest.is_empty() { payload.len().min(self.into.remaining()) } else { 0 };
        self.into.put_slice(&payload[..fits]);
        self.rest.extend_from_slice(&payload[fits..]);
    }

    /// Whether more may be opened. A reader that takes nothing just now is one of a handshake, which has to go on.
    fn has_room(&self) -> bool {
        self.rest.is_empty() && (self.into.capacity() == 0 || self.into.remaining() > 0)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsSocket<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = into.filled().len();
        if into.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if !this.held.opened.is_empty() {
            let bytes = this.held.opened.len().min(into.remaining());
            into.put_slice(&this.held.opened[..bytes]);
            this.held.opened.drain(..bytes);
            if this.held.opened.is_empty() {
                this.held.opened = ThinVec::new();
            }
            return Poll::Ready(Ok(()));
        }
        let mut rest = ThinVec::new();
        let mut reader = Reader { into, rest: &mut rest };
        let polled = this.poll_payload(cx, &mut reader, before);
        this.held.opened = rest;
        polled
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsSocket<S> {
    /// Reads until there is payload, or no more will come.
    fn poll_payload(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut Reader<'_, '_>,
        before: usize,
    ) -> Poll<io::Result<()>> {
        if !self.held.incoming.is_empty() {
            let mut incoming = mem::take(&mut self.held.incoming);
            self.open(cx, &mut incoming, reader)?;
        }
        while reader.into.filled().len() == before && !self.held.read_ended {
            ready!(self.poll_records(cx, reader))?;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsSocket<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        if this.held.write_ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        with_records(|records| {
            let bytes = &bytes[..bytes.len().min(WRITE_BYTES_MAX)];
            let sealed = this.seal(bytes, records)?;
            let mut sent = 0;
            // What had to be answered meanwhile goes first: records are numbered.
            while this.held.outgoing.is_empty() && sent < sealed {
                match Pin::new(&mut this.socket).poll_write(cx, &records[sent..sealed]) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    Poll::Ready(Ok(more)) => sent += more,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => break,
                }
            }
            this.held.outgoing.extend_from_slice(&records[sent..sealed]);
            Poll::Ready(Ok(bytes.len()))
        })
    }

    /// Several short pieces become one record.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut filled = slices.iter().filter(|slice| !slice.is_empty());
        let (Some(first), Some(second)) = (filled.next(), filled.next()) else {
            let only = slices.iter().find(|slice| !slice.is_empty());
            return self.poll_write(cx, only.map_or(&[], |only| only));
        };
        if first.len() + second.len() > PLAIN_BYTES_MAX {
            return self.poll_write(cx, first);
        }
        self.poll_write(cx, &[&first[..], &second[..]].concat())
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_send(cx)
    }

    /// Says that no more will come (RFC 8446 §6.1), and then ends the direction of the socket.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.held.write_ended {
            this.held.write_ended = true;
            this.say_end()?;
        }
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.socket).poll_shutdown(cx)
    }
}

/// More than an alert takes, and what may have to go before it: answers to a key update, or tickets.
const RECORD_OF_ALERT_BYTES_MAX: usize = 4 << 10;

impl<S: fmt::Debug> fmt::Debug for TlsSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSocket").field("socket", &self.socket).finish_non_exhaustive()
    }
}
