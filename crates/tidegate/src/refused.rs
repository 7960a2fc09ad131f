//! Every reason to answer a request with an error, and what the client is told. The only such table.

use http::{HeaderValue, StatusCode};

use crate::auth::Denial;
use crate::backend::ConnectError;
use crate::listener::ShareExceeded;
use crate::lookup::LookupError;
use crate::opening::NoOpening;
use crate::policy::Denied;
use crate::policy::quota::QuotaExceeded;
use crate::recording::Unrecorded;
use crate::request::BadRequest;
use crate::route::NoRoute;

/// Why a request is not served. What the client reads of it names nothing of ours.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// The head cannot be understood.
    #[error(transparent)]
    BadRequest(#[from] BadRequest),
    /// The opening handshake is none.
    #[error(transparent)]
    Handshake(#[from] NoOpening),
    /// There is no route.
    #[error(transparent)]
    Route(#[from] NoRoute),
    /// The policy of the route.
    #[error(transparent)]
    Policy(#[from] Denied),
    /// The client may not use the route, or has not shown that it may.
    #[error(transparent)]
    Auth(#[from] Denial),
    /// The token leads nowhere.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// There is no backend.
    #[error(transparent)]
    Backend(#[from] ConnectError),
    /// The host asked for is none of the listener's: 421.
    #[error("this host is not served here")]
    Misdirected {
        /// The host; not where it may be a token.
        host: String,
        /// The path.
        path: String,
    },
    /// The client has as many connections as it may: 503.
    #[error(transparent)]
    Quota(#[from] QuotaExceeded),
    /// Its client's address has its share of the handshakes under way: 503, if it could be told.
    #[error(transparent)]
    HandshakeShare(#[from] ShareExceeded),
    /// The route demands a recording, and there is none: 503.
    #[error(transparent)]
    Unrecorded(#[from] Unrecorded),
    /// There is no memory for another session: 503.
    #[error("the gateway is short of memory")]
    Memory,
    /// The gateway is stopping.
    #[error("the gateway is stopping")]
    Draining,
}

impl Refused {
    /// The status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(BadRequest::TargetTooLong) => StatusCode::URI_TOO_LONG,
            Self::BadRequest(BadRequest::Method) => StatusCode::METHOD_NOT_ALLOWED,
            Self::BadRequest(BadRequest::FieldsTooLarge) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::BadRequest(BadRequest::UnknownMethod) => StatusCode::NOT_IMPLEMENTED,
            Self::BadRequest(BadRequest::Expectation) => StatusCode::EXPECTATION_FAILED,
            Self::BadRequest(
                BadRequest::Host(_) | BadRequest::Path(_) | BadRequest::Framing | BadRequest::Nominated,
            ) => StatusCode::BAD_REQUEST,
            Self::Handshake(refusal) => {
                StatusCode::from_u16(refusal.status()).expect("the protocol crate answers with real statuses")
            }
            Self::Route(NoRoute::NotFound) => StatusCode::NOT_FOUND,
            Self::Route(NoRoute::NeedsUpgrade) => StatusCode::UPGRADE_REQUIRED,
            Self::Route(NoRoute::NotAllowed) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Route(NoRoute::NotWebSocket | NoRoute::Ambiguous) => StatusCode::BAD_REQUEST,
            Self::Policy(Denied::OriginRepeated | Denied::Subprotocol) => StatusCode::BAD_REQUEST,
            Self::Policy(Denied::Origin(_) | Denied::OriginMissing) => StatusCode::FORBIDDEN,
            Self::Auth(denial) => denial.status(),
            Self::Lookup(error) => error.status(),
            Self::Backend(error) => error.status(),
            Self::Misdirected { .. } => StatusCode::MISDIRECTED_REQUEST,
            Self::Quota(_)
            | Self::HandshakeShare(_)
            | Self::Unrecorded(_)
            | Self::Memory
            | Self::Draining => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The label of metrics.
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "request",
            Self::Handshake(_) => "handshake",
            Self::Route(_) => "no_route",
            Self::Policy(Denied::Origin(_) | Denied::OriginMissing | Denied::OriginRepeated) => "origin",
            Self::Policy(Denied::Subprotocol) => "subprotocol",
            Self::Auth(_) => "auth",
            Self::Lookup(_) => "lookup",
            Self::Backend(_) => "backend",
            Self::Misdirected { .. } => "host",
            Self::Quota(_) | Self::HandshakeShare(_) => "quota",
            Self::Unrecorded(_) => "recording",
            Self::Memory => "memory",
            Self::Draining => "draining",
        }
    }

    /// How to come in, with a 401 (RFC 9110 §15.5.2).
    pub(crate) const fn challenge(&self) -> Option<&HeaderValue> {
        if let Self::Auth(Denial::Credentials(challenged)) = self {
            Some(&challenged.challenge)
        } else {
            None
        }
    }

    /// The fields that must go with the status.
    pub(crate) fn fields(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Handshake(refusal) => refusal.fields(),
            Self::Route(NoRoute::NeedsUpgrade) => {
                &[("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13")]
            }
            // No method is allowed without an upgrade (RFC 9110 §10.2.1).
            Self::Route(NoRoute::NotAllowed) => &[("Allow", "")],
            Self::BadRequest(BadRequest::Method) => &[("Allow", "GET, HEAD")],
            Self::Memory => &[("Retry-After", "5")],
            Self::BadRequest(_)
            | Self::Route(_)
            | Self::Policy(_)
            | Self::Auth(_)
            | Self::Lookup(_)
            | Self::Backend(_)
            | Self::Misdirected { .. }
            | Self::Quota(_)
            | Self::HandshakeShare(_)
            | Self::Unrecorded(_)
            | Self::Draining => &[],
        }
    }

    /// What the client is told: of a backend only that there is none, and no address.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::Auth(error) => match error {
                Denial::Credentials(_) => "credentials are needed here",
                Denial::Certificate => "a certificate is needed here",
                Denial::Answered(_) => "refused",
                Denial::Undecided(_) | Denial::Unasked(_) => "nobody can tell whether this is allowed",
                Denial::Timeout => "nobody could tell in time whether this is allowed",
                Denial::Busy | Denial::TooManyPending(_) => "too many clients ask at once",
            }
            .to_owned(),
            Self::Lookup(error) => match error {
                LookupError::NoToken
                | LookupError::Unknown
                | LookupError::Rejected(_)
                | LookupError::NotAllowed => NOWHERE,
                LookupError::NoTarget
                | LookupError::Failed(_)
                | LookupError::Answered(_)
                | LookupError::LedAway
                | LookupError::RedirectedTooOften(_)
                | LookupError::Unasked(_) => "the look-up behind this gateway failed",
                LookupError::TooManyPending(_) => "too many clients ask at once",
                LookupError::Timeout => "the look-up behind this gateway did not answer in time",
            }
            .to_owned(),
            Self::Backend(error) => match error.kind() {
                ConnectError::Unreachable(_) => "the service behind this gateway cannot be reached",
                ConnectError::Exhausted(_) => "the gateway has no resources for another connection",
                ConnectError::Busy(_) => "the service behind this gateway is busy",
                ConnectError::ConnectTimeout | ConnectError::UpgradeTimeout => {
                    "the service behind this gateway did not answer in time"
                }
                ConnectError::RequestBody(_) => "the body of the request is broken",
                ConnectError::BodyTimeout => "the body of the request did not come in time",
                ConnectError::Tls(_)
                | ConnectError::Http(_)
                | ConnectError::Interim
                | ConnectError::Coding
                | ConnectError::Length
                | ConnectError::Handshake(_)
                | ConnectError::Unasked
                | ConnectError::Answered(_) => "the service behind this gateway answered wrongly",
                ConnectError::NotAllowed => NOWHERE,
                ConnectError::At { .. } => "the service behind this gateway cannot be had", // never its own kind
                ConnectError::Sealed => "what is served here cannot be had over TLS",
                ConnectError::NotBuilt => {
                    "this route is configured for something that this version cannot do"
                }
            }
            .to_owned(),
            Self::Unrecorded(_) => "what is said here has to be recorded, and cannot be".to_owned(),
            Self::BadRequest(_)
            | Self::Handshake(_)
            | Self::Route(_)
            | Self::Policy(_)
            | Self::Misdirected { .. }
            | Self::Quota(_)
            | Self::HandshakeShare(_)
            | Self::Memory
            | Self::Draining => self.to_string(),
        }
    }
}

/// The same for every token that leads nowhere: it tells nothing about how near it was.
const NOWHERE: &str = "nothing is served for the token of this request";
