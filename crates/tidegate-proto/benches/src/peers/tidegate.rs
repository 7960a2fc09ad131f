//! The crate under test: chunks of messages are handed out as they arrive, as slices of the read buffer.

use super::{BYTES_MAX, Peer};
use crate::wire::{Sink, Socket, Wire};
use tidegate_proto::{CARRY_BYTES_MAX, Decoder, Event, Limits, Role};

pub struct Tidegate<'w> {
    wire: &'w Wire,
    socket: Socket<'w>,
    decoder: Decoder,
    buffer: Vec<u8>,
}

impl<'w> Peer<'w> for Tidegate<'w> {
    fn new(wire: &'w Wire) -> Option<Self> {
        let limits = Limits {
            frame_bytes_max: BYTES_MAX as u64,
            message_bytes_max: BYTES_MAX as u64,
            ..Limits::default()
        };
        Some(Self {
            wire,
            socket: Socket::new(wire),
            decoder: Decoder::new(Role::Server, limits),
            buffer: vec![0; wire.row.read_len + CARRY_BYTES_MAX],
        })
    }

    fn pass<S: Sink>(&mut self, sink: &mut S) {
        let mut carry = 0;
        let mut left = self.wire.frames;
        while left > 0 {
            let read = self.socket.next(self.wire.row.read_len);
            let end = carry + read.len();
            self.buffer[carry..end].copy_from_slice(read);
            let mut rest = &mut self.buffer[..end];
            while let Some((consumed, event)) = self.decoder.decode(rest).expect("the wire is valid") {
                if let Event::Data { payload, ends_message, .. } = event {
                    sink.payload(payload);
                    if ends_message {
                        sink.end();
                        left -= 1;
                    }
                }
                rest = &mut rest[consumed..];
            }
            carry = rest.len();
            self.buffer.copy_within(end - carry..end, 0);
        }
    }
}
