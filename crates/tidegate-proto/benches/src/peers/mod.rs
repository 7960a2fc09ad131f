//! The subjects: each takes all frames of the wire apart once, and hands their payloads to a sink.

mod fastwebsockets;
mod limit;
mod sockudo;
mod tidegate;
mod tokio_websockets;
mod tungstenite;
mod websocket_sans_io;
mod yawc;

use crate::wire::{Digest, Sink, Socket, Touch, Wire};
use bytes::BytesMut;

/// One connection of one crate.
pub trait Peer<'w>: Sized {
    /// `None` where it does not do what the row asks for.
    fn new(wire: &'w Wire) -> Option<Self>;

    /// Once through the wire.
    fn pass<S: Sink>(&mut self, sink: &mut S);
}

/// A peer as the measurement sees it.
pub trait Subject {
    fn pass(&mut self);
    fn digest(&mut self) -> Digest;
}

impl<'w, P: Peer<'w>> Subject for P {
    fn pass(&mut self) {
        Peer::pass(self, &mut Touch);
    }

    fn digest(&mut self) -> Digest {
        let mut digest = Digest::default();
        Peer::pass(self, &mut digest);
        digest
    }
}

/// The columns of the table. The first is what the others are compared with; the limits stand last.
pub const NAMES: [&str; 10] = [
    "tidegate-proto",
    "tungstenite",
    "fastwebsockets",
    "tokio-websockets",
    "sockudo-ws",
    "yawc",
    "websocket-sans-io",
    "copy",
    "copy + xor",
    "copy + xor + UTF-8",
];

/// How many of [`NAMES`] are limits, which parse nothing and therefore give no payloads to check.
pub const LIMITS: usize = 3;

/// All peers over the same wire, in the order of [`NAMES`].
pub fn all<'w>(wire: &'w Wire) -> [Option<Box<dyn Subject + 'w>>; NAMES.len()] {
    [
        boxed::<tidegate::Tidegate<'w>>(wire),
        boxed::<tungstenite::Tungstenite<'w>>(wire),
        boxed::<fastwebsockets::Fastwebsockets<'w>>(wire),
        boxed::<tokio_websockets::TokioWebsockets<'w>>(wire),
        boxed::<sockudo::Sockudo<'w>>(wire),
        boxed::<yawc::Yawc<'w>>(wire),
        boxed::<websocket_sans_io::WebsocketSansIo<'w>>(wire),
        boxed::<limit::Copy<'w>>(wire),
        boxed::<limit::CopyXor<'w>>(wire),
        boxed::<limit::CopyXorUtf8<'w>>(wire),
    ]
}

fn boxed<'w, P: Peer<'w> + 'w>(wire: &'w Wire) -> Option<Box<dyn Subject + 'w>> {
    P::new(wire).map(|peer| Box::new(peer) as Box<dyn Subject + 'w>)
}

/// More than any frame of any row.
const BYTES_MAX: usize = 64 << 20;

/// For peers that decode from a [`BytesMut`]: appends the next read of `socket`, as `poll_read_buf` would.
fn read_into(buffer: &mut BytesMut, socket: &mut Socket<'_>, read_len: usize) {
    buffer.reserve(read_len);
    buffer.extend_from_slice(socket.next(read_len));
}

/// For peers that are futures or streams over a socket that is always ready.
fn context() -> std::task::Context<'static> {
    std::task::Context::from_waker(std::task::Waker::noop())
}
