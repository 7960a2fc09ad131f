//! Both directions of a connection, its closing and its clock, for either role.

use alloc::boxed::Box;
use core::time::Duration;

use crate::keepalive::{Demand, Keepalive, Times};
use crate::{
    Close, CloseCode, Closing, ControlFrame, Encoded, Encoder, Event, MaskingKey, MessageType, Opcode,
    Receiver, Role, SendError, Violation,
};

/// A WebSocket after its opening handshake.
///
/// It never waits and never fails by itself: call [`handle_bytes`](Self::handle_bytes) with what was read,
/// [`poll_control`](Self::poll_control) for what is owed, [`encode`](Self::encode) for what is to be said, and
/// [`handle_time`](Self::handle_time) when [`deadline`](Self::deadline) has come. The order is free, but for two rules:
/// what `poll_control` and `encode` return is sent in that order and whole, and after each of these calls
/// `poll_control` may have something new.
#[derive(Debug)]
pub struct Connection {
    role: Role,
    receiver: Receiver,
    encoder: Encoder,
    closing: Closing,
    keepalive: Keepalive,
    close_timeout: Duration,
    /// When waiting for the peer's part in the closing ends.
    close_until: Option<Duration>,
    /// Frames without mask; the key comes when they are sent.
    pong_due: Option<Box<ControlFrame>>,
    ping_due: bool,
    close_due: Option<Box<ControlFrame>>,
    /// The code of the Close that was received, or 1005 for one without.
    close_received: Option<CloseStatus>,
    /// Nothing more is read: the peer broke the protocol, or its bytes have ended.
    deaf: bool,
    expired: bool,
}

/// How a connection was closed, for whoever asks afterwards (§7.1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseStatus {
    /// The peer's Close gave this code.
    Code(CloseCode),
    /// The peer's Close gave none: 1005, which is never on the wire.
    NoCode,
    /// No Close arrived: 1006, which is never on the wire.
    Abnormal,
}

impl CloseStatus {
    /// The number that the API of browsers shows.
    pub const fn get(self) -> u16 {
        match self {
            Self::Code(code) => code.get(),
            Self::NoCode => 1005,
            Self::Abnormal => 1006,
        }
    }
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Data may be sent.
    Open,
    /// A Close was sent, received, or is due. The socket stays.
    Closing,
    /// Everything is said: end our direction of TCP after what was sent, and read and drop what still arrives for a
    /// bounded time (§7.1.1). At a client this phase begins when the server has ended TCP, or has taken too long.
    Over,
}

impl Connection {
    /// A connection whose opening handshake is complete at `now`. `ping_payload` is that of our Pings.
    pub fn new(
        receiver: Receiver,
        encoder: Encoder,
        times: &Times,
        now: Duration,
        ping_payload: [u8; 8],
    ) -> Self {
        Self {
            role: encoder.role(),
            receiver,
            encoder,
            closing: Closing::default(),
            keepalive: Keepalive::new(now, times, ping_payload),
            close_timeout: times.close_timeout,
            close_until: None,
            pong_due: None,
            ping_due: false,
            close_due: None,
            close_received: None,
            deaf: false,
            expired: false,
        }
    }

    /// How far the connection is.
    pub const fn phase(&self) -> Phase {
        let sent = !self.closing.may_send();
        if self.expired || (sent && self.deaf) {
            return Phase::Over;
        }
        match (sent, self.closing.received()) {
            (true, true) if matches!(self.role, Role::Server) => Phase::Over,
            (false, false) if self.close_due.is_none() && !self.deaf => Phase::Open,
            _ => Phase::Closing,
        }
    }

    /// Whether data may still be sent: no Close of ours was sent or is due.
    pub const fn may_send(&self) -> bool {
        self.closing.may_send() && self.close_due.is_none()
    }

    /// How it was closed, as far as the peer said.
    pub fn close_status(&self) -> CloseStatus {
        self.close_received.unwrap_or(CloseStatus::Abnormal)
    }

