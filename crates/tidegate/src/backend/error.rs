//! Why a backend could not be connected, and what the client, the log and the metrics are told of it.

use std::io;

use http::{Response, StatusCode};
use hyper::body::Incoming;
use tidegate_proto::handshake::ResponseViolation;

use crate::certificate::explained;
use crate::config::Backend;

/// Why there is no backend. Its own fault or the operator's, unless it answered for itself.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Its name does not resolve, or no address takes the connection: 502.
    #[error("backend unreachable: {0}")]
    Unreachable(#[source] io::Error),
    /// Out of descriptors, ports or memory: ours is the fault, 503.
    #[error("no resources for a backend connection: {0}")]
    Exhausted(#[source] io::Error),
    /// It owes an answer to as many clients as `max_pending` says: 503.
    #[error("backend has not answered {0} others yet")]
    Busy(usize),
    /// No TLS with it: another certificate than is trusted, another name, no TLS at all: 502.
    #[error("no TLS with the backend: {}", explained(.0))]
    Tls(#[source] io::Error),
    /// Not connected within `connect_timeout`: 504.
    #[error("backend did not take the connection in time")]
    ConnectTimeout,
    /// No response head within `upgrade_timeout`, or nothing of a body was taken for that time: 504.
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
    /// The length of its answer is no number, or several: 502.
    #[error("backend answers with a Content-Length that is none")]
    Length,
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
    pub(super) fn at(self, backend: &Backend, found: bool) -> Self {
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
            | Self::Length
            | Self::Handshake(_)
            | Self::Unasked => StatusCode::BAD_GATEWAY,
            Self::Exhausted(_) | Self::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::ConnectTimeout | Self::UpgradeTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Answered(response) => response.status(),
            Self::NotAllowed => StatusCode::FORBIDDEN,
            Self::Sealed | Self::NotBuilt => StatusCode::NOT_IMPLEMENTED,
        }
    }

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
            Self::Http(_) | Self::Interim | Self::Coding | Self::Length | Self::Unasked => "http",
            Self::Handshake(_) => "handshake",
            Self::Answered(_) => "answered",
            Self::NotAllowed => "not_allowed",
            Self::NotBuilt => "not_built",
            Self::Sealed => "sealed",
        }
    }

    /// Whether it failed before anything of the request was sent, and another backend may take it.
    pub(super) const fn is_unconnected(&self) -> bool {
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
        let exhausted = matches!(error.kind(), io::ErrorKind::OutOfMemory | io::ErrorKind::ResourceBusy)
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
