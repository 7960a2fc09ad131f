//! The reading half.

mod bits;
mod blocks;
mod codes;
mod dynamic;
mod entries;
mod matches;
mod symbols;
mod window;

use blocks::{Blocks, Stop};
use symbols::Io;
use window::Window;

use super::{Context, Progress, WindowBits};
use crate::{InvalidDeflate, Violation};

/// What one compressed message may become. All bounds are inclusive and hold while it is inflated, however it is cut:
/// never is more than they allow written to the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InflateLimits {
    /// Bytes of one message, inflated. Default 1 MiB; breach: [`Violation::InflatedTooBig`].
    pub message_bytes_max: u64,
    /// How many bytes one byte of input may become, on average from the start of the message. Default 100; DEFLATE
    /// itself ends at 1032. Breach: [`Violation::InflatedTooMuch`].
    pub ratio_max: u32,
    /// Bytes of a message, inflated, up to which the ratio does not matter: small messages are often very regular.
    /// Default 64 KiB.
    pub ratio_floor_bytes: u64,
}

impl InflateLimits {
    /// No limits but those of the format itself.
    pub const NONE: Self =
        Self { message_bytes_max: u64::MAX, ratio_max: u32::MAX, ratio_floor_bytes: u64::MAX };
}

impl Default for InflateLimits {
    fn default() -> Self {
        Self { message_bytes_max: 1 << 20, ratio_max: 100, ratio_floor_bytes: 64 << 10 }
    }
}

/// The reading half: compressed payloads become messages (RFC 7692 §7.2.2).
///
/// It owns nothing until a message needs it. Between two messages it holds the history that takeover demands, at most
/// the window; with [`Context::Fresh`], nothing.
#[derive(Debug)]
pub struct Inflater {
    context: Context,
    limits: InflateLimits,
    blocks: Blocks,
    window: Window,
    message: Message,
    failed: Option<Violation>,
}

/// The message under way.
#[derive(Clone, Copy, Debug)]
struct Message {
    bytes_in: u64,
    bytes_out: u64,
    /// Output from which on the ratio is asked for again.
    checked_until: u64,
}

impl Inflater {
    /// A half at the start of a connection. `window` and `context` are what was agreed for the peer, who writes.
    pub const fn new(window: WindowBits, context: Context, limits: InflateLimits) -> Self {
        Self {
            context,
            limits,
            blocks: Blocks::new(),
            window: Window::new(window),
            message: Message::new(&limits),
            failed: None,
        }
    }

    /// Inflates the next piece of a message's payload, unmasked, in front of `output`.
    ///
    /// While the result is not [`done`](Progress::done), call again with the rest of `input` and more room.
    /// `ends_message` says that `input` ends the message; pieces may be empty. Bytes of `output` after those that were
    /// produced may have been overwritten.
    ///
    /// Every call takes input, makes output or fails, unless there is neither input nor a byte of room. Its time is
    /// linear in both.
    ///
    /// # Errors
    /// The peer's fault, and final: every later call fails alike until [`reset`](Self::reset). What was made before the
    /// fault is handed out first; the call after that fails.
    pub fn inflate(
        &mut self,
        input: &[u8],
        output: &mut [u8],
        ends_message: bool,
    ) -> Result<Progress, Violation> {
        if let Some(violation) = self.failed {
            return Err(violation);
        }
        self.step(input, output, ends_message)
    }

    /// Goes back to the state of [`new`](Self::new), for another connection that agreed on the same.
    pub fn reset(&mut self) {
        *self = Self::new(self.window.bits(), self.context, self.limits);
    }

    /// Bytes that it holds on the heap now.
    pub fn heap_bytes(&self) -> usize {
        self.blocks.heap_bytes() + self.window.heap_bytes()
    }

    fn step(&mut self, input: &[u8], output: &mut [u8], ends_message: bool) -> Result<Progress, Violation> {
        let room = output.len();
        let made_before = self.message.bytes_out;
        let (mut rest, mut at) = (input, 0usize);
        let stop = loop {
            let allowed = usize::try_from(self.message.allowed(&self.limits)).unwrap_or(usize::MAX);
            let end = room.min(at.saturating_add(allowed));
            let (open, _) = output.split_at_mut(end);
            let mut io = Io { input: rest, output: open, at, made_before };
            let ran = self.blocks.run(&mut io, &self.window);
            self.message.bytes_in += (rest.len() - io.input.len()) as u64;
            self.message.bytes_out = made_before + io.at as u64;
            (rest, at) = (io.input, io.at);
            let allowed = match ran {
                Ok(stop) if stop == Stop::Input || end == room => break stop,
                Ok(_) => self.message.allow_more(&self.limits, self.blocks.bits_held()),
                Err(violation) => Err(violation),
            };
            if let Err(violation) = allowed {
                return self.fail(violation, input.len() - rest.len(), at);
            }
        };
        self.blocks.settle();
        let done = stop == Stop::Input;
        let (made, _) = output.split_at(at);
        let consumed = input.len() - rest.len();
        match self.keep(made, done && ends_message) {
            Ok(()) => Ok(Progress { consumed, produced: at, done }),
            Err(violation) => self.fail(violation, consumed, at),
        }
    }

    /// Notes a violation, but first hands out what was made before it: which of two is found, this one or one that the
    /// caller finds in the output, must not depend on how the input is cut.
    fn fail(
        &mut self,
        violation: Violation,
        consumed: usize,
        produced: usize,
    ) -> Result<Progress, Violation> {
        self.reset();
        self.failed = Some(violation);
        if produced == 0 { Err(violation) } else { Ok(Progress { consumed, produced, done: false }) }
    }

    /// Keeps what later matches may refer to, and ends the message if it is complete.
    fn keep(&mut self, made: &[u8], message_is_complete: bool) -> Result<(), Violation> {
        if message_is_complete {
            if !self.blocks.may_end(self.message.bytes_in == 0) {
                return Err(InvalidDeflate::Truncated.into());
            }
            self.blocks.end();
            self.message = Message::new(&self.limits);
            if self.context == Context::Fresh {
                self.window.clear();
                return Ok(());
            }
        }
        self.window.extend(made);
        Ok(())
    }
}

impl Message {
    const fn new(limits: &InflateLimits) -> Self {
        Self { bytes_in: 0, bytes_out: 0, checked_until: limits.ratio_floor_bytes }
    }

    /// How much more may be put out before the limits are asked again.
    fn allowed(&self, limits: &InflateLimits) -> u64 {
        limits.message_bytes_max.min(self.checked_until) - self.bytes_out
    }

    /// Asks the limits, a byte more being there. The ratio counts what was used, not what happened to arrive, and is
    /// asked for at places that follow from the message alone: so it is the same however the input is cut.
    fn allow_more(&mut self, limits: &InflateLimits, bits_held: u32) -> Result<(), Violation> {
        if self.bytes_out >= limits.message_bytes_max {
            return Err(Violation::InflatedTooBig);
        }
        let used = self.bytes_in - u64::from(bits_held / 8);
        let fits = used.saturating_mul(u64::from(limits.ratio_max));
        if fits <= self.bytes_out {
            return Err(Violation::InflatedTooMuch);
        }
        self.checked_until = fits;
        Ok(())
    }
}
