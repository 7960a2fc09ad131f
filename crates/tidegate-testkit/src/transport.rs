//! What a wire is made of: TCP, or TLS over it.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::Connection;

/// A connected socket, with TLS on it or not. Clones are handles to the same connection.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    pub(crate) socket: Arc<TcpStream>,
    tls: Option<Arc<Tls>>,
}

/// TLS that one thread reads while another writes: neither holds the state while it waits for the socket.
#[derive(Debug)]
struct Tls {
    state: Mutex<Connection>,
    /// Records that the socket has not taken yet; whoever holds this writes to the socket.
    unsent: Mutex<Vec<u8>>,
}

/// How the peer's direction has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Everything that it sent has arrived.
    Whole,
    /// The connection ended, but not TLS on it.
    Cut,
}

/// Plaintext bytes that become one record.
const RECORD: usize = 16 << 10;

impl Transport {
    pub(crate) fn plain(socket: TcpStream) -> Self {
        Self { socket: Arc::new(socket), tls: None }
    }

    /// Puts TLS on the connection, and takes the handshake. Data that came right behind it goes into `early`.
    pub(crate) fn secure(self, mut connection: Connection, early: &mut Vec<u8>) -> io::Result<Self> {
        let mut socket = &*self.socket;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        take_plain(&mut connection, early)?;
        let tls = Tls { state: Mutex::new(connection), unsent: Mutex::default() };
        Ok(Self { socket: self.socket, tls: Some(Arc::new(tls)) })
    }

    /// Reads what has arrived, or waits as long as the socket's time-out for something; behind the end, tells how it was.
    /// Over TLS nothing may have come although it waited: records of its own are not data.
    pub(crate) fn read(&self, into: &mut Vec<u8>) -> io::Result<Option<Ended>> {
        let Some(tls) = &self.tls else {
            let len = read(&self.socket, into)?;
            return Ok((len == 0).then_some(Ended::Whole));
        };
        if tls.is_closed() {
            return Ok(Some(Ended::Whole));
        }
        let mut records = Vec::new();
        if read(&self.socket, &mut records)? == 0 {
            return Ok(Some(Ended::Cut));
        }
        let answers = tls.open(&records, into)?;
        if !answers.is_empty() {
            // Only then: who writes holds this for as long as the peer takes nothing, which may wait for us to read.
            let mut unsent = lock(&tls.unsent);
            unsent.extend(answers);
            self.flush(&mut unsent)?;
        }
        Ok(None)
    }

    /// Writes all of it.
    pub(crate) fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        match &self.tls {
            None => (&*self.socket).write_all(bytes),
            Some(_) => bytes.chunks(RECORD).try_for_each(|chunk| self.write(chunk).map(drop)),
        }
    }

    /// Writes some of it, and tells how much. Over TLS that is all of a short piece, which is written to its end by the
    /// next call where this one had to give up.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = &self.tls else { return (&*self.socket).write(bytes) };
        let mut unsent = lock(&tls.unsent);
        self.flush(&mut unsent)?;
        let piece = &bytes[..bytes.len().min(RECORD)];
        unsent.extend(tls.seal(piece)?);
        match self.flush(&mut unsent) {
            Err(error) if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                Err(error)
            }
            Ok(()) | Err(_) => Ok(piece.len()),
        }
    }

    /// Ends our direction, with close_notify over TLS.
    pub(crate) fn finish(&self) -> io::Result<()> {
        if let Some(tls) = &self.tls {
            let mut unsent = lock(&tls.unsent);
            unsent.extend(tls.farewell()?);
            self.flush(&mut unsent)?;
        }
        self.socket.shutdown(Shutdown::Write)
    }

    /// Sends the first bytes of the record that these bytes make, and no more.
    pub(crate) fn write_cut_record(&self, bytes: &[u8], len: usize) -> io::Result<()> {
        let tls = self.tls.as_ref().expect("only TLS has records");
        let mut unsent = lock(&tls.unsent);
        self.flush(&mut unsent)?;
        let record = tls.seal(bytes)?;
        (&*self.socket).write_all(&record[..len])
    }

    fn flush(&self, unsent: &mut Vec<u8>) -> io::Result<()> {
        while !unsent.is_empty() {
            let taken = (&*self.socket).write(unsent)?;
            unsent.drain(..taken);
        }
        Ok(())
    }
}

impl Tls {
    fn is_closed(&self) -> bool {
        let mut state = lock(&self.state);
        state.process_new_packets().is_ok_and(|state| state.peer_has_closed())
    }

    /// Takes records apart; what TLS itself answers to them.
    fn open(&self, mut bytes: &[u8], into: &mut Vec<u8>) -> io::Result<Vec<u8>> {
        let mut state = lock(&self.state);
        while !bytes.is_empty() {
            state.read_tls(&mut bytes)?;
            take_plain(&mut state, into)?;
        }
        records(&mut state)
    }

    fn seal(&self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut state = lock(&self.state);
        state.writer().write_all(bytes)?;
        records(&mut state)
    }

    fn farewell(&self) -> io::Result<Vec<u8>> {
        let mut state = lock(&self.state);
        state.send_close_notify();
        records(&mut state)
    }
}

fn take_plain(state: &mut Connection, into: &mut Vec<u8>) -> io::Result<()> {
    let processed = state.process_new_packets();
    let plain = processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    let start = into.len();
    into.resize(start + plain.plaintext_bytes_to_read(), 0);
    state.reader().read_exact(&mut into[start..])
}

fn records(state: &mut Connection) -> io::Result<Vec<u8>> {
    let mut records = Vec::new();
    while state.wants_write() {
        state.write_tls(&mut records)?;
    }
    Ok(records)
}

fn read(mut socket: &TcpStream, into: &mut Vec<u8>) -> io::Result<usize> {
    let mut buffer = [0; 16 << 10];
    let len = socket.read(&mut buffer)?;
    into.extend_from_slice(&buffer[..len]);
    Ok(len)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