    /// Takes the next event from the front of the bytes read; `None` if more bytes are needed, or if nothing that the
    /// peer sends is of interest any more. See [`Receiver::receive`] for `bytes` and `room`.
    ///
    /// Pings and Closes are answered by themselves, through [`poll_control`](Self::poll_control).
    ///
    /// # Errors
    /// The peer's fault. It is told once, and the Close that answers it is due; later calls return `None`.
    #[inline]
    pub fn handle_bytes<'a>(
        &mut self,
        now: Duration,
        bytes: &'a mut [u8],
        room: &'a mut [u8],
    ) -> Result<Option<(usize, Event<'a>)>, Violation> {
        if self.deaf || self.closing.received() {
            return Ok(None);
        }
        let (consumed, event) = match self.receiver.receive(bytes, room) {
            Ok(Some(received)) => received,
            Ok(None) => return Ok(None),
            Err(violation) => {
                self.fail(now, violation);
                return Err(violation);
            }
        };
        match &event {
            Event::Data { .. } => self.keepalive.heard(now),
            Event::Ping(payload) => {
                self.keepalive.heard(now);
                self.owe_pong(payload);
            }
            Event::Pong(payload) => {
                if !self.keepalive.answered(payload) {
                    self.keepalive.heard(now);
                }
            }
            Event::Close(close) => self.received_close(now, close),
        }
        Ok(Some((consumed, event)))
    }

    /// The peer's bytes have ended (FIN, reset, or TLS close): nothing more will be read.
    pub const fn handle_end(&mut self) {
        self.deaf = true;
        self.keepalive.stop();
        if !self.closing.received() {
            self.expired = true; // an abnormal end; after a Close, our own is still owed
        }
    }

    /// When [`handle_time`](Self::handle_time) must be called, as the time that `now` arguments count.
    pub fn deadline(&self) -> Option<Duration> {
        if self.phase() == Phase::Over {
            return None;
        }
        self.keepalive.deadline().into_iter().chain(self.close_until).min()
    }

    /// Does what the clock demands. What it returns is for the log: what follows from it is done already.
    pub fn handle_time(&mut self, now: Duration) -> Option<Demand> {
        if self.close_until.is_some_and(|until| now >= until) {
            self.expired = true;
        }
        let demand = self.keepalive.demand(now, false)?;
        match demand {
            Demand::Ping => self.ping_due = true,
            Demand::Unanswered => self.close(now, &Close::code(CloseCode::INTERNAL_ERROR)),
            Demand::Idle => self.close(now, &Close::code(CloseCode::GOING_AWAY)),
        }
        Some(demand)
    }

    /// The next control frame to be sent, if one is due. A client gives a fresh, unpredictable key; a server `None`.
    ///
    /// # Errors
    /// The key does not fit the role; nothing has changed.
    pub fn poll_control(
        &mut self,
        now: Duration,
        mask: Option<MaskingKey>,
    ) -> Result<Option<ControlFrame>, SendError> {
        self.encoder.check_mask(mask)?;
        if !self.closing.may_send() {
            return Ok(None);
        }
        if let Some(pong) = self.pong_due.take() {
            return Ok(Some(pong.masked(mask)));
        }
        if core::mem::take(&mut self.ping_due) {
            self.keepalive.pinged(now);
            return Ok(Some(ControlFrame::new(Opcode::Ping, self.keepalive.payload(), mask)));
        }
        let Some(close) = self.close_due.take() else { return Ok(None) };
        let _first = self.closing.send();
        self.close_until = Some(now + self.close_timeout);
        Ok(Some(close.masked(mask)))
    }

    /// Makes the next frame of a message; see [`Encoder::encode`].
    ///
    /// # Errors
    /// The caller's fault, or [`SendError::Closing`].
    #[inline]
    pub fn encode(
        &mut self,
        message: MessageType,
        payload: &[u8],
        ends_message: bool,
        mask: Option<MaskingKey>,
        room: &mut [u8],
    ) -> Result<Encoded, SendError> {
        self.check_open()?;
        self.encoder.encode(message, payload, ends_message, mask, room)
    }

    /// Makes `payload` the next frame of a plain message without a copy; see [`Encoder::frame`].
    ///
    /// # Errors
    /// The caller's fault, or [`SendError::Closing`].
    #[inline]
    pub fn frame(
        &mut self,
        message: MessageType,
        payload: &mut [u8],
        ends_message: bool,
        mask: Option<MaskingKey>,
    ) -> Result<crate::HeaderBytes, SendError> {
        self.check_open()?;
        self.encoder.frame(message, payload, ends_message, mask)
    }

    /// Puts a Ping in line, although none is due.
    pub const fn ping(&mut self) {
        self.ping_due = true;
    }

    /// Begins the closing handshake, unless it has begun. Data that waits to be sent should go before.
    pub fn close(&mut self, now: Duration, close: &Close<'_>) {
        if self.closing.may_send() && self.close_due.is_none() {
            self.close_due = Some(Box::new(close.frame(None)));
            self.close_until = Some(now + self.close_timeout);
            self.keepalive.stop();
        }
    }

    /// RFC 6455 §7.1.7: tell the peer why, and listen no more.
    fn fail(&mut self, now: Duration, violation: Violation) {
        self.deaf = true;
        self.close(now, &Close::code(violation.close_code()));
        self.keepalive.stop();
    }

    fn received_close(&mut self, now: Duration, close: &Close<'_>) {
        self.close_received = Some(close.code.map_or(CloseStatus::NoCode, CloseStatus::Code));
        if self.closing.receive() {
            self.close(now, &Close { code: close.code, reason: "" });
        }
        self.close_until = Some(now + self.close_timeout);
        self.keepalive.stop();
    }

    /// A newer Ping takes the place of an older one (§5.5.3).
    fn owe_pong(&mut self, payload: &[u8]) {
        if self.closing.may_send() {
            self.pong_due = Some(Box::new(ControlFrame::new(Opcode::Pong, payload, None)));
        }
    }

    const fn check_open(&self) -> Result<(), SendError> {
        if self.may_send() { Ok(()) } else { Err(SendError::Closing) }
    }
}
