//! Entries of a recording, as bytes of its file.

use std::time::Duration;

use super::{About, Format, Message, har, websockify};

/// What a tail, and the note before it, need at most.
pub(super) const TAIL_BYTES_MAX: u64 = 1024;

/// Writes the pieces of one recording, each of which leaves the file such that only the tail is missing.
#[derive(Debug)]
pub(super) struct Encoder {
    format: Format,
    about: About,
    /// Something stands in the list already.
    begun: bool,
}

impl Encoder {
    pub(super) const fn new(format: Format, about: About) -> Self {
        Self { format, about, begun: false }
    }

    /// What stands before all messages.
    pub(super) fn head(&self) -> Vec<u8> {
        match self.format {
            Format::Websockify => websockify::HEAD.to_vec(),
            Format::Har => har::head(&self.about),
        }
    }

    pub(super) fn message(&mut self, message: &Message, out: &mut Vec<u8>) {
        match self.format {
            Format::Websockify => websockify::message(message, out),
            Format::Har => {
                self.separate(out);
                har::message(message, &self.about, out);
            }
        }
    }

    /// A remark about the recording itself: something is missing here. It has no quotes and no line breaks.
    pub(super) fn note(&mut self, text: &str, at: Duration, out: &mut Vec<u8>) {
        match self.format {
            Format::Websockify => websockify::note(text, out),
            Format::Har => {
                self.separate(out);
                har::note(text, at, &self.about, out);
            }
        }
    }

    /// What stands behind all messages; `length` is that of the session.
    pub(super) fn tail(&self, length: Duration) -> Vec<u8> {
        match self.format {
            Format::Websockify => websockify::TAIL.to_vec(),
            Format::Har => har::tail(length),
        }
    }

    fn separate(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.begun { b",\n" } else { b"\n" });
        self.begun = true;
    }
}
