//! How a session ends.

use std::fmt;
use std::io;

use tidegate_proto::{CloseStatus, Violation};

use super::incoming::Closed;

/// The first cause of an end.
#[derive(Debug)]
pub(crate) enum End {
    /// The server's Close, whoever sent one first.
    Closed(Closed),
    /// Without a Close, as both sides do it with `--no-close`.
    Ended,
    /// The server has gone without a Close.
    Lost(Option<io::Error>),
    /// The server broke the protocol.
    Violation(Violation),
    /// The server took nothing for too long.
    Stalled,
    /// The server did not answer a Ping in time.
    PingUnanswered,
    /// Neither side said anything for too long.
    Idle,
    /// The server did not answer our Close, or did not end, in time.
    Unanswered,
    /// The local side sent what is not UTF-8.
    NotText,
    /// The local side broke its connection.
    LocalLost,
    /// We were told to stop.
    Stopped,
}

impl End {
    /// Whether everything that was said has arrived, as far as anybody can know.
    pub(crate) const fn is_clean(&self) -> bool {
        match self {
            Self::Closed(Closed { status: CloseStatus::Code(code), .. }) => matches!(code.get(), 1000 | 1001),
            Self::Closed(_) | Self::Ended | Self::Stopped => true,
            Self::Lost(_)
            | Self::Violation(_)
            | Self::Stalled
            | Self::PingUnanswered
            | Self::Idle
            | Self::Unanswered
            | Self::NotText
            | Self::LocalLost => false,
        }
    }

    /// Whether the connection broke, so that the next one comes after a back-off (RFC 6455 §7.2.3).
    pub(crate) const fn is_abnormal(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::Stalled | Self::PingUnanswered)
    }

    /// The exit status for `stdio:`; the table is in docs/connect.md.
    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            Self::Closed(Closed { status: CloseStatus::Code(code), .. }) => match code.get() {
                1000 | 1001 => 0,
                registered @ 1002..=1014 => u8::try_from(registered - 900).expect("1014 - 900 is below 256"),
                3000..=3999 => 120,
                _ => 121,
            },
            Self::Closed(_) | Self::Ended | Self::Stopped => 0,
            Self::LocalLost => 1,
            Self::Lost(_) | Self::Unanswered => 5,
            Self::Violation(_) => 6,
            Self::Stalled | Self::PingUnanswered | Self::Idle => 7,
            Self::NotText => 8,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(Closed { status, reason }) => {
                write!(f, "closed with {}", status.get())?;
                if reason.is_empty() { Ok(()) } else { write!(f, " ({reason})") }
            }
            Self::Ended => f.write_str("the connection has ended"),
            Self::Lost(None) => f.write_str("the server ended the connection without a Close"),
            Self::Lost(Some(error)) => write!(f, "the connection to the server broke: {error}"),
            Self::Violation(violation) => write!(f, "the server broke the protocol: {violation}"),
            Self::Stalled => f.write_str("the server took nothing for too long (--stall-timeout)"),
            Self::PingUnanswered => f.write_str("the server did not answer a Ping in time (--ping-timeout)"),
            Self::Idle => f.write_str("neither side said anything for too long (--idle-timeout)"),
            Self::Unanswered => {
                f.write_str("the server did not end the connection in time (--close-timeout)")
            }
            Self::NotText => f.write_str("what came in is not UTF-8, which --text needs"),
            Self::LocalLost => f.write_str("the local connection broke"),
            Self::Stopped => f.write_str("told to stop"),
        }
    }
}

#[cfg(test)]
mod tests {
    use tidegate_proto::CloseCode;

    use super::*;

    #[test]
    fn each_close_code_has_its_exit_status() {
        let status = |code| {
            let status = CloseStatus::Code(CloseCode::new(code).unwrap());
            End::Closed(Closed { status, reason: String::new() }).exit_status()
        };
        let table = [(1000, 0), (1001, 0), (1002, 102), (1008, 108), (1011, 111), (1014, 114)];
        for (code, exit) in table.into_iter().chain([(3000, 120), (3999, 120), (4000, 121), (4999, 121)]) {
            assert_eq!(status(code), exit, "{code}");
        }
    }
}
