//! Closing: codes, reasons, and the closing handshake as a state machine (RFC 6455 §5.5.1, §7).

use crate::{ControlFrame, MaskingKey, Opcode, Violation};
use core::fmt;

/// Bytes of the longest reason: 123. A control frame carries at most 125 (§5.5), and two of them are the code.
pub const CLOSE_REASON_BYTES_MAX: usize = crate::CONTROL_PAYLOAD_MAX - 2;

/// A status code that may stand in a Close frame (§7.4): 1000–1003, 1007–1014 or 3000–4999.
///
/// 1004, 1005, 1006 and 1015 are reserved and never on the wire; 1016–2999 are unassigned, and 5000 and above are
/// refused by our own policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the endpoint goes away.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a type of data that cannot be accepted.
    pub const UNSUPPORTED: Self = Self(1003);
    /// 1007: data that contradicts the type of the message.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a policy was violated.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: the message is too big.
    pub const TOO_BIG: Self = Self(1009);
    /// 1011: an unexpected condition at the server.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts (IANA registry).
    pub const RESTART: Self = Self(1012);
    /// 1013: try again later (IANA registry).
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: the server behind this gateway gave an invalid response (IANA registry).
    pub const BAD_GATEWAY: Self = Self(1014);

    /// The code, if it may be on the wire.
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The body of a Close frame: nothing, or a code and a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Close<'a> {
    /// The code; `None` is what the API of browsers calls 1005.
    pub code: Option<CloseCode>,
    /// The reason, at most [`CLOSE_REASON_BYTES_MAX`] bytes; empty without a code.
    pub reason: &'a str,
}

impl<'a> Close<'a> {
    /// A Close with a code and no reason.
    pub const fn code(code: CloseCode) -> Self {
        Self { code: Some(code), reason: "" }
    }

    /// Reads the (unmasked) body of a Close frame.
    ///
    /// # Errors
    /// A body of one byte, a code that may not be on the wire, a reason that is not UTF-8: the peer's fault.
    pub fn parse(body: &'a [u8]) -> Result<Self, Violation> {
        match body {
            [] => Ok(Self { code: None, reason: "" }),
            [_] => Err(Violation::CloseBodyTooShort),
            [high, low, reason @ ..] => {
                let number = u16::from_be_bytes([*high, *low]);
                let code = CloseCode::new(number).ok_or(Violation::CloseCodeInvalid(number))?;
                let reason = core::str::from_utf8(reason).map_err(|_| Violation::CloseReasonInvalidUtf8)?;
                Ok(Self { code: Some(code), reason })
            }
        }
    }

    /// The frame that carries it; `mask` is a fresh key for a client and `None` for a server.
    ///
    /// A reason of more than [`CLOSE_REASON_BYTES_MAX`] bytes is cut before the code point that does not fit.
    pub fn frame(&self, mask: Option<MaskingKey>) -> ControlFrame {
        let Some(code) = self.code else {
            return ControlFrame::new(Opcode::Close, &[], mask);
        };
        let fits = self.reason.floor_char_boundary(CLOSE_REASON_BYTES_MAX);
        let reason = self.reason.get(..fits).unwrap_or_default();
        let mut body = [0u8; crate::CONTROL_PAYLOAD_MAX];
        let bytes = code.get().to_be_bytes().into_iter().chain(reason.bytes());
        let mut len = 0;
        for (slot, byte) in body.iter_mut().zip(bytes) {
            *slot = byte;
            len += 1;
        }
        ControlFrame::new(Opcode::Close, body.get(..len).unwrap_or_default(), mask)
    }
}

/// The closing handshake of one connection (§7.1): at most one Close in each direction.
///
/// | sent | received | state |
/// |---|---|---|
/// | no | no | open: data may be sent |
/// | yes | no | closing, begun by us: nothing more may be sent, the peer's Close is awaited |
/// | no | yes | closing, begun by the peer: a Close is owed |
/// | yes | yes | closed: a server closes TCP at once, a client waits for that |
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Closing {
    sent: bool,
    received: bool,
}

impl Closing {
    /// Notes that a Close is about to be sent. `false`: one was sent before, and this one must not be.
    #[must_use]
    pub const fn send(&mut self) -> bool {
        let first = !self.sent;
        self.sent = true;
        first
    }

    /// Notes that the peer's Close arrived. `true`: a Close of our own is owed in answer (§5.5.1).
    #[must_use]
    pub const fn receive(&mut self) -> bool {
        self.received = true;
        !self.sent
    }

    /// Whether data, Ping and Pong may still be sent: no Close was.
    pub const fn may_send(&self) -> bool {
        !self.sent
    }

    /// Whether the peer's Close arrived; what follows it is not looked at.
    pub const fn received(&self) -> bool {
        self.received
    }

    /// Whether both Close frames were seen.
    pub const fn is_complete(&self) -> bool {
        self.sent && self.received
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_on_the_wire() {
        for code in
            [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
        {
            assert_eq!(CloseCode::new(code).map(CloseCode::get), Some(code));
        }
        assert_eq!(std::format!("{}", CloseCode::GOING_AWAY), "1001");
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
            assert_eq!(CloseCode::new(code), None, "{code}");
            assert_eq!(Close::parse(&code.to_be_bytes()), Err(Violation::CloseCodeInvalid(code)));
        }
    }

    #[test]
    fn bodies() {
        assert_eq!(Close::parse(b""), Ok(Close { code: None, reason: "" }));
        assert_eq!(Close::parse(b"\x03"), Err(Violation::CloseBodyTooShort));
        assert_eq!(Close::parse(b"\x03\xe8bye"), Ok(Close { code: Some(CloseCode::NORMAL), reason: "bye" }));
        assert_eq!(Close::parse(b"\x03\xe8\xff"), Err(Violation::CloseReasonInvalidUtf8));
    }

    #[test]
    fn a_long_reason_is_cut_between_code_points() {
        let reason = "é".repeat(100);
        let frame = Close { code: Some(CloseCode::NORMAL), reason: &reason }.frame(None);
        let body = &frame.as_slice()[2..];
        assert_eq!(body.len(), 2 + 122);
        assert_eq!(Close::parse(body).unwrap().reason, "é".repeat(61));
    }

    #[test]
    fn at_most_one_close_each_way() {
        let mut ours = Closing::default();
        assert!(ours.may_send() && ours.send() && !ours.send() && !ours.may_send() && !ours.is_complete());
        assert!(!ours.received());
        assert!(!ours.receive(), "the answer to our Close is not answered");
        assert!(ours.received() && ours.is_complete());

        let mut theirs = Closing::default();
        assert!(theirs.receive() && theirs.received() && !theirs.is_complete());
        assert!(theirs.may_send() && theirs.send() && theirs.is_complete());
    }
}
