use super::KeyError;
use crate::handshake;

/// Why a request is not answered with 101. Always the client's fault, or that of something on the way to it.
///
/// `Display` is a sentence that may be shown to the client: it repeats nothing that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Something that the handshake of RFC 6455 would be refused for as well: method, HTTP version, `Host`, a declared
    /// body, `Upgrade` or `Connection`.
    #[error("{0}")]
    Http(#[from] handshake::Refusal),
    /// `Sec-WebSocket-Draft` names one of the drafts that came after, whose frames are others.
    #[error("the draft in Sec-WebSocket-Draft is not supported, 0 is")]
    Draft,
    /// There is not exactly one good `Sec-WebSocket-Key1`.
    #[error("in Sec-WebSocket-Key1, {0}")]
    Key1(KeyError),
    /// There is not exactly one good `Sec-WebSocket-Key2`.
    #[error("in Sec-WebSocket-Key2, {0}")]
    Key2(KeyError),
    /// There is not exactly one `Origin` of visible ASCII; every client of the draft is a browser.
    #[error("there is not exactly one Origin field that holds an origin")]
    Origin,
    /// There are several `Sec-WebSocket-Protocol` fields, or the one is empty or not printable ASCII (draft §4.1).
    #[error("the Sec-WebSocket-Protocol field is repeated, empty or not printable ASCII")]
    Subprotocol,
    /// The request target does not begin with a slash, or holds what may not stand in one.
    #[error("the request target is not a path of visible ASCII")]
    Resource,
}

impl Refusal {
    /// The HTTP status to answer: that of [`Http`](Self::Http), 400 for all else.
    pub fn status(&self) -> u16 {
        match self {
            Self::Http(refusal) => refusal.status(),
            Self::Draft
            | Self::Key1(_)
            | Self::Key2(_)
            | Self::Origin
            | Self::Subprotocol
            | Self::Resource => 400,
        }
    }

    /// The header fields that must go with [`status`](Self::status), names and values.
    pub fn fields(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Http(refusal) => refusal.fields(),
            Self::Draft
            | Self::Key1(_)
            | Self::Key2(_)
            | Self::Origin
            | Self::Subprotocol
            | Self::Resource => &[],
        }
    }
}
