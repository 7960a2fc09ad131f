//! Whole messages, for whoever wants them: the optional layer that holds payload.

use alloc::vec::Vec;

use crate::{Event, MessageType, Violation};

/// Memory that is kept from one message to the next.
const KEPT_BYTES: usize = 64 << 10;

/// Puts the chunks of a message together.
///
/// A message that arrives as one chunk is handed on without a copy. Memory grows with what has arrived, never with
/// what was declared; what a message needed beyond 64 KiB is given back with the next one.
#[derive(Debug)]
pub struct Assembler {
    bytes: Vec<u8>,
    bytes_max: usize,
    /// The message in `bytes` was handed out.
    complete: bool,
}

/// A whole message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its type.
    pub message: MessageType,
    /// Its payload; of text, valid UTF-8.
    pub payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// The payload of a text message.
    pub fn as_text(&self) -> Option<&'a str> {
        match self.message {
            MessageType::Text => core::str::from_utf8(self.payload).ok(),
            MessageType::Binary => None,
        }
    }
}

impl Assembler {
    /// Messages of at most `bytes_max` bytes; breach: [`Violation::MessageTooBig`].
    pub const fn new(bytes_max: usize) -> Self {
        Self { bytes: Vec::new(), bytes_max, complete: false }
    }

    /// Adds what an event brought: the message that it completes, if it does. Control frames are none of its business.
    ///
    /// # Errors
    /// The peer's message is larger than the limit, or than the memory there is.
    pub fn push<'a>(&'a mut self, event: &'a Event<'_>) -> Result<Option<Message<'a>>, Violation> {
        let Event::Data { message, payload, starts_message, ends_message, .. } = event else {
            return Ok(None);
        };
        let message = *message;
        if core::mem::take(&mut self.complete) || *starts_message {
            self.bytes.clear();
            self.bytes.shrink_to(KEPT_BYTES);
        }
        if payload.len() > self.bytes_max - self.bytes.len() {
            return Err(Violation::MessageTooBig);
        }
        if *starts_message && *ends_message {
            return Ok(Some(Message { message, payload }));
        }
        self.bytes.try_reserve(payload.len()).map_err(|_| Violation::MessageTooBig)?;
        self.bytes.extend_from_slice(payload);
        self.complete = *ends_message;
        Ok(ends_message.then_some(Message { message, payload: &self.bytes }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(payload: &mut [u8], starts_message: bool, ends_message: bool) -> Event<'_> {
        let message = MessageType::Text;
        Event::Data { message, payload, rsv1: false, starts_message, ends_frame: true, ends_message }
    }

    #[test]
    fn a_whole_chunk_is_not_copied() {
        let mut assembler = Assembler::new(5);
        let mut payload = *b"hello";
        let at = payload.as_ptr();
        let event = chunk(&mut payload, true, true);
        let message = assembler.push(&event).unwrap().unwrap();
        assert_eq!((message.as_text(), message.payload.as_ptr()), (Some("hello"), at));
    }

    #[test]
    fn chunks_come_together_and_the_limit_is_inclusive() {
        let mut assembler = Assembler::new(5);
        for _ in 0..2 {
            assert_eq!(assembler.push(&chunk(&mut b"he".to_vec(), true, false)), Ok(None));
            assert_eq!(assembler.push(&Event::Ping(b"?")), Ok(None));
            assert_eq!(assembler.push(&chunk(&mut [], false, false)), Ok(None));
            let mut end = *b"llo";
            let event = chunk(&mut end, false, true);
            assert_eq!(assembler.push(&event).unwrap().unwrap().payload, b"hello");
        }
        assert_eq!(assembler.push(&chunk(&mut [0; 5], true, false)), Ok(None));
        assert_eq!(assembler.push(&chunk(&mut [0], false, true)), Err(Violation::MessageTooBig));
    }

    #[test]
    fn the_memory_of_a_large_message_is_given_back() {
        let mut assembler = Assembler::new(1 << 20);
        let mut large = std::vec![0; 1 << 19];
        assert_eq!(assembler.push(&chunk(&mut large, true, false)), Ok(None));
        assert_eq!(assembler.push(&chunk(&mut [], false, true)).unwrap().unwrap().payload.len(), 1 << 19);
        assert_eq!(assembler.push(&chunk(&mut [0], true, false)), Ok(None));
        assert!(assembler.bytes.capacity() <= KEPT_BYTES);
    }
}
