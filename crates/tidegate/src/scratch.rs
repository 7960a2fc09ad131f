//! The one large buffer that each worker thread lends to the connection it is just serving.
//!
//! Buffers belong to the worker, not to the connection: an idle connection owns none, and a busy one reads a megabyte
//! at a time. What a read leaves over (an unfinished header, bytes the far side could not take) is the connection's
//! own before the buffer goes back.

use std::cell::RefCell;

/// Payload bytes that one read can bring. Larger gains nothing, 64 KiB costs half the speed of a bulk stream.
pub(crate) const READ_BYTES_MAX: usize = 1 << 20;

/// Bytes in front of what is read: room to carry an unfinished frame over from the last read, or to put a frame
/// header before payload, so that both need no copy of the payload.
pub(crate) const HEADROOM: usize = 160;

const _: () =
    assert!(HEADROOM >= tidegate_proto::CARRY_BYTES_MAX && HEADROOM >= tidegate_proto::HEADER_BYTES_MAX);

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lends this thread's buffer of [`HEADROOM`] + [`READ_BYTES_MAX`] bytes. What is in it means nothing.
///
/// # Panics
/// When nested: a connection is polled by one worker at a time and never inside another.
pub(crate) fn with<T>(borrow: impl FnOnce(&mut [u8]) -> T) -> T {
    SCRATCH.with(|scratch| {
        let mut scratch = scratch.borrow_mut();
        if scratch.is_empty() {
            scratch.resize(HEADROOM + READ_BYTES_MAX, 0);
        }
        borrow(&mut scratch)
    })
}
