//! The reading half with compression: what [`Decoder`] hands out, inflated where the message is compressed.

#[cfg(feature = "deflate")]
use alloc::boxed::Box;

#[cfg(feature = "deflate")]
use crate::MessageType;
#[cfg(feature = "deflate")]
use crate::deflate::Inflater;
use crate::{Decoder, Event, Violation};

/// The state of one direction: a [`Decoder`], and the decompressor if there is one.
#[derive(Debug)]
pub struct Receiver {
    decoder: Decoder,
    #[cfg(feature = "deflate")]
    inflating: Option<Box<Inflating>>,
}

/// A decompressor, and the part of a frame that it is at.
#[cfg(feature = "deflate")]
#[derive(Debug)]
struct Inflating {
    inflater: Inflater,
    utf8: crate::Utf8,
    chunk: Option<Chunk>,
}

/// Payload that was unmasked but not all inflated: `len` bytes of it stand at the front of what is read next.
#[cfg(feature = "deflate")]
#[derive(Debug, Clone, Copy)]
struct Chunk {
    len: usize,
    message: MessageType,
    starts_message: bool,
    ends_frame: bool,
    ends_message: bool,
}

impl Receiver {
    /// Reads what `decoder` decodes; compressed messages need [`with_deflate`](Self::with_deflate).
    pub const fn new(decoder: Decoder) -> Self {
        Self {
            decoder,
            #[cfg(feature = "deflate")]
            inflating: None,
        }
    }

    /// The same with permessage-deflate. The limits of `inflater` are those of messages as they come out of it.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn with_deflate(self, inflater: Inflater) -> Self {
        let decoder = self.decoder.with_reserved(crate::Reserved::PermessageDeflate);
        let inflating = Inflating { inflater, utf8: crate::Utf8::new(), chunk: None };
        Self { decoder, inflating: Some(Box::new(inflating)) }
    }

    /// The decoder, for whoever reads frames as they are. A connection with compression is read through
    /// [`receive`](Self::receive) alone.
    pub const fn decoder_mut(&mut self) -> &mut Decoder {
        &mut self.decoder
    }

    /// Whether compression was negotiated.
    pub const fn inflates(&self) -> bool {
        #[cfg(feature = "deflate")]
        let inflates = self.inflating.is_some();
        #[cfg(not(feature = "deflate"))]
        let inflates = false;
        inflates
    }

    /// Whether everything consumed so far ends between two messages.
    pub const fn at_message_boundary(&self) -> bool {
        #[cfg(feature = "deflate")]
        if let Some(inflating) = &self.inflating
            && inflating.chunk.is_some()
        {
            return false;
        }
        self.decoder.at_message_boundary()
    }

    /// Takes the next event from the front of `bytes`; `None` if more bytes are needed.
    ///
    /// As [`Decoder::decode`], but the payload of a compressed message is inflated into `room`, a stretch at a time: a
    /// message of any size passes through any room. What was not consumed must be given again, unchanged.
    ///
    /// `room` must not be empty where compression was negotiated; 4 KiB and more make good use of a call.
    ///
    /// # Errors
    /// The peer's fault, and final: every later call fails alike.
    #[inline]
    pub fn receive<'a>(
        &mut self,
        bytes: &'a mut [u8],
        room: &'a mut [u8],
    ) -> Result<Option<(usize, Event<'a>)>, Violation> {
        #[cfg(feature = "deflate")]
        if self.inflating.is_some() {
            return self.receive_inflated(bytes, room);
        }
        let _ = room;
        self.decoder.decode(bytes)
    }

    #[cfg(feature = "deflate")]
    fn receive_inflated<'a>(
        &mut self,
        bytes: &'a mut [u8],
        room: &'a mut [u8],
    ) -> Result<Option<(usize, Event<'a>)>, Violation> {
        let Some(inflating) = &mut self.inflating else { return Ok(None) };
        if let Some(chunk) = inflating.chunk.take() {
            let input = bytes.get(..chunk.len).unwrap_or(bytes);
            let (consumed, event) =
                inflating.inflate(chunk, input, room).map_err(|v| self.decoder.fail(v))?;
            return Ok(Some((consumed, event)));
        }
        let Some((consumed, event)) = self.decoder.decode(bytes)? else { return Ok(None) };
        let Event::Data { message, payload, rsv1: true, starts_message, ends_frame, ends_message } = event
        else {
            return Ok(Some((consumed, event)));
        };
        let chunk = Chunk { len: payload.len(), message, starts_message, ends_frame, ends_message };
        let header_len = consumed - payload.len();
        let (inflated, event) = inflating.inflate(chunk, payload, room).map_err(|v| self.decoder.fail(v))?;
        Ok(Some((header_len + inflated, event)))
    }
}

#[cfg(feature = "deflate")]
impl Inflating {
    /// Inflates a part of `chunk`, remembers the rest of it, and says how much of `input` was consumed.
    fn inflate<'a>(
        &mut self,
        chunk: Chunk,
        input: &[u8],
        room: &'a mut [u8],
    ) -> Result<(usize, Event<'a>), Violation> {
        let progress = self.inflater.inflate(input, room, chunk.ends_message)?;
        let done = progress.done;
        let payload = room.get_mut(..progress.produced).unwrap_or_default();
        if chunk.message == MessageType::Text {
            self.utf8.check(payload)?;
            if done && chunk.ends_message {
                self.utf8.finish()?;
            }
        }
        // Only now: after a violation the decoder alone is asked, which says the same for ever.
        let rest = Chunk { len: chunk.len - progress.consumed, starts_message: false, ..chunk };
        self.chunk = (!done).then_some(rest);
        let event = Event::Data {
            message: chunk.message,
            payload,
            rsv1: true,
            starts_message: chunk.starts_message,
            ends_frame: done && chunk.ends_frame,
            ends_message: done && chunk.ends_message,
        };
        Ok((progress.consumed, event))
    }
}
