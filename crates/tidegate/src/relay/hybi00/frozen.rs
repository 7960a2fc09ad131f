//! The hybi-00 side as it is written down for another process, and taken up there.

use tidegate_proto::MessageType;

use super::websocket::{FRAGMENT_BYTES_MIN, Fragments};
use super::{Hybi00, message_type};
use crate::handover::record::{self, Octets};
use crate::relay::endpoint::{Endpoint, fresh_mask};
use crate::relay::frozen::Unfit;

impl Hybi00 {
    /// Writes it down. That the backend said what is no text is not: with it the closing begins.
    pub(in crate::relay) fn write_down(&self) -> record::Hybi00 {
        record::Hybi00 {
            decoder: self.decoder.clone(),
            encoder: self.encoder.clone(),
            frame_bytes_max: self.fragments.frame_bytes_max as u64,
            begun: !self.fragments.encoder.at_message_boundary(),
            held: Octets(self.fragments.held.clone()),
        }
    }

    /// Takes it up, with the client that speaks so.
    ///
    /// # Errors
    /// It is none that could have been written down.
    pub(in crate::relay) fn take_up(written: record::Hybi00, client: &mut Endpoint) -> Result<Self, Unfit> {
        let record::Hybi00 { decoder, encoder, frame_bytes_max, begun, held: Octets(held) } = written;
        let coding = decoder.coding();
        if encoder.coding() != coding {
            return Err(Unfit::State("hybi-00 is coded alike in both directions"));
        }
        if held.len() >= FRAGMENT_BYTES_MIN {
            return Err(Unfit::State("more of a message is held than becomes a fragment"));
        }
        client.speak_hybi00();
        let fragments = Fragments::going_on(message_type(coding), frame_bytes_max, begun, held);
        Ok(Self { decoder, encoder, coding, fragments, not_text: false })
    }
}

impl Fragments {
    fn going_on(message: MessageType, frame_bytes_max: u64, begun: bool, held: Vec<u8>) -> Self {
        let mut fragments = Self::new(message, frame_bytes_max);
        fragments.held = held;
        if begun {
            let first = fragments.encoder.frame(message, &mut [], false, Some(fresh_mask()));
            first.expect("a client's frames are masked, and this is its first"); // the backend has it already
        }
        fragments
    }
}
