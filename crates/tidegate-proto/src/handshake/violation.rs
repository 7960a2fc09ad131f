use alloc::string::String;

use super::{
    deflate::DeflateError,
    extensions::{ExtensionsError, PERMESSAGE_DEFLATE},
    subprotocol::Subprotocol,
};

/// Why a response does not open the WebSocket that was asked for. Always the server's fault, or that of
/// something on the way to it, but for [`Status`](Self::Status), which may be an honest refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResponseViolation {
    /// The status is not 101. The response is plain HTTP, to be treated as such (RFC 6455 §4.1).
    #[error("the server answered with status {0} and not 101")]
    Status(u16),
    /// There is no `Upgrade` field.
    #[error("the server answered without an Upgrade field")]
    UpgradeMissing,
    /// `Upgrade` is not exactly `websocket`.
    #[error("the server switches to something other than websocket")]
    UpgradeOther,
    /// `Connection` is missing, is no list of tokens, or does not list `Upgrade`.
    #[error("the Connection field of the server does not list Upgrade")]
    ConnectionWithoutUpgrade,
    /// There is no `Sec-WebSocket-Accept`.
    #[error("the server answered without a Sec-WebSocket-Accept field")]
    AcceptMissing,
    /// There are several `Sec-WebSocket-Accept` fields (RFC 6455 §11.3.3).
    #[error("the server answered with more than one Sec-WebSocket-Accept field")]
    AcceptRepeated,
    /// `Sec-WebSocket-Accept` does not answer the key that was sent: the server did not read it, or the
    /// response belongs to another request.
    #[error("the Sec-WebSocket-Accept field of the server does not answer the key")]
    AcceptMismatch,
    /// There are several `Sec-WebSocket-Protocol` fields (RFC 6455 §11.3.4).
    #[error("the server answered with more than one Sec-WebSocket-Protocol field")]
    SubprotocolRepeated,
    /// The subprotocol is no token, such as an empty value or a list.
    #[error("the subprotocol that the server chose is not a token")]
    SubprotocolMalformed,
    /// The subprotocol is none of the offered, if any were.
    #[error("the server chose the subprotocol {0}, which was not offered")]
    SubprotocolNotOffered(Subprotocol),
    /// `Sec-WebSocket-Extensions` breaks its grammar (RFC 6455 §9.1).
    #[error("in Sec-WebSocket-Extensions of the server, {0}")]
    Extensions(#[from] ExtensionsError),
    /// An extension of this name was not offered.
    #[error("the server agreed to the extension {0}, which was not offered")]
    ExtensionNotOffered(String),
    /// An extension of this name is agreed twice, so nobody could say how often to apply it.
    #[error("the server agreed to the extension {0} twice")]
    ExtensionRepeated(String),
    /// The parameters of permessage-deflate are malformed (RFC 7692 §7).
    #[error("the server broke RFC 7692: {0}")]
    Deflate(#[from] DeflateError),
    /// The parameters of permessage-deflate answer none of the offers.
    #[error("the server agreed to {PERMESSAGE_DEFLATE} with parameters that answer none of the offers")]
    DeflateMismatch,
}
