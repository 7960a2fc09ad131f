//! tungstenite: `WebSocket::read` over a blocking reader. (Its `FrameSocket` leaves payloads masked.)

use super::Peer;
use crate::wire::{Sink, Socket, Wire};
use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};

pub struct Tungstenite<'w> {
    frames: usize,
    socket: WebSocket<Socket<'w>>,
}

impl<'w> Peer<'w> for Tungstenite<'w> {
    fn new(wire: &'w Wire) -> Option<Self> {
        let config = WebSocketConfig::default()
            .read_buffer_size(wire.row.read_len)
            .max_frame_size(None)
            .max_message_size(None);
        let socket = WebSocket::from_raw_socket(Socket::new(wire), Role::Server, Some(config));
        Some(Self { frames: wire.frames, socket })
    }

    fn pass<S: Sink>(&mut self, sink: &mut S) {
        for _ in 0..self.frames {
            let message = self.socket.read().expect("the wire is valid");
            sink.payload(&message.into_data());
            sink.end();
        }
    }
}
