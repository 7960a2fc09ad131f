//! The server's end of a TLS connection, with no buffers of its own while it is quiet.
//!
//! Records are read into a buffer of the worker's, opened in place there, and made in it. A connection keeps what the last
//! read cut of a record, what its reader had no room for, and what its socket did not take: nothing of each, as a rule.

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus, WriteTraffic};
use rustls::{CommonState, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

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
    tls: UnbufferedServerConnection,
    /// The beginning of a record that the last read cut, and what of records the reader has not asked for.
    incoming: Vec<u8>,
    /// Payload that was opened and that the reader had no room for: less than a record.
    opened: Vec<u8>,
    /// Records that the socket has not taken.
    outgoing: Vec<u8>,
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
    rest: &'r mut Vec<u8>,
}

/// What is to be done with records after a step.
enum Step {
    /// There may be more in them, behind so many bytes.
    Go(usize),
    /// They are at their end, or cut: more has to be read.
    Starved,
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsSocket<S> {
    /// Takes the handshake. The caller bounds the time.
    ///
    /// # Errors
    /// The client speaks no TLS, or none that we speak; it was sent an alert then.
    pub(crate) async fn accept(socket: S, config: Arc<ServerConfig>) -> io::Result<Self> {
        let tls = UnbufferedServerConnection::new(config).map_err(io::Error::other)?;
        let mut accepted = Self {
            socket,
            tls,
            incoming: Vec::new(),
            opened: Vec::new(),
            outgoing: Vec::new(),
            gone: 0,
            read_ended: false,
            write_ended: false,
        };
        std::future::poll_fn(|cx| accepted.poll_handshake(cx)).await?;
        Ok(accepted)
    }

    /// What was agreed on, and who the client is.
    pub(crate) fn connection(&self) -> &CommonState {
        &self.tls
    }

    /// What it is made over.
    pub(crate) const fn get_ref(&self) -> &S {
        &self.socket
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_send(cx))?;
            if !self.tls.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            if self.read_ended {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            // What the client sends behind its handshake waits until somebody reads.
            let mut opened = mem::take(&mut self.opened);
            let mut nothing = ReadBuf::new(&mut []);
            let polled = self.poll_records(cx, &mut Reader { into: &mut nothing, rest: &mut opened });
            self.opened = opened;
            ready!(polled)?;
        }
    }

    /// Reads once, and opens what there is then.
    fn poll_records(&mut self, cx: &mut Context<'_>, reader: &mut Reader<'_, '_>) -> Poll<io::Result<()>> {
        with_records(|records| {
            let kept = self.incoming.len();
            let room = reader.into.remaining().max(READ_BYTES_MIN).min(records.len() - kept);
            records[..kept].copy_from_slice(&self.incoming);
            let mut read = ReadBuf::new(&mut records[kept..kept + room]);
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut read))?;
            let end = kept + read.filled().len();
            if end == kept {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())); // it has ended without saying so
            }
            self.incoming = Vec::new();
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
        let mut at = 0;
        while reader.has_room() {
            let UnbufferedStatus { discard, state } = self.tls.process_tls_records(&mut records[at..]);
            let done =
                state.and_then(|state| settle(state, &mut self.outgoing, &mut self.read_ended, reader));
            at += discard;
            match done {
                Ok(Step::Go(more)) => at += more,
                Ok(Step::Starved) => break,
                Err(error) => {
                    self.say_why();
                    return Err(broken(error));
                }
            }
        }
        self.incoming = records[at..].to_vec();
        Ok(())
    }

    /// After an error: has the alert made ready to be sent, and what of the handshake stands before it. Nothing is read
    /// for that: a second look at the record that was wrong would find it wrong once more.
    fn say_why(&mut self) {
        while self.tls.wants_write() {
            let UnbufferedStatus { state, .. } = self.tls.process_tls_records(&mut []);
            let Ok(ConnectionState::EncodeTlsData(mut data)) = state else { return };
            append(&mut self.outgoing, |room| data.encode(room));
        }
    }

    /// Makes records, once everything is out of the way that stands before them. What is opened meanwhile waits for the
    /// reader.
    fn seal(
        &mut self,
        make: impl FnOnce(&mut WriteTraffic<'_, ServerConnectionData>) -> Result<usize, EncryptError>,
    ) -> io::Result<usize> {
        let mut incoming = mem::take(&mut self.incoming);
        let mut at = 0;
        let sealed = loop {
            let UnbufferedStatus { discard, state } = self.tls.process_tls_records(&mut incoming[at..]);
            let state = state.map_err(broken)?;
            if let ConnectionState::WriteTraffic(mut traffic) = state {
                at += discard;
                break make(&mut traffic).map_err(io::Error::other);
            }
            let mut reader = Reader { into: &mut ReadBuf::new(&mut []), rest: &mut self.opened };
            let done = settle(state, &mut self.outgoing, &mut self.read_ended, &mut reader);
            match done.map_err(broken)? {
                Step::Go(more) => at += discard + more,
                Step::Starved => break Err(io::ErrorKind::BrokenPipe.into()),
            }
        };
        if at > 0 {
            incoming.drain(..at);
        }
        self.incoming = incoming;
        sealed
    }

    /// Sends what the socket has not taken. Ready when it has all of it.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.gone < self.outgoing.len() {
            let rest = &self.outgoing[self.gone..];
            match ready!(Pin::new(&mut self.socket).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                taken => self.gone += taken,
            }
        }
        (self.outgoing, self.gone) = (Vec::new(), 0);
        Poll::Ready(Ok(()))
    }
}

