//! Where local connections come in.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::time::sleep;

use crate::io::{Socket, tune};
use crate::listener::unix::{self, SocketFile, UnixError};

/// How long accepting rests after the system had no descriptor or memory for a connection.
const BACK_OFF: Duration = Duration::from_millis(100);

/// The user of the process, and nobody else.
const SOCKET_MODE: u32 = 0o600;

/// What stands in place of LISTEN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ListenAt {
    /// `tcp://HOST:PORT`.
    Tcp(String),
    /// `unix:PATH`.
    Unix(PathBuf),
    /// `unix:@NAME`, a name of Linux's abstract namespace.
    Abstract(String),
    /// `stdio:`, standard input and output.
    Stdio,
}

/// It is none of these.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is nothing to listen at: write tcp://HOST:PORT, unix:PATH or stdio:")]
pub(super) struct NoListener(String);

/// A listening socket.
#[derive(Debug)]
pub(super) enum Listening {
    Tcp(TcpListener),
    /// With the file, where there is one: dropping it removes it.
    Unix {
        listener: UnixListener,
        _file: Option<SocketFile>,
    },
}

/// Why it cannot listen. The operator's fault.
#[derive(Debug, thiserror::Error)]
pub(super) enum BindError {
    /// A TCP address.
    #[error("cannot listen on tcp://{at}: {error}")]
    Tcp {
        /// As it was written.
        at: String,
        /// What the system says.
        error: io::Error,
    },
    /// A Unix socket.
    #[error(transparent)]
    Unix(#[from] UnixError),
    /// A name of the abstract namespace.
    #[error("cannot listen on unix:@{name}: {error}")]
    Abstract {
        /// The name, without the at sign.
        name: String,
        /// What the system says.
        error: io::Error,
    },
}

impl FromStr for ListenAt {
    type Err = NoListener;

    fn from_str(text: &str) -> Result<Self, NoListener> {
        let none = || NoListener(text.to_owned());
        if text == "stdio:" {
            return Ok(Self::Stdio);
        }
        if let Some(address) = text.strip_prefix("tcp://") {
            let (host, port) = address.rsplit_once(':').ok_or_else(none)?;
            let is_port = port.bytes().all(|digit| digit.is_ascii_digit()) && port.parse::<u16>().is_ok();
            return if is_port && !host.is_empty() { Ok(Self::Tcp(address.to_owned())) } else { Err(none()) };
        }
        match text.strip_prefix("unix:").ok_or_else(none)? {
            "" | "@" => Err(none()),
            path => Ok(path
                .strip_prefix('@')
                .map_or_else(|| Self::Unix(path.into()), |name| Self::Abstract(name.to_owned()))),
        }
    }
}

impl Listening {
    /// Binds. `None` for `stdio:`, which is open already.
    pub(super) async fn bind(at: &ListenAt) -> Result<Option<Self>, BindError> {
        Ok(Some(match at {
            ListenAt::Stdio => return Ok(None),
            ListenAt::Tcp(at) => {
                let failed = |error| BindError::Tcp { at: at.clone(), error };
                Self::Tcp(TcpListener::bind(at).await.map_err(failed)?)
            }
            ListenAt::Unix(path) => {
                let (listener, file) = unix::listen(path, SOCKET_MODE)?;
                let failed = |error| UnixError::System { action: "listen on", path: path.clone(), error };
                Self::Unix { listener: UnixListener::from_std(listener).map_err(failed)?, _file: Some(file) }
            }
            ListenAt::Abstract(name) => {
                let listen = || UnixListener::from_std(unix::listen_abstract(name)?);
                let failed = |error| BindError::Abstract { name: name.clone(), error };
                Self::Unix { listener: listen().map_err(failed)?, _file: None }
            }
        }))
    }

    /// The TCP address, where it is one.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix { .. } => None,
        }
    }

    /// The next local connection.
    pub(super) async fn accept(&self) -> Socket {
        loop {
            let accepted = match self {
                Self::Tcp(listener) => listener.accept().await.map(|(socket, _)| plain(socket)),
                Self::Unix { listener, .. } => {
                    listener.accept().await.map(|(socket, _)| Socket::Unix(socket))
                }
            };
            match accepted {
                Ok(socket) => return socket,
                Err(error) => {
                    tracing::warn!("cannot accept a local connection: {error}");
                    sleep(BACK_OFF).await; // nothing tells when there is a descriptor again
                }
            }
        }
    }
}

/// As it is written on the command line; with the port that a 0 there has become.
impl fmt::Display for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(listener) => match listener.local_addr() {
                Ok(address) => write!(f, "tcp://{address}"),
                Err(_) => f.write_str("tcp:"),
            },
            Self::Unix { listener, .. } => match listener.local_addr() {
                Ok(address) => match (address.as_pathname(), address.as_abstract_name()) {
                    (Some(path), _) => write!(f, "unix:{}", path.display()),
                    (None, name) => write!(f, "unix:@{}", String::from_utf8_lossy(name.unwrap_or_default())),
                },
                Err(_) => f.write_str("unix:"),
            },
        }
    }
}

fn plain(socket: TcpStream) -> Socket {
    tune(&socket);
    Socket::Plain(socket)
}

/// Ends a local connection that gets no WebSocket; one over TCP with a reset, so that it does not look like an empty
/// answer.
pub(super) fn refuse(local: Socket) {
    if let Socket::Plain(socket) = &local
        && let Err(error) = socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO))
    {
        tracing::debug!(%error, "socket option refused");
    }
    drop(local);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_to_listen() {
        for (text, at) in [
            ("stdio:", ListenAt::Stdio),
            ("tcp://127.0.0.1:0", ListenAt::Tcp("127.0.0.1:0".into())),
            ("tcp://[::1]:80", ListenAt::Tcp("[::1]:80".into())),
            ("unix:/run/a.sock", ListenAt::Unix("/run/a.sock".into())),
            ("unix:@name", ListenAt::Abstract("name".into())),
        ] {
            assert_eq!(text.parse(), Ok(at));
        }
        for text in [
            "",
            "stdio",
            "127.0.0.1:80",
            "tcp://:80",
            "tcp://a",
            "tcp://a:+1",
            "tcp://a:65536",
            "unix:",
            "unix:@",
        ] {
            assert_eq!(text.parse::<ListenAt>(), Err(NoListener(text.into())));
        }
    }
}
