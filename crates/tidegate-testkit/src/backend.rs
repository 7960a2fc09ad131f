//! Backends: a listening socket whose connections a test takes one by one, or a thread that serves them.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::{Head, Identity, PATIENCE, Wire};

/// A backend on a free port of loopback. Nothing is accepted, and so nothing answered, until the test does.
#[derive(Debug)]
pub struct Backend {
    listener: TcpListener,
    /// With it every connection is TLS.
    identity: Option<Identity>,
}

impl Backend {
    /// Begins to listen.
    pub fn bind() -> Self {
        Self::new(TcpListener::bind("127.0.0.1:0").expect("loopback has a free port"))
    }

    /// Begins to listen for TLS, as this identity.
    pub fn bind_secure(identity: Identity) -> Self {
        Self::bind().secured(identity)
    }

    /// With TLS on every connection from now on, as this identity.
    #[must_use]
    pub fn secured(self, identity: Identity) -> Self {
        Self { identity: Some(identity), ..self }
    }

    /// Begins to listen at this address, where nobody has listened so far.
    pub fn bind_at(address: SocketAddr) -> Self {
        Self::new(TcpListener::bind(address).expect("the address was free a moment ago"))
    }

    fn new(listener: TcpListener) -> Self {
        SockRef::from(&listener)
            .set_read_timeout(Some(PATIENCE))
            .expect("a listening socket takes a time-out");
        Self { listener, identity: None }
    }

    /// Begins to listen with segments of `segment` bytes and receive buffers of `window` bytes: the kernels between the
    /// gateway and a test that does not read hold little.
    pub fn bind_narrow(segment: u32, window: usize) -> Self {
        let narrow = || {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
            socket.set_tcp_mss(segment)?;
            socket.set_recv_buffer_size(window)?;
            socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
            socket.listen(16)?;
            std::io::Result::Ok(socket.into())
        };
        Self::new(narrow().expect("loopback has a free port"))
    }

    /// One whose queue is full: further connections are neither taken nor refused.
    pub fn bind_full() -> Full {
        let full = || {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
            socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
            socket.listen(0)?;
            std::io::Result::Ok(socket.into())
        };
        let backend = Self::new(full().expect("loopback has a free port"));
        let mut waiting = Vec::new();
        // The kernel keeps one or two for a queue of none; the first that it leaves waiting shows that it is full.
        while let Ok(socket) = TcpStream::connect_timeout(&backend.address(), Duration::from_millis(100)) {
            waiting.push(socket);
            assert!(waiting.len() < 16, "the queue never fills");
        }
        Full { backend, waiting }
    }

    /// An address where nobody listens, and nobody will who is not told of it: of a loopback host of its own. A port
    /// of 127.0.0.1 that was free a moment ago may be the next that another test, or a client of one, is given.
    pub fn refusing() -> SocketAddr {
        static GIVEN: AtomicU16 = AtomicU16::new(0);
        let given = GIVEN.fetch_add(1, Ordering::Relaxed);
        let [.., process] = std::process::id().to_be_bytes();
        let [high, low] = given.to_be_bytes();
        // Apart by the process, whose tests run beside others; never 127.0.0.x.
        let host = Ipv4Addr::new(127, 1 + process % 254, high, low);
        Self::new(TcpListener::bind((host, 0)).expect("loopback has a free port")).address()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("a listening socket has an address")
    }

    /// As the backend of a WebSocket to TCP route; `tls://` where it is secure.
    pub fn tcp(&self) -> String {
        let scheme = if self.identity.is_some() { "tls" } else { "tcp" };
        format!("{scheme}://{}", self.address())
    }

    /// As the backend of a WebSocket to WebSocket route; `wss://` where it is secure.
    pub fn ws(&self) -> String {
        let scheme = if self.identity.is_some() { "wss" } else { "ws" };
        format!("{scheme}://{}", self.address())
    }

    /// The next connection, in order of arrival.
    #[track_caller]
    pub fn accept(&self) -> Wire {
        let wire = self.accept_bare();
        match &self.identity {
            None => wire,
            Some(identity) => wire
                .secured_as_server(identity)
                .unwrap_or_else(|error| panic!("the peer does not want TLS: {error}")),
        }
    }

