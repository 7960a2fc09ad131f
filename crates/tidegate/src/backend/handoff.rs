//! `handoff:unix:PATH`: another process is given the client's connection itself, once the client was told yes.
//!
//! It gets one line of JSON, [`Introduction`], whose first byte carries the descriptor (`SCM_RIGHTS`), and answers with
//! one byte. From there on it speaks with the client; the gateway has no part in it any more.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Shutdown};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::HeaderValue;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde::Serialize;
use socket2::SockRef;
use tidegate_proto::handshake::Subprotocol;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::UnixStream;

use super::{ConnectError, dial};
use crate::clock::timeout;
use crate::io::Socket;
use crate::policy::Permit;
use crate::request::Request;

/// The byte with which the other process says that the connection is its own now.
const TAKEN: u8 = b'+';

/// A process that waits for a connection.
#[derive(Debug)]
pub struct Receiver {
    socket: UnixStream,
    /// How long it may take to take it: `upgrade_timeout`.
    patience: Duration,
    introduction: Box<Introduction>,
}

/// What the other process is told. Fields may be added to it; their meaning changes only with `version`.
///
/// Bounded by what a request may be: 8 KiB of target, 32 KiB of fields and 64 KiB read ahead make less than 256 KiB.
#[derive(Debug, Serialize)]
struct Introduction {
    version: u32,
    /// Number of the connection, as in the gateway's logs.
    connection: u64,
    route: String,
    /// The request line.
    request: String,
    /// Fields as received; bytes that are not ASCII as the characters of Latin-1.
    headers: Vec<(String, String)>,
    /// The client's address, behind trusted proxies what they say.
    client: Option<IpAddr>,
    /// The far end of the connection.
    peer: String,
    /// Whether the client's own connection is TLS, as a trusted proxy in front says.
    secure: bool,
    /// What the client was answered.
    subprotocol: Option<String>,
    /// What the client sent behind its request, in base64; more is still to be read.
    read_ahead: String,
}

/// Why the other process does not have the connection, or does not say so. Its fault.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTaken {
    /// The socket that leads to it fails.
    #[error("the other process cannot be given the connection: {0}")]
    Lost(#[from] io::Error),
    /// It closed without an answer.
    #[error("the other process did not take the connection")]
    Closed,
    /// It answered with another byte.
    #[error("the other process answered with 0x{0:02x}, not with a plus sign")]
    Answered(u8),
    /// Not within `upgrade_timeout`.
    #[error("the other process did not take the connection in time")]
    Overdue,
}

/// Connects the process that is to take over.
pub(super) async fn reach(
    path: &Path,
    budget: Duration,
    permit: &Permit,
    request: &Request,
    subprotocol: Option<&Subprotocol>,
) -> Result<Receiver, ConnectError> {
    if request.arrival.tls.is_some() {
        return Err(ConnectError::Sealed); // its keys and counters are here, and a descriptor does not bring them along
    }
    let socket = dial::unix(path, &[], budget).await?;
    let route = permit.route();
    let introduction = Introduction {
        version: 1,
        connection: 0,
        route: route.name.clone(),
        request: format!("{} {} HTTP/1.1", request.method, request.canonical_target()),
        headers: request
            .fields
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), characters(value)))
            .collect(),
        client: request.via.client,
        peer: request.arrival.client.to_string(),
        secure: request.via.secure,
        subprotocol: subprotocol.map(|name| name.as_str().to_owned()),
        read_ahead: String::new(),
    };
    Ok(Receiver { socket, patience: route.upgrade_timeout, introduction: Box::new(introduction) })
}

impl Receiver {
    /// Gives it the connection of this number, with what was read of it behind the request.
    ///
    /// # Errors
    /// Why it does not have it. The connection is at its end then, whoever has a descriptor of it: the other process may
    /// have begun to speak, so nothing can be said to the client.
    pub(crate) async fn give(
        mut self,
        connection: u64,
        client: Socket,
        early: &[u8],
    ) -> Result<(), NotTaken> {
        let client = bare(client)?;
        self.introduction.connection = connection;
        self.introduction.read_ahead = STANDARD.encode(early);
        let mut line = serde_json::to_vec(&self.introduction).expect("strings and numbers can be written");
        line.push(b'\n');
        let given = timeout(self.patience, give(&mut self.socket, &line, client.as_fd())).await;
        let given = given.unwrap_or(Err(NotTaken::Overdue));
        if given.is_err() {
            // Refused only where the client has ended it already.
            SockRef::from(&client).shutdown(Shutdown::Both).ok();
        }
        given
    }
}

async fn give(socket: &mut UnixStream, line: &[u8], client: BorrowedFd<'_>) -> Result<(), NotTaken> {
    let sent = socket.async_io(Interest::WRITABLE, || send_with(socket.as_fd(), line, client)).await?;
    socket.write_all(&line[sent..]).await?;
    let mut answer = [0];
    match (socket.read(&mut answer).await?, answer) {
        (0, _) => Err(NotTaken::Closed),
        (_, [TAKEN]) => Ok(()),
        (_, [other]) => Err(NotTaken::Answered(other)),
    }
}

/// Sends the beginning of these bytes, and the descriptor with the first of them.
fn send_with(socket: BorrowedFd<'_>, bytes: &[u8], descriptor: BorrowedFd<'_>) -> io::Result<usize> {
    let descriptors = [descriptor];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fits = control.push(SendAncillaryMessage::ScmRights(&descriptors));
    debug_assert!(fits, "there is space for one descriptor");
    Ok(sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?)
}

/// The socket as the other process gets it: blocking, as most programs expect, and unknown to our event queue.
fn bare(client: Socket) -> io::Result<OwnedFd> {
    let descriptor: OwnedFd = match client {
        Socket::Plain(socket) => socket.into_std()?.into(),
        Socket::Unix(socket) => socket.into_std()?.into(),
        Socket::Tls(_) | Socket::Served(_) | Socket::ServedUnix(_) => {
            unreachable!("TLS is refused before the other process is connected")
        }
        #[cfg(any(test, fuzzing))]
        Socket::Simulated(_) => unreachable!("a simulated connection has no descriptor"),
    };
    SockRef::from(&descriptor).set_nonblocking(false)?;
    Ok(descriptor)
}

/// A value as text, whatever bytes are in it.
fn characters(value: &HeaderValue) -> String {
    value.as_bytes().iter().map(|byte| char::from(*byte)).collect()
}