/// Does what a state of the protocol demands.
fn settle(
    state: ConnectionState<'_, '_, ServerConnectionData>,
    outgoing: &mut Vec<u8>,
    read_ended: &mut bool,
    reader: &mut Reader<'_, '_>,
) -> Result<Step, rustls::Error> {
    let mut discard = 0;
    match state {
        ConnectionState::ReadTraffic(mut traffic) => {
            while let Some(record) = traffic.next_record() {
                let record = record?;
                discard += record.discard;
                reader.take(record.payload);
            }
        }
        ConnectionState::EncodeTlsData(mut data) => append(outgoing, |room| data.encode(room)),
        ConnectionState::TransmitTlsData(data) => data.done(), // it is sent before anything else is
        ConnectionState::PeerClosed => *read_ended = true,
        ConnectionState::WriteTraffic(_) | ConnectionState::BlockedHandshake | ConnectionState::Closed => {
            return Ok(Step::Starved);
        }
        // We take none (`max_early_data_size`).
        ConnectionState::ReadEarlyData(_) | _ => {
            return Err(rustls::Error::General("early data was not asked for".to_owned()));
        }
    }
    Ok(Step::Go(discard))
}

fn broken(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Puts what `encode` writes behind what there is.
fn append(to: &mut Vec<u8>, mut encode: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>) {
    let start = to.len();
    let written = match encode(&mut []) {
        Ok(written) => written,
        Err(EncodeError::InsufficientSize(size)) => {
            to.resize(start + size.required_size, 0);
            encode(&mut to[start..]).expect("it has the room that it asked for")
        }
        Err(EncodeError::AlreadyEncoded) => unreachable!("each piece is encoded once"),
    };
    to.truncate(start + written);
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
        if !this.opened.is_empty() {
            let bytes = this.opened.len().min(into.remaining());
            into.put_slice(&this.opened[..bytes]);
            this.opened.drain(..bytes);
            if this.opened.is_empty() {
                this.opened = Vec::new();
            }
            return Poll::Ready(Ok(()));
        }
        let mut rest = Vec::new();
        let mut reader = Reader { into, rest: &mut rest };
        let polled = this.poll_payload(cx, &mut reader, before);
        this.opened = rest;
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
        if !self.incoming.is_empty() {
            let mut incoming = mem::take(&mut self.incoming);
            self.open(cx, &mut incoming, reader)?;
        }
        while reader.into.filled().len() == before && !self.read_ended {
            ready!(self.poll_records(cx, reader))?;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsSocket<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        if this.write_ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        with_records(|records| {
            let bytes = &bytes[..bytes.len().min(WRITE_BYTES_MAX)];
            let sealed = this.seal(|traffic| traffic.encrypt(bytes, records))?;
            let mut sent = 0;
            // What had to be answered meanwhile goes first: records are numbered.
            while this.outgoing.is_empty() && sent < sealed {
                match Pin::new(&mut this.socket).poll_write(cx, &records[sent..sealed]) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    Poll::Ready(Ok(more)) => sent += more,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => break,
                }
            }
            this.outgoing.extend_from_slice(&records[sent..sealed]);
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
        if !this.write_ended {
            this.write_ended = true;
            let mut records = [0; RECORD_OF_ALERT_BYTES_MAX];
            let sealed = this.seal(|traffic| traffic.queue_close_notify(&mut records))?;
            this.outgoing.extend_from_slice(&records[..sealed]);
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
