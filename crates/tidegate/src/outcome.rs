//! Every way a WebSocket can end: who ended it, and what each side is told. The only such table.

use tidegate_proto::{CloseCode, Violation, hybi00};

/// Why a relayed WebSocket ended. The first cause decides; what follows from it does not change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The client sent a Close frame, with this code.
    ClientClosed(Option<CloseCode>),
    /// The client ended its TCP direction without a Close frame.
    ClientEnded,
    /// The client's connection broke.
    ClientLost,
    /// The client broke the protocol or a limit.
    ClientViolation(Breach),
    /// The client sent text where `accept = "binary"`.
    ClientText,
    /// The client sent more control frames than it may.
    ClientFlood,
    /// The client began a message and did not go on with it.
    MessageUnfinished,
    /// The client took nothing for too long.
    ClientStalled,
    /// The client sent nothing for `idle_timeout`.
    Idle,
    /// The client did not answer a ping within `ping_timeout`.
    PingUnanswered,
    /// The backend sent a Close frame, with this code.
    BackendClosed(Option<CloseCode>),
    /// A TCP backend ended its direction after everything it had to say.
    BackendEnded,
    /// The backend's connection broke, or a WebSocket backend ended without a Close frame.
    BackendLost,
    /// A WebSocket backend broke the protocol or a limit.
    BackendViolation(Violation),
    /// A TCP backend behind `message = "text"` sent what is not UTF-8, or a WebSocket backend there a binary message to a
    /// client of hybi-00, which has text alone.
    BackendNotText,
    /// The backend took nothing for too long.
    BackendStalled,
    /// The gateway was told to close it, with this code.
    Told(Cause, CloseCode),
    /// A bug of ours.
    Panicked,
}

/// Why the gateway closes a WebSocket that nothing is wrong with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The gateway stops.
    Drained,
    /// A reload has removed or changed its route.
    Reloaded,
    /// It was open for `max_age`.
    MaxAge,
    /// The token that opened it has expired.
    TokenExpired,
    /// TLS on it, which has come from another process, has come to the last of its keys.
    KeysSpent,
    /// The operator wants it closed.
    Operator,
    /// Memory is short, and it holds much of it.
    Overloaded,
}

/// What a peer did wrong, in the terms of its protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// RFC 6455.
    #[error(transparent)]
    Rfc6455(#[from] Violation),
    /// hybi-00.
    #[error(transparent)]
    Hybi00(#[from] hybi00::Violation),
}

/// Who ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Party {
    /// The client.
    Client,
    /// The backend.
    Backend,
    /// The gateway itself.
    Gateway,
}

impl End {
    /// The Close code that the client is sent; `None`: its own Close is echoed, or there is nobody to tell.
    pub fn code_to_client(self) -> Option<CloseCode> {
        match self {
            Self::ClientClosed(_) | Self::ClientEnded | Self::ClientLost | Self::ClientStalled => None,
            Self::ClientViolation(breach) => Some(breach.close_code()),
            Self::ClientText => Some(CloseCode::UNSUPPORTED),
            Self::BackendClosed(code) => code,
            Self::BackendEnded => Some(CloseCode::NORMAL),
            Self::BackendLost | Self::PingUnanswered | Self::Panicked => Some(CloseCode::INTERNAL_ERROR),
            Self::BackendViolation(_) => Some(CloseCode::BAD_GATEWAY),
            Self::BackendNotText => Some(CloseCode::INVALID_PAYLOAD),
            Self::BackendStalled => Some(CloseCode::TRY_AGAIN_LATER),
            Self::ClientFlood | Self::MessageUnfinished => Some(CloseCode::POLICY_VIOLATION),
            Self::Idle => Some(CloseCode::GOING_AWAY),
            Self::Told(_, code) => Some(code),
        }
    }

    /// The Close code that a WebSocket backend is sent; `None`: it has closed itself, is passed the client's own
    /// Close, or sees an abnormal end because the client made one.
    pub fn code_to_backend(self) -> Option<CloseCode> {
        match self {
            Self::ClientClosed(_)
            | Self::ClientEnded
            | Self::ClientLost
            | Self::BackendClosed(_)
            | Self::BackendEnded
            | Self::BackendLost
            | Self::BackendStalled => None,
            Self::BackendViolation(_) => Some(CloseCode::PROTOCOL_ERROR),
            Self::BackendNotText => Some(CloseCode::UNSUPPORTED),
            Self::Panicked => Some(CloseCode::INTERNAL_ERROR),
            Self::ClientViolation(_)
            | Self::ClientText
            | Self::ClientFlood
            | Self::MessageUnfinished
            | Self::ClientStalled
            | Self::Idle
            | Self::PingUnanswered
            | Self::Told(..) => Some(CloseCode::GOING_AWAY),
        }
    }

