//! tokio-websockets: its stream of messages, polled over a socket that is always ready.

use super::{Peer, context};
use crate::wire::{Sink, Socket, Wire};
use futures_core::Stream;
use std::pin::Pin;
use std::task::Poll;
use tokio_websockets::{Limits, ServerBuilder, WebSocketStream};

pub struct TokioWebsockets<'w> {
    frames: usize,
    socket: WebSocketStream<Socket<'w>>,
}

impl<'w> Peer<'w> for TokioWebsockets<'w> {
    fn new(wire: &'w Wire) -> Option<Self> {
        let socket = ServerBuilder::new().limits(Limits::unlimited()).serve(Socket::new(wire));
        Some(Self { frames: wire.frames, socket })
    }

    fn pass<S: Sink>(&mut self, sink: &mut S) {
        let mut context = context();
        for _ in 0..self.frames {
            let Poll::Ready(Some(message)) = Pin::new(&mut self.socket).poll_next(&mut context) else {
                unreachable!("the socket is always ready and has no end");
            };
            sink.payload(message.expect("the wire is valid").as_payload());
            sink.end();
        }
    }
}
