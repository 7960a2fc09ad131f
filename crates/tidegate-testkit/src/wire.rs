//! One raw TCP connection in the hands of a test, as client or as backend.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConnection};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::gateway::Answers;
use crate::transport::{Ended, Transport};
use crate::{Deadline, Frame, Head, Identity, PATIENCE, opcode};

/// A connection. Each call waits [`PATIENCE`] at most and panics with what it saw when that is passed, when the
/// connection ends where it must not, or when what came is not what was asked for.
///
/// It is TCP, or TLS over it: what is sent and read is the same then.
#[derive(Debug)]
pub struct Wire {
    transport: Transport,
    /// Received and not asked for yet.
    ahead: Vec<u8>,
    /// Where the answers of a gateway are counted.
    answers: Option<Answers>,
}

/// How the peer ended its direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// FIN, and over TLS close_notify before it: everything that it sent has arrived.
    Fin,
    /// FIN without the close_notify that TLS has for it: something may be missing.
    Cut,
    /// A reset: something may be lost.
    Reset,
}

impl Wire {
    /// Connects to a listening socket.
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        Self::new(
            TcpStream::connect_timeout(&address, PATIENCE)
                .unwrap_or_else(|error| panic!("{address}: {error}")),
        )
    }

    /// Connects like a client far away: segments of `segment` bytes and a receive buffer of `window` bytes, so that
    /// the kernel takes little on its behalf.
    #[track_caller]
    pub fn connect_narrow(address: SocketAddr, segment: u32, window: usize) -> Self {
        let connect = || {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
            socket.set_tcp_mss(segment)?;
            socket.set_recv_buffer_size(window)?;
            socket.connect_timeout(&address.into(), PATIENCE)?;
            std::io::Result::Ok(socket.into())
        };
        Self::new(connect().unwrap_or_else(|error| panic!("{address}: {error}")))
    }

    /// Takes over a connected socket.
    pub(crate) fn new(socket: TcpStream) -> Self {
        let set = socket.set_nodelay(true).and_then(|()| socket.set_write_timeout(Some(PATIENCE)));
        set.expect("a connected socket takes its options");
        Self { transport: Transport::plain(socket), ahead: Vec::new(), answers: None }
    }

    /// Puts TLS on the connection, as its client: the peer must be who it is asked to be.
    #[track_caller]
    pub fn secured_as_client(self, config: &Arc<ClientConfig>, name: &str) -> Self {
        let secured = self.try_secured_as_client(config, name);
        secured.unwrap_or_else(|error| panic!("no TLS with the peer: {error}"))
    }

    /// The same, with a peer that may refuse.
    ///
    /// # Errors
    /// The peer does not want it, or is not who it should be.
    pub fn try_secured_as_client(self, config: &Arc<ClientConfig>, name: &str) -> std::io::Result<Self> {
        let name = ServerName::try_from(name.to_owned()).expect("a name that TLS knows");
        let client = ClientConnection::new(Arc::clone(config), name).expect("the configuration is whole");
        self.secured(client.into())
    }

    /// Puts TLS on the connection, as its server.
    ///
    /// # Errors
    /// The peer does not want it.
    pub fn secured_as_server(self, identity: &Identity) -> std::io::Result<Self> {
        let server = ServerConnection::new(identity.server()).expect("the configuration is whole");
        self.secured(server.into())
    }

    fn secured(self, connection: rustls::Connection) -> std::io::Result<Self> {
        self.socket().set_read_timeout(Some(PATIENCE)).expect("patience is not zero");
        let mut ahead = Vec::new();
        Ok(Self { transport: self.transport.secure(connection, &mut ahead)?, ahead, answers: self.answers })
    }

    /// Counts the heads that are read from now on as answers of a gateway.
    pub(crate) fn answered_by(self, answers: &Answers) -> Self {
        answers.count_connection();
        Self { answers: Some(answers.clone()), ..self }
    }

    fn socket(&self) -> &TcpStream {
        &self.transport.socket
    }

    /// A second handle to the same connection, to write on one thread while another reads. What was read ahead stays
    /// with the first.
    pub fn handle(&self) -> Self {
        Self { transport: self.transport.clone(), ahead: Vec::new(), answers: self.answers.clone() }
    }

    /// The address of this end.
    pub fn local_address(&self) -> SocketAddr {
        self.socket().local_addr().expect("a connected socket has an address")
    }

    /// The address of the other end.
    pub fn remote_address(&self) -> SocketAddr {
        self.socket().peer_addr().expect("a connected socket has a peer")
    }

    /// Sends these bytes.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).unwrap_or_else(|error| panic!("the peer takes no more: {error}"));
    }

    /// Sends these bytes, or tells that the peer takes no more.
    ///
    /// # Errors
    /// The connection is broken.
    #[track_caller]
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        let result = self.transport.write_all(bytes.as_ref());
        if let Err(error) = &result {
            assert!(!is_time_out(error), "the peer took nothing for {PATIENCE:?}");
        }
        result
    }

    /// Sends these bytes in pieces of 1 to 7 bytes, each a segment of its own, cut where `seed` says.
    #[track_caller]
    pub fn send_chopped(&mut self, bytes: impl AsRef<[u8]>, seed: u64) {
        self.send_in_pieces(bytes, 7, seed);
    }

    /// The same in pieces of 1 to `len_max` bytes.
    #[track_caller]
    pub fn send_in_pieces(&mut self, bytes: impl AsRef<[u8]>, len_max: usize, seed: u64) {
        let mut state = seed.wrapping_mul(2).wrapping_add(1);
        let mut rest = bytes.as_ref();
        while !rest.is_empty() {
            // A linear congruential generator: all that is asked of it is to be the same for the same seed.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (piece, left) = rest.split_at(rest.len().min(1 + (state >> 33) as usize % len_max));
            self.send(piece);
            rest = left;
        }
    }

    /// Sends a frame.
    #[track_caller]
    pub fn send_frame(&mut self, frame: &Frame) {
        self.send(frame.encode());
    }

    /// Sends `bytes` again and again until the peer and both kernels take no more because nobody reads, or until `limit`
    /// is reached; how many bytes that were. The last repetition may be cut.
    ///
    /// The peer is given `pause` to take more before it counts as one that does not.
    #[track_caller]
    pub fn send_until_stalled(&mut self, bytes: &[u8], limit: usize, pause: Duration) -> usize {
        let sent = self.try_send_until_stalled(bytes, limit, pause);
        sent.unwrap_or_else(|error| panic!("the peer is gone: {error}"))
    }

    /// The same with a peer that may go.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn try_send_until_stalled(
        &mut self,
        bytes: &[u8],
        limit: usize,
        pause: Duration,
    ) -> std::io::Result<usize> {
        self.socket().set_write_timeout(Some(pause)).expect("a pause is not zero");
        let mut sent = 0;
        while sent < limit {
            match self.transport.write(&bytes[sent % bytes.len()..]) {
                Ok(taken) => sent += taken,
                Err(error) if is_time_out(&error) => break,
                Err(error) => return Err(error),
            }
        }
        self.socket().set_write_timeout(Some(PATIENCE)).expect("patience is not zero");
        Ok(sent)
    }

    /// Ends our direction: FIN behind everything that was sent, over TLS with close_notify.
    pub fn finish(&mut self) {
        drop(self.transport.finish()); // fails only where the peer is gone altogether
    }

    /// Ends our direction of TCP, and says nothing of it in TLS.
    pub fn cut(&mut self) {
        drop(self.socket().shutdown(Shutdown::Write)); // as above
    }

    /// Sends these bytes as one record of TLS, of which only so many bytes go out.
    #[track_caller]
    pub fn send_cut_record(&mut self, bytes: impl AsRef<[u8]>, len: usize) {
        self.transport.write_cut_record(bytes.as_ref(), len).expect("the peer takes it");
    }

    /// Sends bytes past TLS.
    #[track_caller]
    pub fn send_past_tls(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket().write_all(bytes.as_ref()).expect("the peer takes it");
    }

    /// Ends both directions, for all handles.
    pub fn hang_up(&mut self) {
        drop(self.socket().shutdown(Shutdown::Both)); // fails only where the peer has hung up before
    }

    /// Reads no more, without telling the peer.
    pub fn stop_reading(&mut self) {
        self.socket().shutdown(Shutdown::Read).expect("a connected socket can be shut down");
    }

    /// Drops the connection with a reset.
    pub fn reset(self) {
        if let Some(answers) = &self.answers {
            answers.release(self.local_address());
        }
        SockRef::from(self.socket()).set_linger(Some(Duration::ZERO)).expect("a socket takes SO_LINGER");
    }

    /// Exactly so many bytes.
    #[track_caller]
    pub fn read_exact(&mut self, len: usize) -> Vec<u8> {
        let deadline = Deadline::patient();
        while self.ahead.len() < len {
            self.read_more(&deadline, &format!("{len} bytes"));
        }
        self.take(len)
    }

    /// The bytes up to the next one that is `end`, which is taken as well.
    #[track_caller]
    pub fn read_until(&mut self, end: u8) -> Vec<u8> {
        let deadline = Deadline::patient();
        let mut searched = 0;
        loop {
            if let Some(at) = self.ahead[searched..].iter().position(|byte| *byte == end) {
                let bytes = self.take(searched + at);
                self.take(1);
                return bytes;
            }
            searched = self.ahead.len();
            self.read_more(&deadline, "the end of a frame");
        }
    }

    /// What has arrived, at least one byte, at most `limit` of them.
    #[track_caller]
    pub fn read_some(&mut self, limit: usize) -> Vec<u8> {
        if self.ahead.is_empty() {
            self.read_more(&Deadline::patient(), "bytes");
        }
        self.take(self.ahead.len().min(limit))
    }

    /// As [`read_some`](Self::read_some) without a limit, or `None` at the end, whichever kind of end it is.
    #[track_caller]
    pub fn read_some_or_end(&mut self) -> Option<Vec<u8>> {
        if self.ahead.is_empty() && self.poll(&Deadline::patient(), "bytes").is_some() {
            return None;
        }
        Some(std::mem::take(&mut self.ahead))
    }

    /// Takes at most so many bytes out of the socket, over plain TCP: what is left there holds the peer up. How many
    /// came.
    #[track_caller]
    pub fn read_no_more_than(&mut self, len: usize) -> usize {
        let mut bytes = vec![0; len];
        self.socket().set_read_timeout(Some(PATIENCE)).expect("patience is not zero");
        let came = self.socket().read(&mut bytes).unwrap_or_else(|error| panic!("no bytes: {error}"));
        self.ahead.extend_from_slice(&bytes[..came]);
        came
    }

    /// Puts bytes back in front of what is read next.
    pub fn put_back(&mut self, bytes: &[u8]) {
        self.ahead.splice(..0, bytes.iter().copied());
    }

    /// Waits so long for something to arrive. `true`: nothing did, neither bytes nor an end. A way to send slowly while
    /// listening; as proof that nothing comes it would be worth nothing.
    #[track_caller]
    pub fn is_silent_for(&mut self, pause: Duration) -> bool {
        let deadline = Deadline::after(pause);
        while self.ahead.is_empty() {
            let Some(left) = deadline.left() else { return true };
            match self.receive(left) {
                Ok(None) => {}
                Err(error) if is_time_out(&error) => return true,
                Ok(Some(_)) | Err(_) => return false,
            }
        }
        false
    }

    /// The next HTTP head.
    #[track_caller]
    pub fn read_head(&mut self) -> Head {
        let deadline = Deadline::patient();
        let end = loop {
            if let Some(at) = self.ahead.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            self.read_more(&deadline, "an HTTP head");
        };
        let head = Head::parse(&self.take(end));
        if let Some(answers) = self.answers.as_ref().filter(|_| head.is_last_of_its_request()) {
            answers.count(self.local_address());
        }
        head
    }

    /// The next HTTP response: its head, and the body that its `Content-Length` announces.
    #[track_caller]
    pub fn read_response(&mut self) -> (Head, String) {
        let head = self.read_head();
        let len = head.field("Content-Length").map_or(0, |len| len.parse().expect("a length is a number"));
        let body = self.read_exact(len);
        (head, String::from_utf8_lossy(&body).into_owned())
    }

    /// The next frame, whole.
    #[track_caller]
    pub fn read_frame(&mut self) -> Frame {
        let deadline = Deadline::patient();
        loop {
            if let Some((frame, len)) = Frame::parse(&self.ahead) {
                self.take(len);
                if let Some(answers) = self.answers.as_ref().filter(|_| tells_of_a_fault(&frame)) {
                    answers.hold(&self.transport);
                }
                return frame;
            }
            self.read_more(&deadline, "a frame");
        }
    }

    /// The next message, put together: its opcode and payload. A control frame in between is not expected.
    #[track_caller]
    pub fn read_message(&mut self) -> (u8, Vec<u8>) {
        let Frame { fin, opcode, mut payload, .. } = self.read_data_frame();
        let mut ended = fin;
        while !ended {
            let next = self.read_data_frame();
            assert_eq!(next.opcode, 0, "a message inside a message");
            payload.extend(next.payload);
            ended = next.fin;
        }
        (opcode, payload)
    }

    /// The payload of the next messages until there are `len` bytes of it.
    #[track_caller]
    pub fn read_payload(&mut self, len: usize) -> Vec<u8> {
        let mut payload = Vec::with_capacity(len);
        while payload.len() < len {
            payload.extend(self.read_message().1);
        }
        payload
    }

    /// A Close with this code, then FIN, which is answered with ours: the gateway has answered our Close, or waits for
    /// none.
    #[track_caller]
    pub fn expect_close(&mut self, code: u16) {
        self.expect_close_frame(code);
        self.expect_fin();
        self.finish();
    }

    /// A Close with this code and then FIN, both answered as a client does.
    #[track_caller]
    pub fn expect_close_then_answer(&mut self, code: u16) {
        let close = self.expect_close_frame(code);
        self.send_frame(&close.masked());
        self.expect_fin();
        self.finish();
    }

    /// A Close with this code.
    #[track_caller]
    pub fn expect_close_frame(&mut self, code: u16) -> Frame {
        let frame = self.read_frame();
        assert_eq!(frame.close_code(), Some(code), "{frame:?}");
        frame
    }

    /// FIN, and nothing before it.
    #[track_caller]
    pub fn expect_fin(&mut self) {
        let rest = self.read_to_fin();
        assert!(rest.is_empty(), "{} bytes before the end: {}", rest.len(), show(&rest));
    }

    /// Everything up to FIN. A reset is a failure.
    #[track_caller]
    pub fn read_to_fin(&mut self) -> Vec<u8> {
        let (bytes, finish) = self.read_to_end();
        assert_eq!(finish, Finish::Fin, "after {} bytes: {}", bytes.len(), show(&bytes));
        bytes
    }

    /// Everything until the peer ends its direction, and how it does.
    #[track_caller]
    pub fn read_to_end(&mut self) -> (Vec<u8>, Finish) {
        let deadline = Deadline::patient();
        loop {
            match self.poll(&deadline, "the end") {
                Some(finish) => return (std::mem::take(&mut self.ahead), finish),
                None => assert!(self.ahead.len() < RECEIVED_MAX, "it never ends"),
            }
        }
    }

    /// That the peer ends TLS with an alert, and has sent no data before it; what the alert says.
    #[track_caller]
    pub fn expect_alert(&mut self) -> String {
        let deadline = Deadline::patient();
        while let Some(left) = deadline.left() {
            match self.receive(left) {
                Ok(None) => {}
                Ok(Some(finish)) => panic!("{finish:?} where an alert was expected"),
                Err(error) if is_time_out(&error) || error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    assert!(self.ahead.is_empty(), "before it: {}", show(&self.ahead));
                    let text = error.to_string();
                    assert!(text.contains("alert"), "{text}");
                    return text;
                }
            }
        }
        panic!("no alert within {PATIENCE:?}");
    }

    #[track_caller]
    fn read_data_frame(&mut self) -> Frame {
        let frame = self.read_frame();
        assert!(!frame.is_control(), "a message was expected and not {frame:?}");
        frame
    }

    #[track_caller]
    fn read_more(&mut self, deadline: &Deadline, wanted: &str) {
        if let Some(finish) = self.poll(deadline, wanted) {
            panic!("{finish:?} where {wanted} was expected; before it: {}", show(&self.ahead));
        }
    }

    /// Waits for more bytes, or for the end.
    #[track_caller]
    fn poll(&mut self, deadline: &Deadline, wanted: &str) -> Option<Finish> {
        let before = self.ahead.len();
        while self.ahead.len() == before {
            let Some(left) = deadline.left() else {
                panic!("no {wanted} within {PATIENCE:?}; so far: {}", show(&self.ahead));
            };
            match self.receive(left) {
                Ok(None) => {}
                Ok(finish) => return finish,
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                    return Some(Finish::Reset);
                }
                Err(error) if is_time_out(&error) || error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("no {wanted}: {error}"),
            }
        }
        None
    }

    /// Takes what arrives within that time, if it is data, and tells of an end.
    fn receive(&mut self, wait: Duration) -> std::io::Result<Option<Finish>> {
        self.socket().set_read_timeout(Some(wait)).expect("a time to wait is not zero");
        Ok(self.transport.read(&mut self.ahead)?.map(|ended| match ended {
            Ended::Whole => Finish::Fin,
            Ended::Cut => Finish::Cut,
        }))
    }

    /// Takes bytes from the front; what stays behind holds no more memory than it needs, so that thousands of quiet
    /// wires are small.
    fn take(&mut self, len: usize) -> Vec<u8> {
        let rest = self.ahead.split_off(len);
        std::mem::replace(&mut self.ahead, rest)
    }
}

/// Whether it is a Close for a fault of whoever is told: of the protocol, the type of data, text, policy, or a size.
fn tells_of_a_fault(frame: &Frame) -> bool {
    const FAULTS: [u16; 5] = [1002, 1003, 1007, 1008, 1009];
    frame.opcode == opcode::CLOSE && frame.close_code().is_some_and(|code| FAULTS.contains(&code))
}

/// What a socket with a time-out answers when it has passed.
fn is_time_out(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Bytes that no test expects before an end: a peer that floods instead of ending is found out.
const RECEIVED_MAX: usize = 256 << 20;

/// Enough of `bytes` for a message to a human being.
fn show(bytes: &[u8]) -> String {
    const SHOWN: usize = 200;
    let more = if bytes.len() > SHOWN { "…" } else { "" };
    format!("{} bytes \"{}{more}\"", bytes.len(), bytes[..bytes.len().min(SHOWN)].escape_ascii())
}