    /// Who ended it.
    pub const fn party(self) -> Party {
        match self {
            Self::ClientClosed(_) | Self::ClientEnded | Self::ClientLost => Party::Client,
            Self::BackendClosed(_) | Self::BackendEnded | Self::BackendLost => Party::Backend,
            Self::ClientViolation(_)
            | Self::ClientText
            | Self::ClientFlood
            | Self::MessageUnfinished
            | Self::ClientStalled
            | Self::Idle
            | Self::PingUnanswered
            | Self::BackendViolation(_)
            | Self::BackendNotText
            | Self::BackendStalled
            | Self::Told(..)
            | Self::Panicked => Party::Gateway,
        }
    }

    /// The code under which it is logged: the Close code that decided, 1005 for a Close without one, 1006 where no
    /// Close was received.
    pub fn logged_code(self) -> u16 {
        match self {
            Self::ClientClosed(code) | Self::BackendClosed(code) => code.map_or(1005, CloseCode::get),
            Self::ClientEnded | Self::ClientLost | Self::ClientStalled => 1006,
            Self::ClientViolation(_)
            | Self::ClientText
            | Self::ClientFlood
            | Self::MessageUnfinished
            | Self::Idle
            | Self::PingUnanswered
            | Self::BackendEnded
            | Self::BackendLost
            | Self::BackendViolation(_)
            | Self::BackendNotText
            | Self::BackendStalled
            | Self::Told(..)
            | Self::Panicked => self.code_to_client().map_or(1006, CloseCode::get),
        }
    }

    /// The label of logs and metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::ClientClosed(_) => "client_closed",
            Self::ClientEnded => "client_ended",
            Self::ClientLost => "client_lost",
            Self::ClientViolation(_) => "client_violation",
            Self::ClientStalled => "client_stalled",
            Self::ClientText => "client_text",
            Self::ClientFlood => "client_flood",
            Self::MessageUnfinished => "message_unfinished",
            Self::Idle => "idle",
            Self::PingUnanswered => "ping_unanswered",
            Self::BackendClosed(_) => "backend_closed",
            Self::BackendEnded => "backend_ended",
            Self::BackendLost => "backend_lost",
            Self::BackendViolation(_) => "backend_violation",
            Self::BackendNotText => "backend_not_text",
            Self::BackendStalled => "backend_stalled",
            Self::Told(cause, _) => cause.label(),
            Self::Panicked => "panicked",
        }
    }

    /// What exactly was wrong, where a peer did wrong.
    pub fn violation(self) -> Option<Breach> {
        match self {
            Self::ClientViolation(breach) => Some(breach),
            Self::BackendViolation(violation) => Some(violation.into()),
            Self::ClientClosed(_)
            | Self::ClientEnded
            | Self::ClientLost
            | Self::ClientText
            | Self::ClientFlood
            | Self::MessageUnfinished
            | Self::ClientStalled
            | Self::Idle
            | Self::PingUnanswered
            | Self::BackendClosed(_)
            | Self::BackendEnded
            | Self::BackendLost
            | Self::BackendNotText
            | Self::BackendStalled
            | Self::Told(..)
            | Self::Panicked => None,
        }
    }
}

impl Cause {
    const ALL: [Self; 7] = [
        Self::Drained,
        Self::Reloaded,
        Self::MaxAge,
        Self::TokenExpired,
        Self::KeysSpent,
        Self::Operator,
        Self::Overloaded,
    ];

    /// The one with this label.
    pub(crate) fn named(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.label() == label)
    }

    /// The label of logs and metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Drained => "drained",
            Self::Reloaded => "reloaded",
            Self::MaxAge => "max_age",
            Self::TokenExpired => "token_expired",
            Self::KeysSpent => "keys_spent",
            Self::Operator => "operator",
            Self::Overloaded => "overloaded",
        }
    }
}

impl Party {
    /// The label of metrics, the same as in the access log.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Backend => "backend",
            Self::Gateway => "gateway",
        }
    }
}

impl Breach {
    /// The Close code that says it.
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::Rfc6455(violation) => violation.close_code(),
            Self::Hybi00(violation) => violation.close_code(),
        }
    }
}
