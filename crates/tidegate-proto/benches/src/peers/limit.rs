//! What the machine needs at least: the copy of each read, one XOR for each frame, one validation of as much text. Nothing is
//! parsed, so there is nothing to check.

use super::Peer;
use crate::wire::{Content, Sink, Socket, Wire};

/// The reads of one pass, copied.
pub struct Copy<'w> {
    wire: &'w Wire,
    socket: Socket<'w>,
    buffer: Vec<u8>,
}

impl Copy<'_> {
    fn pass_with(&mut self, mut then: impl FnMut(&mut [u8])) {
        let mut left = self.wire.bytes.len();
        while left > 0 {
            let read = self.socket.next(self.buffer.len());
            left -= read.len();
            let copied = &mut self.buffer[..read.len()];
            copied.copy_from_slice(read);
            then(std::hint::black_box(copied));
        }
    }
}

impl<'w> Peer<'w> for Copy<'w> {
    fn new(wire: &'w Wire) -> Option<Self> {
        Some(Self { wire, socket: Socket::new(wire), buffer: vec![0; wire.row.read_len] })
    }

    fn pass<S: Sink>(&mut self, sink: &mut S) {
        self.pass_with(|read| sink.payload(read));
    }
}

/// The same with the best XOR loop there is, once for as many bytes as a frame has: no two frames have the same key.
pub struct CopyXor<'w>(Copy<'w>);

impl<'w> Peer<'w> for CopyXor<'w> {
    fn new(wire: &'w Wire) -> Option<Self> {
        Copy::new(wire).map(Self)
    }

    fn pass<S: Sink>(&mut self, sink: &mut S) {
        let frame_len = self.0.wire.bytes.len() / self.0.wire.frames;
        self.0.pass_with(|read| {
            xor_frames(read, frame_len);
            sink.payload(read);
        });
    }
}

/// The same with the best validation there is, of as much of the row's text as was read.
pub struct CopyXorUtf8<'w>(Copy<'w>);

impl<'w> Peer<'w> for CopyXorUtf8<'w> {
    fn new(wire: &'w Wire) -> Option<Self> {
        if wire.row.content == Content::Binary { None } else { Copy::new(wire).map(Self) }
    }

    fn pass<S: Sink>(&mut self, sink: &mut S) {
        let text = &self.0.wire.text;
        let frame_len = self.0.wire.bytes.len() / self.0.wire.frames;
        self.0.pass_with(|read| {
            xor_frames(read, frame_len);
            std::hint::black_box(tidegate_simd::is_utf8(&text[..read.len().min(text.len())]));
            sink.payload(read);
        });
    }
}

fn xor_frames(read: &mut [u8], frame_len: usize) {
    let mut key = 0x3d21_fa37_u32;
    for frame in read.chunks_mut(frame_len) {
        key = key.rotate_left(5);
        tidegate_simd::xor(frame, key.to_le_bytes());
    }
}