    /// The next connection as it comes, without TLS.
    #[track_caller]
    pub fn accept_bare(&self) -> Wire {
        let accepted = self.listener.accept();
        Wire::new(
            accepted.unwrap_or_else(|error| panic!("no connection came within {PATIENCE:?}: {error}")).0,
        )
    }

    /// The next connection with its opening handshake, answered as it should be.
    #[track_caller]
    pub fn accept_websocket(&self) -> (Wire, Head) {
        let mut wire = self.accept();
        let head = wire.read_head();
        wire.send(head.answer_101(""));
        (wire, head)
    }

    /// That nobody has connected since the last accept. Meant for the moment when the gateway has answered already.
    #[track_caller]
    pub fn assert_untouched(&self) {
        self.listener.set_nonblocking(true).expect("a socket can be asked not to block");
        match self.listener.accept() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            other => panic!("the backend was contacted: {other:?}"),
        }
        self.listener.set_nonblocking(false).expect("a socket can be asked to block");
    }

    /// A connection that has been made already and was not accepted yet, without TLS.
    pub fn accepted_already(&self) -> Option<Wire> {
        self.listener.set_nonblocking(true).expect("a socket can be asked not to block");
        let accepted = self.listener.accept();
        self.listener.set_nonblocking(false).expect("a socket can be asked to block");
        accepted.ok().map(|(socket, _)| Wire::new(socket))
    }

    /// Serves every connection on a thread of its own, until the result is dropped.
    pub fn serve(self, script: impl Fn(Wire) + Send + Sync + 'static) -> Serving {
        let address = self.address();
        let stop = Arc::new(AtomicBool::new(false));
        let script = Arc::new(script);
        let stopped = Arc::clone(&stop);
        SockRef::from(&self.listener).set_read_timeout(None).expect("a listening socket takes a time-out");
        let acceptor = thread::spawn(move || {
            while let Ok((socket, _)) = self.listener.accept()
                && !stopped.load(Ordering::Acquire)
            {
                let script = Arc::clone(&script);
                thread::spawn(move || script(Wire::new(socket)));
            }
        });
        Serving { address, stop, acceptor: Some(acceptor) }
    }

    /// Serves an echo of bytes until the client's end, then ends as well.
    pub fn echo() -> Serving {
        Self::bind().serve(|mut wire| {
            let mut writer = wire.handle();
            while let Some(bytes) = wire.read_some_or_end() {
                if writer.try_send(bytes).is_err() {
                    return;
                }
            }
            writer.finish();
        })
    }
}

/// A backend that takes no more connections and refuses none.
#[derive(Debug)]
pub struct Full {
    backend: Backend,
    /// Those that fill it.
    waiting: Vec<TcpStream>,
}

impl Full {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.backend.address()
    }

    /// Takes those that fill it, and from then on everybody: the system of whoever is waiting tries again by itself.
    #[track_caller]
    pub fn relieved(self) -> Backend {
        for _ in &self.waiting {
            self.backend.accept_bare();
        }
        self.backend
    }

    /// As the backend of a WebSocket to TCP route.
    pub fn tcp(&self) -> String {
        self.backend.tcp()
    }

    /// As the backend of a WebSocket to WebSocket route.
    pub fn ws(&self) -> String {
        self.backend.ws()
    }
}

/// A backend served by threads.
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Serving {
    /// As the backend of a WebSocket to TCP route.
    pub fn tcp(&self) -> String {
        format!("tcp://{}", self.address)
    }

    /// As the backend of a WebSocket to WebSocket route.
    pub fn ws(&self) -> String {
        format!("ws://{}", self.address)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let woken = TcpStream::connect(self.address).is_ok();
        if let Some(acceptor) = self.acceptor.take().filter(|_| woken) {
            drop(acceptor.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "the backend was contacted")]
    fn i7_a_connection_that_the_test_does_not_know_of() {
        let backend = Backend::bind();
        backend.assert_untouched();
        let _unknown = Wire::connect(backend.address());
        backend.assert_untouched();
    }
}
