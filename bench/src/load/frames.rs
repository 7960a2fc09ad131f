//! Frames as they arrive, for both ends of the load.

use tidegate_proto::{CARRY_BYTES_MAX, Decoder, Limits, Role, Step};

/// Bytes in front of what is read: the beginning of a header that the last read cut.
pub(super) const HEADROOM: usize = CARRY_BYTES_MAX;

pub(super) struct Frames {
    decoder: Decoder,
    carry: Vec<u8>,
}

impl Frames {
    pub(super) fn new(role: Role) -> Self {
        Self { decoder: Decoder::new(role, Limits::NONE), carry: Vec::new() }
    }

    /// Shows each frame, or the part of it that is there: header, payload as on the wire, and what the decoder says. What
    /// was read begins at [`HEADROOM`].
    pub(super) fn each(
        &mut self,
        buffer: &mut [u8],
        read: usize,
        mut show: impl FnMut(&[u8], &mut [u8], Step),
    ) -> anyhow::Result<()> {
        let mut at = HEADROOM - self.carry.len();
        buffer[at..HEADROOM].copy_from_slice(&self.carry);
        let end = HEADROOM + read;
        while let Some(step) = self.decoder.step(&buffer[at..end])? {
            let frame = &mut buffer[at..at + step.len()];
            let (header, payload) = frame.split_at_mut(step.header_len);
            show(header, payload, step);
            at += step.len();
        }
        self.carry.clear();
        self.carry.extend_from_slice(&buffer[at..end]);
        Ok(())
    }
}
