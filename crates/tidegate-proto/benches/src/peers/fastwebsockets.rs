//! fastwebsockets: `WebSocket::read_frame`, polled over a socket that is always ready.

use super::{BYTES_MAX, Peer, context};
use crate::wire::{Sink, Socket, Wire};
use fastwebsockets::{Role, WebSocket};
use std::pin::pin;
use std::task::Poll;

pub struct Fastwebsockets<'w> {
    frames: usize,
    socket: WebSocket<Socket<'w>>,
}

impl<'w> Peer<'w> for Fastwebsockets<'w> {
    fn new(wire: &'w Wire) -> Option<Self> {
        let mut socket = WebSocket::after_handshake(Socket::new(wire), Role::Server);
        socket.set_max_message_size(BYTES_MAX);
        Some(Self { frames: wire.frames, socket })
    }

    fn pass<S: Sink>(&mut self, sink: &mut S) {
        let mut context = context();
        for _ in 0..self.frames {
            let Poll::Ready(frame) = pin!(self.socket.read_frame()).poll(&mut context) else {
                unreachable!("the socket is always ready");
            };
            sink.payload(&frame.expect("the wire is valid").payload);
            sink.end();
        }
    }
}
