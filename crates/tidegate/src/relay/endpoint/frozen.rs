//! An endpoint as it is written down for another process, and taken up there.

use std::os::fd::OwnedFd;

use tidegate_proto::{CARRY_BYTES_MAX, Closing, ControlFrame, MaskingKey, Receiver, Role};
use tokio::time::Instant;

use super::Endpoint;
use crate::handover::StayReason;
use crate::handover::capabilities::Capabilities;
use crate::handover::record::{self, Octets};
use crate::relay::frozen::Unfit;
use crate::relay::leg::Leg;

impl Endpoint {
    /// Whether it can be moved: its closing has not begun, and its socket [can](Leg::may_move).
    pub(in crate::relay) fn may_move(&self, capabilities: Capabilities) -> Result<(), StayReason> {
        let closes = self.closing != Closing::default() || self.due_close().is_some();
        if closes || self.failed || self.close_until.is_some() {
            return Err(StayReason::Closing);
        }
        self.leg.may_move(capabilities)
    }

    /// Writes it down, for one that [may move](Self::may_move).
    pub(in crate::relay) fn write_down(&mut self, now: Instant) -> record::Endpoint {
        let due = self.due.as_deref();
        record::Endpoint {
            leg: self.leg.write_down(now),
            decoder: self.receiver.decoder_mut().clone(),
            carry: Octets(self.carry.to_vec()),
            mid_frame: self.mid_frame,
            mid_message: self.mid_message,
            pong: due.and_then(|due| due.pong.as_ref()).map(|pong| Octets(payload(pong))),
            ping: due.is_some_and(|due| due.ping.is_some()),
        }
    }

    /// Takes it up. `role` is ours in it, `ping` the payload of our pings.
    ///
    /// # Errors
    /// It is none that could have been written down, or the event queue does not take its socket.
    pub(in crate::relay) fn take_up(
        written: record::Endpoint,
        descriptor: OwnedFd,
        role: Role,
        ping: &[u8],
    ) -> Result<Self, Unfit> {
        let Octets(carry) = written.carry;
        if carry.len() > CARRY_BYTES_MAX {
            return Err(Unfit::State("more of a header is kept than there is in one"));
        }
        let leg = Leg::take_up(written.leg, descriptor)?;
        let mut endpoint = Self {
            carry: carry.into(),
            mid_frame: written.mid_frame,
            mid_message: written.mid_message,
            due: None,
            ..Self::new(leg, Receiver::new(written.decoder), role)
        };
        if let Some(Octets(pong)) = written.pong {
            endpoint.owe_pong(&pong);
        }
        if written.ping {
            endpoint.owe_ping(ping);
        }
        Ok(endpoint)
    }
}

/// The payload of a control frame of ours, which may be masked.
fn payload(frame: &ControlFrame) -> Vec<u8> {
    const MASK_BIT: u8 = 0x80;
    match frame.as_slice() {
        [_, length, payload @ ..] if length & MASK_BIT == 0 => payload.to_vec(),
        [_, _, k0, k1, k2, k3, masked @ ..] => {
            let mut payload = masked.to_vec();
            MaskingKey::new([*k0, *k1, *k2, *k3]).apply(&mut payload);
            payload
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_proto::Opcode;

    #[test]
    fn the_payload_of_a_frame_of_ours() {
        for mask in [None, Some(MaskingKey::new([1, 2, 3, 4]))] {
            for said in [&b""[..], b"a", &[7; 125]] {
                assert_eq!(payload(&ControlFrame::new(Opcode::Pong, said, mask)), said);
            }
        }
    }
}
