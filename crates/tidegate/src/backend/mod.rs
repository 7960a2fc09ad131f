//! Connecting the backend of a route, before the client is told yes.

mod announce;
pub(crate) mod dial;
mod handoff;
mod pick;
mod plain;
pub mod proxy;
mod replayed;
pub mod trust;
mod upgrade;
mod upload;

use std::io;

use bytes::Bytes;
use http::header::HeaderMap;
use http::{Response, StatusCode};
use hyper::body::Incoming;
use tidegate_proto::Reserved;
use tidegate_proto::deflate::{Context, WindowBits};
use tidegate_proto::handshake::{
    DeflateAgreement, DeflatePreferences, Extensions, ResponseViolation, Subprotocol,
};
use tidegate_proto::hybi00::Coding;

pub(crate) use self::handoff::NotTaken;
pub use self::handoff::Receiver;
use self::pick::{Candidate, Candidates};
use self::trust::Trust;
use crate::certificate::explained;
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
    far: Far,
    /// Counts it as a connection of its backend.
    seat: Seat,
}

/// What becomes of a client that was told yes.
#[derive(Debug)]
pub enum Far {
    /// It is relayed to this side.
    Relayed(FarSide),
    /// It is given to this process.
    HandedOver(Receiver),
}

/// The far side of a relay.
#[derive(Debug)]
pub enum FarSide {
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

/// Why there is no backend. Its own fault or the operator's, unless it answered for itself.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Its name does not resolve, or no address takes the connection: 502.
    #[error("backend unreachable: {0}")]
    Unreachable(#[source] io::Error),
    /// Out of descriptors, ports or memory: ours is the fault, 503.
    #[error("no resources for a backend connection: {0}")]
    Exhausted(#[source] io::Error),
    /// It owes an answer to so many clients, `max_pending`: 503.
    #[error("backend has not answered {0} others yet")]
    Busy(usize),
    /// No TLS with it: another certificate than is trusted, another name, no TLS at all: 502.
    #[error("no TLS with the backend: {}", explained(.0))]
    Tls(#[source] io::Error),
    /// Not connected within `connect_timeout`: 504.
    #[error("backend did not take the connection in time")]
    ConnectTimeout,
    /// No response head within `upgrade_timeout`, or it takes nothing of a body for so long: 504.
    #[error("backend did not answer the handshake in time")]
    UpgradeTimeout,
    /// The body of the client's request broke off, or is none: 400, and not the backend's fault.
    #[error("the body of the request is broken: {0}")]
    RequestBody(#[source] hyper::Error),
    /// Nothing more of that body came within `body_timeout`: 408.
    #[error("the client sends no more of the body of its request")]
    BodyTimeout,
    /// It broke HTTP, or closed: 502.
    #[error("backend failed in the handshake: {0}")]
    Http(#[source] hyper::Error),
    /// It sent interim answers, and no end of them: 502.
    #[error("backend sends interim answers without end")]
    Interim,
    /// The body of its answer is in a transfer coding that is not taken off here: 502.
    #[error("backend answers in a transfer coding that is not chunked alone")]
    Coding,
    /// It answered 101, but not to what was asked: 502.
    #[error("backend answered the handshake wrongly: {0}")]
    Handshake(#[source] ResponseViolation),
    /// It answered 101 to a request that was no upgrade: 502.
    #[error("backend switched protocols unasked")]
    Unasked,
    /// It answered with something else than 101, which the client gets.
    #[error("backend answered {}", .0.status())]
    Answered(Box<Response<Incoming>>),
    /// A look-up led to addresses that its `targets` do not list: 403.
    #[error("the token leads to an address that is not allowed")]
    NotAllowed,
    /// The route gives connections to another process, which cannot be done with one over TLS: 501.
    #[error("a connection over TLS cannot be handed over")]
    Sealed,
    /// One of these, with the backend that it was, for logs.
    #[error("{error}, at {backend}")]
    At {
        /// Its scheme and address.
        backend: Box<str>,
        /// What was wrong.
        #[source]
        error: Box<Self>,
    },
    /// Accepted in the configuration, but not built yet: 501.
    #[error("this kind of backend is not built yet")]
    NotBuilt,
}

impl ConnectError {
    /// What was wrong, wherever it was.
    pub(crate) fn kind(&self) -> &Self {
        if let Self::At { error, .. } = self { error.kind() } else { self }
    }

    /// Names the backend. `found`: it was looked up, and then the path of a socket may hold the token.
    fn at(self, backend: &Backend, found: bool) -> Self {
        let is_secret = found && !matches!(backend, Backend::Tcp(_) | Backend::Tls(_));
        if is_secret || !(self.is_unconnected() || matches!(self, Self::Http(_) | Self::UpgradeTimeout)) {
            return self;
        }
        Self::At { backend: backend.to_string().into(), error: Box::new(self) }
    }

    /// The status that the client is answered with.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::At { error, .. } => error.status(),
            Self::RequestBody(_) => StatusCode::BAD_REQUEST,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Unreachable(_)
            | Self::Tls(_)
            | Self::Http(_)
            | Self::Interim
            | Self::Coding
            | Self::Handshake(_)
            | Self::Unasked => StatusCode::BAD_GATEWAY,
            Self::Exhausted(_) | Self::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::ConnectTimeout | Self::UpgradeTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Answered(response) => response.status(),
            Self::NotAllowed => StatusCode::FORBIDDEN,
            Self::Sealed | Self::NotBuilt => StatusCode::NOT_IMPLEMENTED,
        }
    }
}

impl ConnectError {
    /// The label of metrics.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::At { error, .. } => error.label(),
            Self::Unreachable(_) => "unreachable",
            Self::Exhausted(_) => "exhausted",
            Self::Busy(_) => "busy",
            Self::Tls(_) => "tls",
            Self::ConnectTimeout => "connect_timeout",
            Self::UpgradeTimeout => "upgrade_timeout",
            Self::RequestBody(_) | Self::BodyTimeout => "request_body",
            Self::Http(_) | Self::Interim | Self::Coding | Self::Unasked => "http",
            Self::Handshake(_) => "handshake",
            Self::Answered(_) => "answered",
            Self::NotAllowed => "not_allowed",
            Self::NotBuilt => "not_built",
            Self::Sealed => "sealed",
        }
    }

    /// Whether it failed before anything of the request was sent, and another backend may take it.
    const fn is_unconnected(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Tls(_) | Self::ConnectTimeout | Self::Busy(_))
    }
}

impl From<io::Error> for ConnectError {
    /// Of connecting: whose fault it is decides the status.
    fn from(error: io::Error) -> Self {
        const EMFILE: i32 = 24;
        const ENFILE: i32 = 23;
        const ENOBUFS: i32 = 105;
        const EADDRNOTAVAIL: i32 = 99;
        let exhausted = error.kind() == io::ErrorKind::OutOfMemory
            || matches!(error.raw_os_error(), Some(EMFILE | ENFILE | ENOBUFS | EADDRNOTAVAIL));
        if exhausted { Self::Exhausted(error) } else { Self::Unreachable(error) }
    }
}

impl From<hyper::Error> for ConnectError {
    /// Of a request and its answer: a body that cannot be read to its end is the client's.
    fn from(error: hyper::Error) -> Self {
        let body = error.is_user() || error.is_body_write_aborted();
        if body { Self::RequestBody(error) } else { Self::Http(error) }
    }
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

