//! Connecting the backend of a route, before the client is told yes.

mod tcp;
mod upgrade;

use std::io;

use bytes::Bytes;
use http::header::HeaderMap;
use http::{Response, StatusCode};
use hyper::body::Incoming;
use tidegate_proto::Reserved;
use tidegate_proto::handshake::{Extensions, ResponseViolation, Subprotocol};

use crate::config::Backend;
use crate::io::Socket;
use crate::policy::{Permit, SubprotocolChoice};
use crate::request::Request;

/// The evidence that a backend is connected, and what was agreed with it. Only [`connect`] makes one.
#[derive(Debug)]
pub struct Link {
    permit: Permit,
    agreed: Agreed,
    far: FarSide,
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
    /// Not connected within `connect_timeout`: 504.
    #[error("backend did not take the connection in time")]
    ConnectTimeout,
    /// No response head within `upgrade_timeout`: 504.
    #[error("backend did not answer the handshake in time")]
    UpgradeTimeout,
    /// It broke HTTP, or closed: 502.
    #[error("backend failed in the handshake: {0}")]
    Http(#[source] hyper::Error),
    /// It answered 101, but not to what was asked: 502.
    #[error("backend answered the handshake wrongly: {0}")]
    Handshake(#[source] ResponseViolation),
    /// It answered with something else than 101, which the client gets.
    #[error("backend answered {}", .0.status())]
    Answered(Box<Response<Incoming>>),
    /// Accepted in the configuration, but not built yet: 501.
    #[error("this kind of backend is not built yet")]
    NotBuilt,
}

impl ConnectError {
    /// The status that the client is answered with.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unreachable(_) | Self::Http(_) | Self::Handshake(_) => StatusCode::BAD_GATEWAY,
            Self::Exhausted(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::ConnectTimeout | Self::UpgradeTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Answered(response) => response.status(),
            Self::NotBuilt => StatusCode::NOT_IMPLEMENTED,
        }
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

    /// Gives the backend over to the relay.
    pub fn into_far_side(self) -> FarSide {
        self.far
    }
}

/// Connects the backend that the permit is for.
///
/// # Errors
/// Why not; nothing of the request has reached a `tcp://` backend then.
///
/// # Order
/// Whoever has a [`Permit`] can connect:
///
/// ```
/// # use tidegate::{backend, policy::Permit, request::Request, route::Selected};
/// async fn connect(permit: Permit, request: &Request) -> bool {
///     backend::connect(permit, request).await.is_ok()
/// }
/// ```
///
/// a route that was selected is not enough, it does not build:
///
/// ```compile_fail
/// # use tidegate::{backend, policy::Permit, request::Request, route::Selected};
/// async fn connect(permit: Selected, request: &Request) -> bool {
///     backend::connect(permit, request).await.is_ok()
/// }
/// ```
pub async fn connect(permit: Permit, request: &Request) -> Result<Link, ConnectError> {
    let route = permit.route();
    let (far, agreed) = match permit.selected().backend() {
        Backend::Echo => (FarSide::Echo, settled(&permit)),
        Backend::Tcp(authority) => {
            let socket = tcp::connect(authority, route.connect_timeout).await?;
            (FarSide::Tcp(socket), settled(&permit))
        }
        Backend::WebSocket(target) if !target.tls => {
            let socket = tcp::connect(&target.authority, route.connect_timeout).await?;
            upgrade::upgrade(socket, target, &permit, request).await?
        }
        Backend::WebSocket(_)
        | Backend::Http(_)
        | Backend::Tls(_)
        | Backend::Unix(_)
        | Backend::Handoff(_)
        | Backend::File(_)
        | Backend::Builtin => return Err(ConnectError::NotBuilt),
    };
    Ok(Link { permit, agreed, far })
}

/// Where the backend has no say in the subprotocol.
fn settled(permit: &Permit) -> Agreed {
    let subprotocol = match permit.subprotocol() {
        SubprotocolChoice::Settled(subprotocol) => subprotocol.clone(),
        SubprotocolChoice::Backend => None,
    };
    Agreed { subprotocol, ..Agreed::default() }
}
