//! TLS that goes on in another process: its keys are taken out of rustls, written down, and taken up.

use std::io;
use std::mem;

use rustls::CipherSuite;
use tokio::io::{AsyncRead, AsyncWrite};

use super::records::{self, Records};
use super::{Held, Protocol, RECORDS_BYTES, TlsSocket, by_rustls};
use crate::handover::record::{self, Octets};

impl<S: AsyncRead + AsyncWrite + Unpin> TlsSocket<S> {
    /// Whether its keys can go to another process.
    pub(crate) fn may_move(&self) -> bool {
        match &self.protocol {
            Protocol::Rustls(tls) => {
                self.is_extractable && tls.negotiated_cipher_suite().is_some_and(records::can_move)
            }
            Protocol::Records(_) => true,
            Protocol::Lost => false,
        }
    }

    /// Takes the keys out of rustls, if that has not happened before: from now on it could go on anywhere, and does so
    /// here until it is told otherwise. For one that [may move](Self::may_move).
    ///
    /// What rustls still has to send, such as tickets, is made into records first. A handshake message that the last
    /// record has cut in two would be lost with rustls; the only one there may be, a KeyUpdate, has five bytes, and
    /// nobody cuts it.
    ///
    /// # Errors
    /// What was read is no TLS; the next read says so, too.
    pub(crate) fn free_keys(&mut self) -> io::Result<()> {
        let Protocol::Rustls(tls) = &mut self.protocol else { return Ok(()) };
        by_rustls::seal(tls, &mut self.held, |_| Ok(0))?;
        if let Protocol::Rustls(tls) = mem::replace(&mut self.protocol, Protocol::Lost) {
            self.protocol = Protocol::Records(Records::of(tls).map_err(io::Error::other)?);
        }
        Ok(())
    }

    /// As it is written down for another process; `None`: its [keys are not free](Self::free_keys).
    pub(crate) fn write_down(&self) -> Option<record::Tls> {
        let Protocol::Records(records) = &self.protocol else { return None };
        let (suite, opening, sealing) = records.write_down();
        let Held { incoming, opened, outgoing, gone, read_ended, write_ended } = &self.held;
        Some(record::Tls {
            suite,
            opening,
            sealing,
            incoming: Octets(incoming.to_vec()),
            opened: Octets(opened.to_vec()),
            outgoing: Octets(outgoing[*gone..].to_vec()),
            read_ended: *read_ended,
            write_ended: *write_ended,
        })
    }

    /// Takes up what another process has written down.
    ///
    /// # Errors
    /// Nobody can have written it down.
    pub(crate) fn take_up(socket: S, written: record::Tls) -> Result<Self, &'static str> {
        let record::Tls { suite, opening, sealing, incoming, opened, outgoing, read_ended, write_ended } =
            written;
        let (Octets(incoming), Octets(opened), Octets(outgoing)) = (incoming, opened, outgoing);
        if [&incoming, &opened, &outgoing].iter().any(|bytes| bytes.len() > 2 * RECORDS_BYTES) {
            return Err("TLS holds more than it can");
        }
        let records = Records::new(CipherSuite::from(suite), opening, sealing)?;
        Ok(Self {
            socket,
            protocol: Protocol::Records(records),
            is_extractable: true,
            held: Held {
                incoming: incoming.into(),
                opened: opened.into(),
                outgoing: outgoing.into(),
                gone: 0,
                read_ended,
                write_ended,
            },
        })
    }

    /// Whether it has come to the last of its keys, and should end while they serve.
    pub(crate) const fn is_spent(&self) -> bool {
        match &self.protocol {
            Protocol::Records(records) => records.is_spent(),
            Protocol::Rustls(_) | Protocol::Lost => false,
        }
    }
}
