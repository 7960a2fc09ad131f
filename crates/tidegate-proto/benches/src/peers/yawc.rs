//! yawc: its codec; for text with the check that its message layer makes of each frame.

use super::{BYTES_MAX, Peer, read_into};
use crate::wire::{Content, Sink, Socket, Wire};
use bytes::BytesMut;
use tokio_util::codec::Decoder as _;
use yawc::Role;
use yawc::codec::Decoder;

pub struct Yawc<'w> {
    wire: &'w Wire,
    socket: Socket<'w>,
    buffer: BytesMut,
    decoder: Decoder,
}

impl<'w> Peer<'w> for Yawc<'w> {
    fn new(wire: &'w Wire) -> Option<Self> {
        Some(Self {
            wire,
            socket: Socket::new(wire),
            buffer: BytesMut::new(),
            decoder: Decoder::new(Role::Server, BYTES_MAX),
        })
    }

    fn pass<S: Sink>(&mut self, sink: &mut S) {
        let mut left = self.wire.frames;
        while left > 0 {
            read_into(&mut self.buffer, &mut self.socket, self.wire.row.read_len);
            while let Some(frame) = self.decoder.decode(&mut self.buffer).expect("the wire is valid") {
                if self.wire.row.content != Content::Binary {
                    simdutf8::basic::from_utf8(frame.payload()).expect("the wire is valid");
                }
                sink.payload(frame.payload());
                sink.end();
                left -= 1;
            }
        }
    }
}
