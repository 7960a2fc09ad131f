//! The end of a hybi-00 handshake: eight bytes that follow the request, and sixteen that answer them.
//!
//! The 101 is not held back for them: proxies exist that pass on what follows a request only when they have seen it.

use std::io;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tidegate_proto::hybi00::handshake::Key3;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::clock::timeout;
use crate::drain::Drain;
use crate::io::Socket;
use crate::opening::Hybi00;

/// Why the handshake came to no end. The client's fault, but for the last.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unproven {
    /// They did not come in time, or the client did not take the answer.
    #[error("the eight bytes behind the request did not come in time")]
    Overdue,
    /// The client ended before they were there.
    #[error("the client ended before the eight bytes behind its request")]
    Ended,
    /// Its connection broke.
    #[error("the connection broke before the handshake was complete: {0}")]
    Lost(#[from] io::Error),
    /// The gateway is stopping.
    #[error("the gateway was stopped before the handshake was complete")]
    Drained,
}

/// Reads what is missing of the request and writes what is missing of the answer, within `budget`. Returns the bytes that
/// were read behind the handshake.
pub(crate) async fn give(
    socket: &mut Socket,
    early: Bytes,
    opening: &Hybi00,
    budget: Duration,
    drain: &Drain,
) -> Result<Bytes, Unproven> {
    tokio::select! {
        proven = timeout(budget, exchange(socket, early, opening)) => proven.unwrap_or(Err(Unproven::Overdue)),
        () = drain.started() => Err(Unproven::Drained),
    }
}

async fn exchange(socket: &mut Socket, mut early: Bytes, opening: &Hybi00) -> Result<Bytes, Unproven> {
    let mut key3 = Key3::default();
    early.advance(key3.push(&early));
    let key3 = loop {
        if let Some(key3) = key3.get() {
            break key3;
        }
        // One byte at a time: what follows them is frames, and the relay's to read.
        let mut byte = [0];
        if socket.read(&mut byte).await? == 0 {
            return Err(Unproven::Ended);
        }
        key3.push(&byte);
    };
    socket.write_all(&opening.proof(key3)).await?;
    socket.flush().await?;
    Ok(early)
}
