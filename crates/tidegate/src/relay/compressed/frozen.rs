//! The compressed side as it is written down for another process, and taken up there: between two messages it is what was
//! agreed, and nothing else.

use tidegate_proto::Receiver;
use tidegate_proto::deflate::{Context, WindowBits};
use tidegate_proto::handshake::{DeflateAgreement, DeflateSide};

use super::Compression;
use crate::handover::StayReason;
use crate::handover::capabilities::Capabilities;
use crate::handover::record;
use crate::relay::Far;
use crate::relay::endpoint::Endpoint;
use crate::relay::frozen::Unfit;

impl Compression {
    /// Whether it can be moved just now, to a process with these capabilities. `receiver` is the client's.
    pub(in crate::relay) fn may_move(
        &self,
        receiver: &Receiver,
        capabilities: Capabilities,
    ) -> Result<(), StayReason> {
        let DeflateAgreement { server, client } = self.agreement;
        if !capabilities.deflate || [server, client].iter().any(|side| side.context != Context::Fresh) {
            return Err(StayReason::Compression);
        }
        let is_between_messages =
            self.held.is_empty() && receiver.at_message_boundary() && self.encoder.at_message_boundary();
        if is_between_messages { Ok(()) } else { Err(StayReason::MidCompressedMessage) }
    }

    /// Writes it down, for one that [may move](Self::may_move).
    pub(in crate::relay) fn write_down(&self) -> record::Deflate {
        record::Deflate {
            client_window: self.agreement.client.window.get(),
            server_window: self.agreement.server.window.get(),
            message_bytes_max: self.message_bytes_max,
            frame_bytes_max: self.frame_bytes_max as u64,
        }
    }

    /// Takes it up, with the client that it reads from.
    ///
    /// # Errors
    /// It is none that could have been written down.
    pub(in crate::relay) fn take_up(
        written: &record::Deflate,
        client: &mut Endpoint,
        far: &Far,
    ) -> Result<Self, Unfit> {
        let side = |window: u8| {
            let window =
                WindowBits::try_from(window).map_err(|_| Unfit::State("a window that none may be"))?;
            Ok::<_, Unfit>(DeflateSide { window, context: Context::Fresh })
        };
        let agreement =
            DeflateAgreement { server: side(written.server_window)?, client: side(written.client_window)? };
        if !client.receiver.at_message_boundary() {
            return Err(Unfit::State("in the middle of a compressed message"));
        }
        if matches!(far, Far::WebSocket(_)) {
            return Err(Unfit::State("a WebSocket backend compresses by itself"));
        }
        let compression = Self::new(agreement, written.message_bytes_max, written.frame_bytes_max);
        let decoder = client.receiver.decoder_mut().clone();
        client.receiver = Receiver::new(decoder).with_deflate(compression.inflater());
        Ok(compression)
    }
}
