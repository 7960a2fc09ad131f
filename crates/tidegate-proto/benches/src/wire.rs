//! What a client sends: frames with everything the peers must find out, and what they must have found at the end.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is in the frames of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Binary frames of any bytes.
    Binary,
    /// Text frames, of ASCII alone.
    Ascii,
    /// Text frames, with code points of one to four bytes.
    Mixed,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub name: &'static str,
    pub content: Content,
    pub payload_len: usize,
    /// The most that one read gives.
    pub read_len: usize,
}

/// The bytes of many masked frames.
pub struct Wire {
    pub row: Row,
    pub bytes: Vec<u8>,
    /// All payloads, unmasked.
    pub text: Vec<u8>,
    pub frames: usize,
    pub digest: Digest,
}

impl Wire {
    pub fn new(row: Row) -> Self {
        let frames = (WIRE_BYTES / row.payload_len).clamp(4, 4096);
        let mut wire = Self { row, bytes: Vec::new(), text: Vec::new(), frames, digest: Digest::default() };
        for index in 0..frames {
            let payload = payload(row, index as u64);
            wire.digest.payload(&payload);
            wire.digest.end();
            wire.text.extend(&payload);
            wire.push_frame(&payload, (index as u32).wrapping_mul(0x9e37_79b1).to_le_bytes());
        }
        wire
    }

    fn push_frame(&mut self, payload: &[u8], key: [u8; 4]) {
        self.bytes.push(if self.row.content == Content::Binary { 0x82 } else { 0x81 });
        match payload.len() {
            len @ 0..126 => self.bytes.push(0x80 | len as u8),
            len @ 126..0x1_0000 => {
                self.bytes.push(0xfe);
                self.bytes.extend((len as u16).to_be_bytes());
            }
            len => {
                self.bytes.push(0xff);
                self.bytes.extend((len as u64).to_be_bytes());
            }
        }
        self.bytes.extend(key);
        self.bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    }
}

/// Enough that no branch predictor learns it by heart, and little enough to stay in the second-level cache.
const WIRE_BYTES: usize = 1 << 19;

fn payload(row: Row, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut payload = Vec::with_capacity(row.payload_len + 4);
    while payload.len() < row.payload_len {
        match row.content {
            Content::Binary => payload.push(random() as u8),
            Content::Ascii => payload.push(b' ' + (random() % 95) as u8),
            Content::Mixed => {
                let points = ['a', 'e', 'n', ' ', 'ß', 'ж', '語', '€', '🙂'];
                let point = points[(random() % points.len() as u64) as usize];
                payload.extend(point.encode_utf8(&mut [0; 4]).bytes());
            }
        }
    }
    while payload.len() > row.payload_len
        || std::str::from_utf8(&payload).is_err_and(|_| row.content == Content::Mixed)
    {
        payload.pop();
    }
    payload.resize(row.payload_len, b'.');
    payload
}

/// Takes what a peer makes of the wire.
pub trait Sink {
    /// The next bytes of a message, unmasked.
    fn payload(&mut self, part: &[u8]);
    /// The message ends.
    fn end(&mut self);
}

/// A checksum over all payloads and their ends, in order (FNV-1a).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Sink for Digest {
    fn payload(&mut self, part: &[u8]) {
        for byte in part {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    fn end(&mut self) {
        self.0 = (self.0 ^ 0x100).wrapping_mul(0x100_0000_01b3);
    }
}

/// Makes the compiler believe that every payload is looked at.
pub struct Touch;

impl Sink for Touch {
    #[inline(always)]
    fn payload(&mut self, part: &[u8]) {
        std::hint::black_box(part);
    }

    #[inline(always)]
    fn end(&mut self) {}
}

/// A connection on which the wire arrives, over and over, as fast as it is read.
pub struct Socket<'w> {
    wire: &'w Wire,
    at: usize,
}

impl<'w> Socket<'w> {
    pub fn new(wire: &'w Wire) -> Self {
        Self { wire, at: 0 }
    }

    /// The next read of at most `len` bytes.
    #[inline]
    pub fn next(&mut self, len: usize) -> &'w [u8] {
        let rest = &self.wire.bytes[self.at..];
        let read = &rest[..len.min(self.wire.row.read_len).min(rest.len())];
        self.at = (self.at + read.len()) % self.wire.bytes.len();
        read
    }
}

impl io::Read for Socket<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.next(buf.len());
        buf[..read.len()].copy_from_slice(read);
        Ok(read.len())
    }
}

/// Nothing that the peers are asked to do writes.
impl io::Write for Socket<'_> {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Socket<'_> {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = self.get_mut().next(buf.remaining());
        buf.put_slice(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