    /// Gives the backend over to what comes then, with what was agreed; it counts as one of its connections until the seat is
    /// dropped.
    pub fn into_parts(self) -> (Far, Agreed, Seat) {
        (self.far, self.agreed, self.seat)
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
            Ok((far, agreed)) => {
                let seat = candidate.into_seat();
                return Ok(Link { permit: destination.into_permit(), agreed, far, seat });
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
) -> Result<(Far, Agreed), ConnectError> {
    let permit = destination.permit();
    let (route, budget) = (permit.route(), candidate.budget);
    let allowed = |address| destination.allows(address);
    let greeting = announce::greeting(route, request);
    let (far, agreed) = match destination.found().unwrap_or(candidate.backend) {
        Backend::Echo => (FarSide::Echo, settled(permit)),
        Backend::Tcp(authority) => (
            FarSide::Tcp(dial::tcp_among(authority, None, &greeting, budget, &allowed).await?),
            settled(permit),
        ),
        Backend::Tls(authority) => {
            let trusted = Some(trust.of(route));
            (
                FarSide::Tcp(dial::tcp_among(authority, trusted, &greeting, budget, &allowed).await?),
                settled(permit),
            )
        }
        Backend::Unix(path) => {
            (FarSide::Tcp(Socket::Unix(dial::unix(path, &greeting, budget).await?)), settled(permit))
        }
        Backend::WebSocket(target) | Backend::Http(target) => {
            let trusted = target.tls.then(|| trust.of(route));
            let socket = dial::tcp(&target.authority, trusted, &greeting, budget).await?;
            upgrade::upgrade(socket, target, permit, request).await?
        }
        Backend::Handoff(path) => {
            let agreed = settled(permit);
            let receiver = handoff::reach(path, budget, permit, request, agreed.subprotocol.as_ref()).await?;
            return Ok((Far::HandedOver(receiver), agreed));
        }
        Backend::File(_) | Backend::Builtin | Backend::Lookup(_) => return Err(ConnectError::NotBuilt),
        Backend::Replay(replay) => {
            let socket = Socket::Unix(replay.begin()?);
            (FarSide::WebSocket { socket, early: Bytes::new(), reserved: Reserved::None }, settled(permit))
        }
    };
    Ok((Far::Relayed(far), agreed))
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
