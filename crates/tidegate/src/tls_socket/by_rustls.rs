//! The connection as rustls drives it, from its handshake on.

use std::io;
use std::mem;

use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus, WriteTraffic};
use thin_vec::ThinVec;
use tokio::io::ReadBuf;

use super::{Held, Reader};

/// What makes records.
pub(super) type Traffic<'c> = WriteTraffic<'c, ServerConnectionData>;

/// What is to be done with records after a step.
enum Step {
    /// There may be more in them, behind this many bytes.
    Go(usize),
    /// They are at their end, or cut: more has to be read.
    Starved,
}

/// Opens records until the reader has no more room; how many bytes of them are done with.
///
/// # Errors
/// They are wrong; the client is told in what is outgoing.
pub(super) fn open_all(
    tls: &mut UnbufferedServerConnection,
    records: &mut [u8],
    held: &mut Held,
    reader: &mut Reader<'_, '_>,
) -> io::Result<usize> {
    let mut at = 0;
    while reader.has_room() {
        let UnbufferedStatus { discard, state } = tls.process_tls_records(&mut records[at..]);
        let done = state.and_then(|state| settle(state, &mut held.outgoing, &mut held.read_ended, reader));
        at += discard;
        match done {
            Ok(Step::Go(more)) => at += more,
            Ok(Step::Starved) => break,
            Err(error) => {
                say_why(tls, &mut held.outgoing);
                return Err(broken(error));
            }
        }
    }
    Ok(at)
}

/// After an error: has the alert made ready to be sent, and what of the handshake stands before it. Nothing is read for
/// that: a second look at the record that was wrong would find it wrong once more.
fn say_why(tls: &mut UnbufferedServerConnection, outgoing: &mut ThinVec<u8>) {
    while tls.wants_write() {
        let UnbufferedStatus { state, .. } = tls.process_tls_records(&mut []);
        let Ok(ConnectionState::EncodeTlsData(mut data)) = state else { return };
        append(outgoing, |room| data.encode(room));
    }
}

/// Makes records, once everything is out of the way that stands before them. What is opened meanwhile waits for the
/// reader.
pub(super) fn seal(
    tls: &mut UnbufferedServerConnection,
    held: &mut Held,
    make: impl FnOnce(&mut Traffic<'_>) -> Result<usize, EncryptError>,
) -> io::Result<usize> {
    let mut incoming = mem::take(&mut held.incoming);
    let mut at = 0;
    let sealed = loop {
        let UnbufferedStatus { discard, state } = tls.process_tls_records(&mut incoming[at..]);
        let state = state.map_err(broken)?;
        if let ConnectionState::WriteTraffic(mut traffic) = state {
            at += discard;
            break make(&mut traffic).map_err(io::Error::other);
        }
        let mut reader = Reader { into: &mut ReadBuf::new(&mut []), rest: &mut held.opened };
        let done = settle(state, &mut held.outgoing, &mut held.read_ended, &mut reader);
        match done.map_err(broken)? {
            Step::Go(more) => at += discard + more,
            Step::Starved => break Err(io::ErrorKind::BrokenPipe.into()),
        }
    };
    if at > 0 {
        incoming.drain(..at);
    }
    held.incoming = incoming;
    sealed
}

/// Does what a state of the protocol demands.
fn settle(
    state: ConnectionState<'_, '_, ServerConnectionData>,
    outgoing: &mut ThinVec<u8>,
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
fn append(to: &mut ThinVec<u8>, mut encode: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>) {
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
