//! A relay that stands still between two turns: written down for another process, or taken up from one.
//!
//! Between two turns a connection is what stands in [`Relay`] and nothing else: the buffer of the worker is empty, a cut
//! header is kept, and what a socket could not take waits. So any byte is a good place to stop. A relay whose closing
//! has begun stays where it is, and ends there within seconds.

#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tidegate_proto::{Closing, Role};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::budget::Held;
use super::compressed::Compression;
use super::echo::Echo;
use super::endpoint::Endpoint;
use super::hybi00::Hybi00;
use super::keepalive::Keepalive;
use super::leg::Leg;
use super::rate::ControlRate;
use super::tcp::Tcp;
use super::turns::Turns;
use super::{Far, Owner, Relay};
use crate::clock;
use crate::handover::capabilities::{Capabilities, DEFLATE, HYBI_00, TLS_1_3};
use crate::handover::{MoveRequest, Record, StayReason, record};
use crate::live::{Orders, Registered};
use crate::metrics::{Meter, Traffic};

/// What the relay is told after it was written down.
pub(super) type Verdict = oneshot::Receiver<()>;

/// Why a relay that was written down cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    /// Whichever of the two is the right one, there must not be both.
    #[error("a session of its number is open here already")]
    Twice,
    /// No relay can be in such a state.
    #[error("no relay can be in this state: {0}")]
    State(&'static str),
    /// Not as many sockets came along as it has.
    #[error("it came with {0} sockets")]
    Sockets(usize),
    /// A socket that the system does not let us use.
    #[error("its socket cannot be used: {0}")]
    Socket(#[from] io::Error),
}

/// Completes with whether another process has the session now; if not, it is to go on.
pub(super) fn poll_moved(verdict: &mut Verdict, cx: &mut Context<'_>) -> Poll<bool> {
    Pin::new(verdict).poll(cx).map(|told| told.is_ok())
}

impl Relay {
    /// Answers a request to be moved. What is returned says what becomes of it; until then the sockets must not be touched.
    pub(super) fn prepare_move(&mut self, request: MoveRequest, owner: &impl Owner) -> Option<Verdict> {
        let now = clock::now();
        if let Err(reason) = self.may_move(request.capabilities) {
            request.refuse(reason);
            return None;
        }
        if self.gather().is_err() {
            request.refuse(StayReason::Closing);
            return None;
        }
        let Ok(descriptors) = self.descriptors() else {
            request.refuse(StayReason::NoDescriptors);
            return None;
        };
        request.freeze(&self.write_down(now, owner.line()), descriptors, now)
    }

    /// Closes the sockets as they are; what is left of it.
    pub(super) fn into_registered(self) -> Registered {
        self.live
    }

    fn gather(&mut self) -> io::Result<()> {
        self.client.leg.gather()?;
        self.far.leg_mut().map_or(Ok(()), Leg::gather)
    }

    fn may_move(&self, capabilities: Capabilities) -> Result<(), StayReason> {
        if self.end.is_some() || self.panicked || self.last_words_until.is_some() {
            return Err(StayReason::Closing);
        }
        if self.tape.is_some() || self.ticker.is_some() {
            return Err(StayReason::Recorded);
        }
        if let Some(compression) = &self.compression {
            compression.may_move(&self.client.receiver, capabilities)?;
        }
        if self.hybi00.is_some() && !capabilities.hybi00 {
            return Err(StayReason::Hybi00);
        }
        self.client.may_move(capabilities)?;
        match &self.far {
            Far::Echo(_) => Ok(()),
            Far::Tcp(tcp) => tcp.leg.may_move(capabilities),
            Far::WebSocket(backend) => backend.may_move(capabilities),
        }
    }

    fn descriptors(&mut self) -> io::Result<Vec<OwnedFd>> {
        let mut descriptors = vec![self.client.leg.descriptor()?];
        if let Some(leg) = self.far.leg_mut() {
            descriptors.push(leg.descriptor()?);
        }
        Ok(descriptors)
    }

    fn write_down(&mut self, now: Instant, line: record::Line) -> Record {
        let live = &*self.live;
        let about = record::About {
            conn: live.about.conn,
            route: live.about.route.name.clone(),
            client: live.about.client,
            port: live.about.port,
            hybi00: live.about.hybi00,
            backend: live.about.backend.as_deref().map(ToOwned::to_owned),
            subprotocol: live.about.subprotocol.as_deref().map(ToOwned::to_owned),
        };
        let relay = record::Relay {
            client: self.client.write_down(now),
            far: match &mut self.far {
                Far::Echo(echo) => record::Far::Echo { open: echo.is_open() },
                Far::Tcp(tcp) => record::Far::Tcp(tcp.write_down(now)),
                Far::WebSocket(backend) => record::Far::WebSocket(backend.write_down(now)),
            },
            keepalive: self.keepalive.write_down(now),
            tokens: self.rate.left(now),
            half_closed_for: self.half_closed_since.map(|since| now.saturating_duration_since(since)),
            hybi00: self.hybi00.as_ref().map(|hybi00| hybi00.write_down()),
            deflate: self.compression.as_ref().map(|compression| compression.write_down()),
        };
        Record {
            format: record::FORMAT,
            needs: needs_of(&relay),
            about,
            age: now.saturating_duration_since(self.live.since),
            counts: self.live.traffic.counts().into(),
            orders: self.orders.iter().map(|order| order.write(now)).collect(),
            line,
            relay,
        }
    }

    /// Takes up a relay that another process has written down, in the runtime of this thread.
    pub(super) fn take_up(
        written: record::Relay,
        descriptors: Vec<OwnedFd>,
        live: Registered,
        traffic: Arc<Traffic>,
    ) -> Result<Self, Unfit> {
        let now = clock::now();
        let count = descriptors.len();
        let mut descriptors = descriptors.into_iter();
        let mut next = || descriptors.next().ok_or(Unfit::Sockets(count));
        let keepalive = Keepalive::take_up(written.keepalive);
        let ping = keepalive.payload();
        let mut client = Endpoint::take_up(written.client, next()?, Role::Server, ping)?;
        let far = match written.far {
            record::Far::Echo { open } => Far::Echo(Echo::going_on(open)),
            record::Far::Tcp(tcp) => Far::Tcp(Box::new(Tcp::take_up(tcp, next()?)?)),
            record::Far::WebSocket(backend) => {
                Far::WebSocket(Box::new(Endpoint::take_up(backend, next()?, Role::Client, ping)?))
            }
        };
        if descriptors.next().is_some() {
            return Err(Unfit::Sockets(count));
        }
        debug_assert_eq!(client.closing, Closing::default(), "a relay that closes is not written down");
        let compression =
            written.deflate.map(|deflate| Compression::take_up(&deflate, &mut client, &far)).transpose()?;
        let hybi00 = written.hybi00.map(|hybi00| Hybi00::take_up(hybi00, &mut client)).transpose()?;
        if compression.is_some() && hybi00.is_some() {
            return Err(Unfit::State("hybi-00 has no compression"));
        }
        Ok(Self {
            client,
            far,
            compression: compression.map(Box::new),
            hybi00: hybi00.map(Box::new),
            keepalive,
            rate: ControlRate::going_on(written.tokens, now),
            live,
            meter: Meter::new(traffic),
            turns: Turns::default(),
            held: Held::default(),
            orders: Orders::default(),
            end: None,
            panicked: false,
            rang: None,
            half_closed_since: written.half_closed_for.map(clock::ago),
            last_words_until: None,
            tape: None,
            ticker: None,
        })
    }
}

/// What the process that goes on with it must be capable of.
fn needs_of(relay: &record::Relay) -> Vec<String> {
    let needs = [
        (relay.client.leg.tls.is_some(), TLS_1_3),
        (relay.hybi00.is_some(), HYBI_00),
        (relay.deflate.is_some(), DEFLATE),
    ];
    needs.into_iter().filter(|(is_needed, _)| *is_needed).map(|(_, need)| need.to_owned()).collect()
}
