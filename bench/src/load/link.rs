//! One socket of the load, plain or TLS, that never waits.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::sync::Arc;

use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

/// Plain bytes that are handed to TLS before what it has made of them is sent.
const PLAIN_AT_ONCE: usize = 64 << 10;

pub(super) struct Link {
    socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
    /// Bytes of its own that wait.
    waiting: Vec<u8>,
    /// The same bytes again and again: where in them we are, and how many are still to be sent.
    repeated: Option<Rc<[u8]>>,
    at: usize,
    left: u64,
}

/// What a read brought.
pub(super) enum Read {
    Bytes(usize),
    Nothing,
    End,
}

impl Link {
    pub(super) fn connect(to: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> io::Result<Self> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        match connect(&socket, &to) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        let tls = tls.map(|config| {
            let mut tls = ClientConnection::new(config.clone(), ServerName::from(to.ip()))
                .expect("a certificate for an address is asked for");
            tls.set_buffer_limit(None);
            Box::new(tls)
        });
        Self::new(socket.into(), tls)
    }

    pub(super) fn accepted(socket: TcpStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Self::new(socket, None)
    }

    fn new(socket: TcpStream, tls: Option<Box<ClientConnection>>) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        Ok(Self { socket, tls, waiting: Vec::new(), repeated: None, at: 0, left: 0 })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Whether it has something to say as soon as the socket takes it.
    pub(super) fn wants_write(&self) -> bool {
        !self.waiting.is_empty() || self.left > 0 || self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    pub(super) fn read(&mut self, into: &mut [u8]) -> io::Result<Read> {
        let result = match &mut self.tls {
            None => self.socket.read(into),
            Some(tls) => read_tls(tls, &mut self.socket, into),
        };
        match result {
            Ok(0) => Ok(Read::End),
            Ok(bytes) => Ok(Read::Bytes(bytes)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Read::Nothing),
            Err(error) => Err(error),
        }
    }

    /// Sends what the socket takes and keeps the rest.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let taken = if self.waiting.is_empty() { self.write(bytes)? } else { 0 };
        self.waiting.extend_from_slice(&bytes[taken..]);
        Ok(())
    }

    /// Sends so many bytes more of what is repeated. All calls for a link name the same bytes.
    pub(super) fn repeat(&mut self, bytes: &Rc<[u8]>, more: u64) -> io::Result<()> {
        self.repeated.get_or_insert_with(|| bytes.clone());
        self.left = self.left.saturating_add(more);
        self.flush()
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        if !self.waiting.is_empty() {
            let waiting = std::mem::take(&mut self.waiting);
            let taken = self.write(&waiting)?;
            if taken < waiting.len() {
                self.waiting = waiting;
                self.waiting.drain(..taken);
                return Ok(());
            }
        }
        while self.left > 0
            && let Some(bytes) = self.repeated.clone()
        {
            let rest = &bytes[self.at..];
            let now = rest.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
            let taken = self.write(&rest[..now])?;
            self.at = (self.at + taken) % bytes.len();
            self.left -= taken as u64;
            if taken < now {
                break;
            }
        }
        self.write(&[]).map(drop)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return if bytes.is_empty() { Ok(0) } else { or_none(self.socket.write(bytes)) };
        };
        // Before the handshake is over, rustls keeps what it is given.
        let mut taken = 0;
        loop {
            while tls.wants_write() {
                if or_none(tls.write_tls(&mut self.socket))? == 0 {
                    return Ok(taken);
                }
            }
            if taken == bytes.len() {
                return Ok(taken);
            }
            taken += tls.writer().write(&bytes[taken..bytes.len().min(taken + PLAIN_AT_ONCE)])?;
        }
    }
}

fn read_tls(tls: &mut ClientConnection, socket: &mut TcpStream, into: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    loop {
        match tls.reader().read(&mut into[filled..]) {
            Ok(bytes) if bytes > 0 => filled += bytes,
            Ok(_) => return Ok(filled),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => match tls.read_tls(socket) {
                Ok(0) => return Ok(filled),
                Ok(_) => tls.process_new_packets().map(drop).map_err(io::Error::other)?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && filled > 0 => return Ok(filled),
                Err(error) => return Err(error),
            },
            // Ended without close_notify.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(filled),
            Err(error) => return Err(error),
        }
        if filled == into.len() {
            return Ok(filled);
        }
    }
}

fn or_none(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected) => {
            Ok(0)
        }
        result => result,
    }
}
