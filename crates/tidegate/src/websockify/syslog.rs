//! Log lines for a syslog server, each a datagram of its own (RFC 5424, or RFC 3164 without its time and host).
//!
//! Nothing waits for the server: what it does not take at once is lost.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::{Layer as _, fmt};

use super::args::PROGRAM;
use crate::clock;
use crate::diagnosis::Sink;

/// How a message looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    /// The one of RFC 3164.
    pub(super) legacy: bool,
    /// From the facility for daemons, not from that for users.
    pub(super) daemon: bool,
}

/// A sink for this server: `HOST:PORT` over UDP, or the path of a Unix socket.
///
/// # Errors
/// There is no such host, or no socket to be had.
pub(super) fn sink(server: &str, form: Form) -> io::Result<Sink> {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let messages = Messages { server: Server::new(server)?, form, host };
    let layer = fmt::layer().without_time().with_level(false).with_target(false).with_ansi(false);
    Ok(layer.with_writer(messages).boxed())
}

#[derive(Debug)]
struct Messages {
    server: Server,
    form: Form,
    host: String,
}

#[derive(Debug)]
enum Server {
    Udp(UdpSocket, SocketAddr),
    /// Named anew for each message: it may be another socket after a restart of the server.
    Unix(UnixDatagram, PathBuf),
}

/// One message under way.
struct Message<'a> {
    messages: &'a Messages,
    severity: u8,
}

impl Server {
    fn new(text: &str) -> io::Result<Self> {
        if !text.contains(':') {
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            return Ok(Self::Unix(socket, std::path::absolute(text)?));
        }
        let nowhere = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        let address = text.to_socket_addrs()?.next().ok_or_else(nowhere)?;
        let own: SocketAddr = if address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0; 8], 0).into() };
        let socket = UdpSocket::bind(own)?;
        socket.set_nonblocking(true)?;
        Ok(Self::Udp(socket, address))
    }

    fn send(&self, message: &[u8]) -> io::Result<usize> {
        match self {
            Self::Udp(socket, address) => socket.send_to(message, address),
            Self::Unix(socket, path) => socket.send_to(message, path),
        }
    }
}

impl Messages {
    fn encode(&self, severity: u8, text: &str) -> String {
        const USER: u8 = 1;
        const DAEMON: u8 = 3;
        let facility = if self.form.daemon { DAEMON } else { USER };
        let (priority, process) = (facility * 8 + severity, std::process::id());
        let text = text.trim_end();
        let text = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
        if self.form.legacy {
            return format!("<{priority}>{PROGRAM}[{process}]: {text}");
        }
        let time = humantime::format_rfc3339_millis(clock::wall());
        let host = if self.host.is_empty() { "-" } else { &self.host };
        format!("<{priority}>1 {time} {host} {PROGRAM} {process} - - {text}")
    }
}

impl<'a> MakeWriter<'a> for Messages {
    type Writer = Message<'a>;

    fn make_writer(&'a self) -> Message<'a> {
        Message { messages: self, severity: severity(Level::INFO) }
    }

    fn make_writer_for(&'a self, about: &Metadata<'_>) -> Message<'a> {
        Message { messages: self, severity: severity(*about.level()) }
    }
}

impl io::Write for Message<'_> {
    /// Takes one line as a whole.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let message = self.messages.encode(self.severity, &String::from_utf8_lossy(line));
        drop(self.messages.server.send(message.as_bytes())); // there is nobody to tell of it
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// RFC 5424 §6.2.1.
fn severity(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

/// What any server takes over UDP (RFC 5424 §6.1 wants 2048 at least), with room for the head.
const TEXT_BYTES_MAX: usize = 1800;

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(legacy: bool, daemon: bool) -> Messages {
        let server = Server::new("127.0.0.1:9").unwrap();
        Messages { server, form: Form { legacy, daemon }, host: "box".to_owned() }
    }

    #[test]
    fn both_forms() {
        let pid = std::process::id();
        assert_eq!(messages(true, false).encode(6, "hello\n"), format!("<14>websockify[{pid}]: hello"));
        let message = messages(false, true).encode(3, "hello");
        let (head, rest) = message.split_once(' ').unwrap();
        assert_eq!(head, "<27>1");
        let (time, rest) = rest.split_once(' ').unwrap();
        assert!(humantime::parse_rfc3339(time).is_ok(), "{time}");
        assert_eq!(rest, format!("box websockify {pid} - - hello"));
    }

    #[test]
    fn a_message_is_no_longer_than_a_server_takes() {
        let message = messages(false, true).encode(3, &"ä".repeat(TEXT_BYTES_MAX));
        assert!(message.len() < 2048, "{}", message.len());
    }
}
