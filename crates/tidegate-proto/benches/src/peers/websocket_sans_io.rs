//! websocket-sans-io: its decoder, which like ours hands out chunks in place. It does not check text.

use super::Peer;
use crate::wire::{Content, Sink, Socket, Wire};
use websocket_sans_io::{WebsocketFrameDecoder, WebsocketFrameEvent};

pub struct WebsocketSansIo<'w> {
    wire: &'w Wire,
    socket: Socket<'w>,
    decoder: WebsocketFrameDecoder,
    buffer: Vec<u8>,
}

impl<'w> Peer<'w> for WebsocketSansIo<'w> {
    fn new(wire: &'w Wire) -> Option<Self> {
        (wire.row.content == Content::Binary).then(|| Self {
            wire,
            socket: Socket::new(wire),
            decoder: WebsocketFrameDecoder::new(),
            buffer: vec![0; wire.row.read_len],
        })
    }

    fn pass<S: Sink>(&mut self, sink: &mut S) {
        let mut left = self.wire.frames;
        while left > 0 {
            let read = self.socket.next(self.buffer.len());
            self.buffer[..read.len()].copy_from_slice(read);
            let mut rest = &mut self.buffer[..read.len()];
            loop {
                let result = self.decoder.add_data(rest).expect("the wire is valid");
                let (now, later) = rest.split_at_mut(result.consumed_bytes);
                match result.event {
                    Some(WebsocketFrameEvent::PayloadChunk { .. }) => sink.payload(now),
                    Some(WebsocketFrameEvent::End { .. }) => {
                        sink.end();
                        left -= 1;
                    }
                    Some(WebsocketFrameEvent::Start { .. }) => {}
                    None if now.is_empty() => break,
                    None => {}
                }
                rest = later;
            }
        }
    }
}
