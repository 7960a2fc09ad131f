//! Connecting the backend of a route, before the client is told yes.

mod announce;
pub(crate) mod dial;
mod error;
mod handoff;
mod pick;
mod plain;
pub mod proxy;
mod replayed;
pub mod trust;
mod upgrade;
mod upload;

use bytes::Bytes;
use http::header::HeaderMap;
use tidegate_proto::Reserved;
use tidegate_proto::deflate::{Context, WindowBits};
use tidegate_proto::handshake::{DeflateAgreement, DeflatePreferences, Extensions, Subprotocol};
use tidegate_proto::hybi00::Coding;

pub use self::error::ConnectError;
pub(crate) use self::handoff::NotTaken;
pub use self::handoff::Receiver;
use self::pick::{Candidate, Candidates};
use self::trust::Trust;
use crate::config::Backend;
use crate::io::Socket;
use crate::lookup::Destination;
use crate::policy::{Permit, SubprotocolChoice};
use crate::pool::Seat;
use crate::request::Request;

/// The evidence that a backend is connected, and what was agreed with it. Only [`connect`] makes one.
#[derive(Debug)]
pub struct Link {
    permit: Permit,
    agreed: Agreed,
    onward: Onward,
    /// Counts it as a connection of its backend.
    seat: Seat,
}

/// Where a client goes on to that is answered with 101.
#[derive(Debug)]
pub enum Onward {
    /// It is relayed to this backend.
    Relayed(Connected),
    /// Its socket is given to this process.
    HandedOver(Receiver),
}

/// A backend that is ready to be relayed to.
#[derive(Debug)]
pub enum Connected {
    /// The gateway itself answers each message with itself.
    Echo,
    /// A backend of raw bytes.
    Tcp(Socket),
    /// A WebSocket backend whose handshake is done; the bytes are what it sent with it.
    WebSocket {
        /// The connection.
        socket: Socket,
        /// What was read together with its 101.
        early: Bytes,
        /// What the extensions that the two endpoints agreed on make of the reserved bits.
        reserved: Reserved,
    },
}

/// What the client's handshake is answered with.
#[derive(Debug, Default)]
pub struct Agreed {
    /// The subprotocol in use.
    pub subprotocol: Option<Subprotocol>,
    /// The extensions that the endpoints agreed on.
    pub extensions: Extensions,
    /// Where the gateway itself is an endpoint: how it and the client compress.
    pub deflate: Option<DeflateAgreement>,
    /// Where the client speaks hybi-00: what its messages hold.
    pub hybi00: Option<Coding>,
    /// End-to-end fields of the backend's own 101: cookies, say.
    pub fields: HeaderMap,
}

impl Link {
    /// The permit that it was connected with.
    pub const fn permit(&self) -> &Permit {
        &self.permit
    }

    /// What the client's handshake is answered with.
    pub const fn agreed(&self) -> &Agreed {
        &self.agreed
    }

    /// Of several backends, the one that is connected.
    pub fn chosen(&self) -> Option<&str> {
        self.seat.chosen()
    }

    /// The backend, what was agreed with it, and the seat: the connection counts as one of the backend's until that is dropped.
    pub fn into_parts(self) -> (Onward, Agreed, Seat) {
        (self.onward, self.agreed, self.seat)
    }
}

