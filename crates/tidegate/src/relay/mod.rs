//! The relay: payload between two sockets, for hours, in one task.
//!
//! One future drives both directions; there is no second task, no channel and no lock. A turn reads into the worker's
//! scratch buffer, asks the protocol crate what the bytes mean, and makes one write of them. A connection owns memory
//! only while a socket cannot take its bytes, and reads nothing for that socket meanwhile.
//!
//! `tcp`, `websocket` and `echo` each hold the two directions of one kind of far side; `compressed` and `hybi00` are
//! clients that want more than frames from the gateway. How connections end is in `ending`, and is the same for all.

mod backlog;
pub(crate) mod budget;
mod bulk;
mod compressed;
mod counts;
mod directions;
mod driving;
mod echo;
mod ending;
mod endpoint;
mod frozen;
mod hybi00;
mod keepalive;
mod leg;
mod pipe;
mod rate;
#[cfg(any(test, fuzzing))]
pub(crate) mod sim;
mod tcp;
#[cfg(test)]
mod tests;
mod ticks;
mod timing;
mod turn;
mod turns;
mod websocket;

use std::sync::Arc;

use bytes::Bytes;
use tidegate_proto::{Decoder, Limits, Receiver, Reserved, Role};
use tokio::time::Instant;

use self::budget::Held;
use self::compressed::Compression;
pub(crate) use self::driving::{Standing, go_on, run};
use self::echo::Echo;
use self::endpoint::Endpoint;
pub(crate) use self::frozen::Unfit;
use self::hybi00::Hybi00;
use self::keepalive::Keepalive;
use self::leg::Leg;
pub(crate) use self::pipe::DESCRIPTORS_MAX as PIPE_DESCRIPTORS_MAX;
use self::rate::ControlRate;
use self::tcp::Tcp;
use self::turns::Turns;
pub(crate) use self::turns::attend;
use crate::backend::{Agreed, Connected};
use crate::clock;
use crate::config::Route;
use crate::handover::record::Line;
use crate::io::Socket;
use crate::live::{Orders, Registered};
use crate::metrics::{Meter, Traffic};
use crate::outcome::End;
use crate::recording::Tape;
use crate::ticker::Ticker;

/// On which terms a session is relayed.
#[derive(Debug)]
pub struct Terms<'a> {
    /// What the route says.
    pub rules: &'a Route,
    /// What gateway, client and backend have agreed on.
    pub agreed: &'a Agreed,
    /// Where it is counted.
    pub(crate) traffic: Arc<Traffic>,
    /// What records it. The recording ends with the relay.
    pub(crate) tape: Option<Box<Tape>>,
    /// What is told of each read and write.
    pub(crate) ticker: Option<Ticker>,
}

/// Whoever draws the consequences when a relay is over.
pub(crate) trait Owner: Send + Sync {
    /// What comes of it.
    type Fate;

    /// What another process has to know to write the access line in its place.
    fn line(&self) -> Line;

    /// It has ended in this way.
    fn ended(self, end: End, live: Registered) -> Self::Fate;

    /// Another process goes on with it: here it leaves no trace.
    fn moved(self, live: Registered) -> Self::Fate;
}

/// A connection under way.
#[derive(Debug)]
struct Relay {
    client: Endpoint,
    far: Far,
    /// permessage-deflate with the client, if the gateway itself agreed on it.
    compression: Option<Box<Compression>>,
    /// The client speaks hybi-00.
    hybi00: Option<Box<Hybi00>>,
    keepalive: Keepalive,
    rate: ControlRate,
    /// Who it is to the rest of the gateway, what has passed, and what it is told.
    live: Registered,
    /// What the worker counts for all sessions of the route.
    meter: Meter,
    /// When it may move something.
    turns: Turns,
    /// What waits for its sockets, as a part of what may wait on this worker.
    held: Held,
    /// What it was told so far.
    orders: Orders,
    /// The first cause of the end.
    end: Option<End>,
    /// A turn has panicked.
    panicked: bool,
    /// When the alarm rang. The sockets were asked since, and the next turn judges.
    rang: Option<Instant>,
    /// Since when the client has ended its direction while the backend may still answer.
    half_closed_since: Option<Instant>,
    /// Until when a client that broke the protocol waits for its Close; see [`Relay::let_backend_finish`].
    last_words_until: Option<Instant>,
    /// What records the session.
    tape: Option<Box<Tape>>,
    /// What is told of each read and write.
    ticker: Option<Ticker>,
}

#[derive(Debug)]
enum Far {
    Echo(Echo),
    Tcp(Box<Tcp>),
    WebSocket(Box<Endpoint>),
}

impl Relay {
    fn new(
        client: Socket,
        early: Bytes,
        far: Connected,
        rules: &Route,
        live: Registered,
        meter: Meter,
    ) -> Self {
        let reserved = match &far {
            Connected::WebSocket { reserved, .. } => *reserved,
            Connected::Echo | Connected::Tcp(_) => Reserved::None,
        };
        let limits = limits(rules, &far);
        let decoder = |role| Decoder::new(role, limits).with_reserved(reserved);
        let far = match far {
            Connected::Echo => Far::Echo(Echo::default()),
            Connected::Tcp(socket) => {
                let leg = Leg::new(socket, Bytes::new());
                Far::Tcp(Box::new(Tcp::new(leg, rules, live.about.subprotocol.as_deref())))
            }
            Connected::WebSocket { socket, early, .. } => {
                let receiver = Receiver::new(decoder(Role::Client));
                Far::WebSocket(Box::new(Endpoint::new(Leg::new(socket, early), receiver, Role::Client)))
            }
        };
        let now = clock::now();
        let receiver = Receiver::new(decoder(Role::Server));
        Self {
            client: Endpoint::new(Leg::new(client, early), receiver, Role::Server),
            far,
            compression: None,
            hybi00: None,
            keepalive: Keepalive::new(
                live.about.conn,
                now,
                rules.ping_interval,
                rules.ping_timeout,
                rules.idle_timeout,
            ),
            rate: ControlRate::new(now),
            live,
            meter,
            turns: Turns::default(),
            held: Held::default(),
            orders: Orders::default(),
            end: None,
            panicked: false,
            rang: None,
            half_closed_since: None,
            last_words_until: None,
            tape: None,
            ticker: None,
        }
    }
}

impl Far {
    fn leg_mut(&mut self) -> Option<&mut Leg> {
        match self {
            Self::Echo(_) => None,
            Self::Tcp(tcp) => Some(&mut tcp.leg),
            Self::WebSocket(backend) => Some(&mut backend.leg),
        }
    }

    fn abort(&mut self) {
        if let Some(leg) = self.leg_mut() {
            leg.abort();
        }
    }

    const fn websocket_mut(&mut self) -> Option<&mut Endpoint> {
        match self {
            Self::WebSocket(backend) => Some(backend),
            Self::Echo(_) | Self::Tcp(_) => None,
        }
    }
}

/// The limits of a route for this kind of far side. To a TCP backend messages mean nothing and are never held, so they
/// are limited only where the route says so.
fn limits(rules: &Route, far: &Connected) -> Limits {
    let default = match far {
        Connected::Tcp(_) => Limits::NONE,
        Connected::Echo | Connected::WebSocket { .. } => Limits::default(),
    };
    Limits {
        frame_bytes_max: rules.frame_bytes_max,
        message_bytes_max: rules.message_bytes_max.unwrap_or(default.message_bytes_max),
        fragments_max: rules.fragments_max.unwrap_or(default.fragments_max),
    }
}
