//! What the bytes of a side mean, by the protocol crate alone: fed by hand, without a socket.

use tidegate_proto::deflate::{InflateLimits, Inflater};
use tidegate_proto::handshake::DeflateSide;
use tidegate_proto::hybi00::{self, Coding};
use tidegate_proto::{
    Close, CloseCode, Decoder, Event, Limits, MessageType, Receiver, Reserved, Role, StepKind,
};

use crate::outcome::Breach;

/// Payload of the gateway's own pings: what has it is between the gateway and the client alone.
const OWN_PING_LEN: usize = 8;

/// How bytes are to be read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reading {
    /// Frames, as they are. Whoever reads them is in this role.
    Frames(Role, Reserved),
    /// The messages in them, inflated if that was agreed on.
    Messages(Role, Option<DeflateSide>),
    Hybi00(Coding),
}

/// A message, or as much of it as there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) message: MessageType,
    pub(super) payload: Vec<u8>,
    pub(super) is_whole: bool,
}

/// What bytes mean.
#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) messages: Vec<Message>,
    /// With [`Reading::Frames`], all frames but Close and the gateway's own business.
    pub(super) frames: Vec<u8>,
    /// Code and frame of the Close, or of the closing frame.
    pub(super) close: Option<(Option<CloseCode>, Vec<u8>)>,
    /// Bytes behind the Close.
    pub(super) behind_close: usize,
    pub(super) breach: Option<Breach>,
    /// It ends inside of a frame; between two messages it does not.
    pub(super) mid_frame: bool,
    pub(super) mid_message: bool,
    /// Pings, pongs and frames without a meaning.
    pub(super) controls: usize,
}

/// Reads it all. Of what is wrong, as much is read as the most patient reader could.
pub(super) fn read(reading: Reading, limits: Limits, bytes: &[u8]) -> Stream {
    let whole = read_in_pieces(reading, limits, bytes, usize::MAX);
    if whole.breach.is_none() { whole } else { read_in_pieces(reading, limits, bytes, 1) }
}

fn read_in_pieces(reading: Reading, limits: Limits, bytes: &[u8], len: usize) -> Stream {
    let mut stream = Stream::default();
    let breach = match reading {
        Reading::Frames(role, reserved) => {
            let mut decoder = Decoder::new(role, limits).with_reserved(reserved);
            let breach = feed(bytes, len, &mut stream, |bytes, stream| stream.step(&mut decoder, bytes));
            stream.mid_frame = !decoder.at_frame_boundary();
            stream.mid_message = !decoder.at_message_boundary();
            breach
        }
        Reading::Messages(role, deflate) => {
            let mut receiver = Receiver::new(Decoder::new(role, limits));
            if let Some(side) = deflate {
                let message_bytes_max = limits.message_bytes_max;
                let inflated = if limits == Limits::NONE {
                    InflateLimits::NONE
                } else {
                    InflateLimits { message_bytes_max, ..InflateLimits::default() }
                };
                receiver = receiver.with_deflate(Inflater::new(side.window, side.context, inflated));
            }
            let mut room = vec![0; 32 << 10];
            let breach = feed(bytes, len, &mut stream, |bytes, stream| {
                let Some((consumed, event)) = receiver.receive(bytes, &mut room)? else { return Ok(None) };
                stream.event(&event);
                Ok(Some(consumed))
            });
            stream.mid_frame = !receiver.decoder_mut().at_frame_boundary();
            stream.mid_message = !receiver.at_message_boundary();
            breach
        }
        Reading::Hybi00(coding) => {
            let mut decoder = hybi00::Decoder::new(coding, limits);
            let breach = feed(bytes, len, &mut stream, |bytes, stream| {
                let Some((consumed, event)) = decoder.decode(bytes)? else { return Ok(None) };
                stream.hybi00_event(&event, coding);
                Ok(Some(consumed))
            });
            stream.mid_frame = !decoder.at_frame_boundary();
            stream.mid_message = stream.mid_frame;
            breach
        }
    };
    stream.breach = breach;
    stream
}

/// Feeds bytes in pieces until something is wrong or closed.
fn feed(
    bytes: &[u8],
    len: usize,
    stream: &mut Stream,
    mut take: impl FnMut(&mut [u8], &mut Stream) -> Result<Option<usize>, Breach>,
) -> Option<Breach> {
    let mut waiting = Vec::new();
    let mut fed = 0;
    for piece in bytes.chunks(len.min(bytes.len()).max(1)) {
        waiting.extend_from_slice(piece);
        fed += piece.len();
        let mut at = 0;
        loop {
            match take(&mut waiting[at..], stream) {
                Ok(Some(consumed)) => at += consumed,
                Ok(None) => break,
                Err(breach) => return Some(breach),
            }
            if stream.close.is_some() {
                stream.behind_close = waiting.len() - at + bytes.len() - fed;
                return None;
            }
        }
        waiting.drain(..at);
    }
    None
}

impl Stream {
    /// The payload of all messages, one behind the other.
    pub(super) fn payload(&self) -> Vec<u8> {
        self.messages.iter().flat_map(|message| message.payload.iter().copied()).collect()
    }

    fn step(&mut self, decoder: &mut Decoder, bytes: &[u8]) -> Result<Option<usize>, Breach> {
        let Some(step) = decoder.step(bytes)? else { return Ok(None) };
        let frame = &bytes[..step.len()];
        match step.kind {
            StepKind::Close => {
                let mut payload = frame[step.header_len..].to_vec();
                if let Some(mut key) = step.mask {
                    key.apply(&mut payload);
                }
                self.close = Some((Close::parse(&payload)?.code, frame.to_vec()));
            }
            StepKind::Ping | StepKind::Pong if step.payload_len == OWN_PING_LEN => {}
            StepKind::Ping | StepKind::Pong | StepKind::Data { .. } => {
                self.controls += usize::from(!matches!(step.kind, StepKind::Data { .. }));
                self.frames.extend_from_slice(frame);
            }
        }
        Ok(Some(frame.len()))
    }

    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Data { message, payload, starts_message, ends_message, .. } => {
                self.part(*message, payload, *starts_message, *ends_message);
            }
            Event::Close(close) => self.close = Some((close.code, Vec::new())),
            Event::Ping(_) | Event::Pong(_) => self.controls += 1,
        }
    }

    fn hybi00_event(&mut self, event: &hybi00::Event<'_>, coding: Coding) {
        let message = match coding {
            Coding::Text => MessageType::Text,
            Coding::Base64 => MessageType::Binary,
        };
        match event {
            hybi00::Event::Data { payload, starts_message, ends_message } => {
                self.part(message, payload, *starts_message, *ends_message);
            }
            hybi00::Event::Close => self.close = Some((None, Vec::new())),
            hybi00::Event::Discarded { ends_frame } => self.controls += usize::from(*ends_frame),
        }
    }

    fn part(&mut self, message: MessageType, payload: &[u8], starts: bool, ends: bool) {
        if starts {
            self.messages.push(Message { message, payload: Vec::new(), is_whole: false });
        }
        if let Some(last) = self.messages.last_mut() {
            last.payload.extend_from_slice(payload);
            last.is_whole = ends;
        }
    }
}