/// Connects the backend of a destination; of several, the first that takes the connection.
///
/// # Errors
/// Why not; nothing of the request has reached a `tcp://` backend then.
///
/// # Order
/// Whoever has a [`Destination`] can connect:
///
/// ```
/// # use tidegate::{backend::{self, trust::Trust}, lookup::Destination, request::Request};
/// async fn connect(destination: Destination, request: &Request, trust: &Trust) -> bool {
///     backend::connect(destination, request, trust).await.is_ok()
/// }
/// ```
///
/// a permit is not enough, it does not build:
///
/// ```compile_fail
/// # use tidegate::{backend::{self, trust::Trust}, policy::Permit, request::Request};
/// async fn connect(destination: Permit, request: &Request, trust: &Trust) -> bool {
///     backend::connect(destination, request, trust).await.is_ok()
/// }
/// ```
pub async fn connect(
    destination: Destination,
    request: &Request,
    trust: &Trust,
) -> Result<Link, ConnectError> {
    let mut candidates = Candidates::of(destination.permit().selected(), request);
    loop {
        let candidate = candidates.take();
        let reached = match candidate.ask() {
            Ok(_pending) => reach(&destination, &candidate, request, trust).await,
            Err(busy) => Err(busy),
        };
        match reached {
            Ok((onward, agreed)) => {
                let seat = candidate.into_seat();
                return Ok(Link { permit: destination.into_permit(), agreed, onward, seat });
            }
            Err(error) => {
                let found = destination.found();
                let name =
                    |error: ConnectError| error.at(found.unwrap_or(candidate.backend), found.is_some());
                candidates.after(&candidate, error).map_err(name)?;
            }
        }
    }
}

/// Connects one backend, or what was looked up in its place.
async fn reach(
    destination: &Destination,
    candidate: &Candidate<'_>,
    request: &Request,
    trust: &Trust,
) -> Result<(Onward, Agreed), ConnectError> {
    let permit = destination.permit();
    let (route, budget) = (permit.route(), candidate.budget);
    let allowed = |address| destination.allows(address);
    let greeting = announce::greeting(route, request);
    let (connected, agreed) = match destination.found().unwrap_or(candidate.backend) {
        Backend::Echo => (Connected::Echo, settled(permit)),
        Backend::Tcp(authority) => (
            Connected::Tcp(dial::tcp_among(authority, None, &greeting, budget, &allowed).await?),
            settled(permit),
        ),
        Backend::Tls(authority) => {
            let trusted = Some(trust.of(route));
            (
                Connected::Tcp(dial::tcp_among(authority, trusted, &greeting, budget, &allowed).await?),
                settled(permit),
            )
        }
        Backend::Unix(path) => {
            (Connected::Tcp(Socket::Unix(dial::unix(path, &greeting, budget).await?)), settled(permit))
        }
        Backend::WebSocket(target) | Backend::Http(target) => {
            let trusted = target.tls.then(|| trust.of(route));
            let socket = dial::tcp(&target.authority, trusted, &greeting, budget).await?;
            upgrade::upgrade(socket, target, permit, request).await?
        }
        Backend::Handoff(path) => {
            let agreed = settled(permit);
            let receiver = handoff::reach(path, budget, permit, request, agreed.subprotocol.as_ref()).await?;
            return Ok((Onward::HandedOver(receiver), agreed));
        }
        Backend::File(_) | Backend::Builtin | Backend::Lookup(_) => return Err(ConnectError::NotBuilt),
        Backend::Replay(replay) => {
            let socket = Socket::Unix(replay.begin()?);
            (Connected::WebSocket { socket, early: Bytes::new(), reserved: Reserved::None }, settled(permit))
        }
    };
    Ok((Onward::Relayed(connected), agreed))
}

/// What the gateway agrees to as an endpoint: no context is taken over, so that none is held for a connection that says
/// nothing (RFC 7692 §7.1.1).
const DEFLATE: DeflatePreferences = DeflatePreferences {
    server_window: WindowBits::MAX,
    client_window: WindowBits::MAX,
    server_context: Context::Fresh,
    client_context: Context::Fresh,
};

/// Where the backend has no say: the gateway itself settles subprotocol and compression.
fn settled(permit: &Permit) -> Agreed {
    let subprotocol = match permit.subprotocol() {
        SubprotocolChoice::Settled(subprotocol) => subprotocol.clone(),
        SubprotocolChoice::Backend => None,
    };
    let compression =
        permit.route().compression.then(|| DEFLATE.accept(&permit.opening().extensions())).flatten();
    let (deflate, extensions) = compression.unzip();
    Agreed {
        subprotocol,
        extensions: extensions.unwrap_or_default(),
        deflate,
        hybi00: permit.coding(),
        ..Agreed::default()
    }
}
