//! sockudo-ws: its frame parser for binary rows, its message layer where text must be checked.

use super::{BYTES_MAX, Peer, read_into};
use crate::wire::{Content, Sink, Socket, Wire};
use bytes::BytesMut;
use sockudo_ws::frame::FrameParser;
use sockudo_ws::protocol::{Message, Protocol, Role};

pub struct Sockudo<'w> {
    wire: &'w Wire,
    socket: Socket<'w>,
    buffer: BytesMut,
    parser: FrameParser,
    protocol: Protocol,
    messages: Vec<Message>,
}

impl<'w> Peer<'w> for Sockudo<'w> {
    fn new(wire: &'w Wire) -> Option<Self> {
        Some(Self {
            wire,
            socket: Socket::new(wire),
            buffer: BytesMut::new(),
            parser: FrameParser::new(BYTES_MAX, true),
            protocol: Protocol::new(Role::Server, BYTES_MAX, BYTES_MAX),
            messages: Vec::new(),
        })
    }

    fn pass<S: Sink>(&mut self, sink: &mut S) {
        let mut left = self.wire.frames;
        while left > 0 {
            read_into(&mut self.buffer, &mut self.socket, self.wire.row.read_len);
            if self.wire.row.content == Content::Binary {
                while let Some(frame) = self.parser.parse(&mut self.buffer).expect("the wire is valid") {
                    sink.payload(&frame.payload);
                    sink.end();
                    left -= 1;
                }
            } else {
                self.protocol.process_into(&mut self.buffer, &mut self.messages).expect("the wire is valid");
                for message in self.messages.drain(..) {
                    sink.payload(message.as_bytes());
                    sink.end();
                    left -= 1;
                }
            }
        }
    }
}
