//! A client that speaks hybi-00, in front of any far side.
//!
//! Its frames are taken apart, and made, as they pass. A frame of text begins and ends with a byte, so neither direction
//! has to know the length of a message, or to keep one. Where messages are base64, each is decoded and encoded on the
//! way.

mod frozen;
mod websocket;

use std::ops::Range;
use std::task::Context;

use tidegate_proto::hybi00::{Coding, Decoder, Encoder, Event, Violation};
use tidegate_proto::{Close, Limits, MessageType};
use tokio::time::Instant;

use self::websocket::Fragments;
use super::endpoint::Gaps;
use super::keepalive::Keepalive;
use super::{Far, Relay};
use crate::clock;
use crate::config::Route;
use crate::outcome::End;
use crate::recording::{Chunk, Side, Tape};

/// Bytes that one read may bring: what comes of them is put together in memory of its own until it is sent. What a TCP
/// backend says at once is one message, and the clients of the time are small.
pub(super) const READ_BYTES_MAX: usize = 32 << 10;

/// The hybi-00 side of a relay.
#[derive(Debug)]
pub(super) struct Hybi00 {
    decoder: Decoder,
    encoder: Encoder,
    coding: Coding,
    /// Messages on their way to a WebSocket backend.
    fragments: Fragments,
    /// The backend has said what cannot be passed on: what follows it is not, so that nothing is left out in between.
    not_text: bool,
}

/// Bytes to send to the client: parts of messages, in frames.
#[derive(Debug, Default)]
struct ClientFrames {
    wire: Vec<u8>,
    /// The last place in them, if any, between two messages.
    boundary: Option<usize>,
    payload_bytes: u64,
    messages: u64,
}

/// What a read of the client came to.
#[derive(Debug, Default)]
struct ClientRead {
    /// For the far side; unused where that is an echo.
    bytes: Vec<u8>,
    /// The last place in them, if any, where a message for a WebSocket backend ends.
    boundary: Option<usize>,
    /// The answer of an echo.
    echo: ClientFrames,
    payload_bytes: u64,
    messages: u64,
    /// Frames of no known type.
    discarded: u32,
    closed: bool,
}

impl Hybi00 {
    /// Whether the client is in the middle of a frame.
    pub(super) const fn is_mid_frame(&self) -> bool {
        !self.decoder.at_frame_boundary()
    }

    /// What its messages are where they are no longer in hybi-00.
    const fn message(&self) -> MessageType {
        message_type(self.coding)
    }

    /// Takes everything in `wire`, or all before what breaks the protocol.
    fn hear(
        &mut self,
        wire: &mut [u8],
        far: &Far,
        heard: &mut ClientRead,
        mut record: impl FnMut(Side, Chunk<'_>),
    ) -> Result<(), Violation> {
        let mut at = 0;
        while let Some((consumed, event)) = self.decoder.decode(&mut wire[at..])? {
            at += consumed;
            match event {
                Event::Data { payload, ends_message, .. } => {
                    heard.payload_bytes += payload.len() as u64;
                    heard.messages += u64::from(ends_message);
                    let chunk = Chunk { message: self.message(), payload, mask: None, ends_message };
                    record(Side::Client, chunk);
                    if matches!(far, Far::Echo(_)) {
                        record(Side::Backend, chunk);
                    }
                    match far {
                        Far::Echo(_) => heard.echo.say(&mut self.encoder, payload, ends_message),
                        Far::Tcp(_) => heard.bytes.extend_from_slice(payload),
                        Far::WebSocket(_) => {
                            self.fragments.push(payload, ends_message, &mut heard.bytes);
                            heard.boundary =
                                if ends_message { Some(heard.bytes.len()) } else { heard.boundary };
                        }
                    }
                }
                Event::Discarded { ends_frame } => heard.discarded += u32::from(ends_frame),
                Event::Close => {
                    heard.closed = true;
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

const fn message_type(coding: Coding) -> MessageType {
    match coding {
        Coding::Text => MessageType::Text,
        Coding::Base64 => MessageType::Binary,
    }
}

impl ClientFrames {
    /// Says the next part of a message. Text must be valid up to a cut code point.
    fn say(&mut self, encoder: &mut Encoder, payload: &[u8], ends_message: bool) {
        if self.wire.is_empty() && encoder.at_message_boundary() {
            self.boundary = Some(0);
        }
        encoder
            .encode(payload, ends_message, &mut self.wire)
            .expect("text was checked when it was read, and base64 takes any bytes");
        if encoder.at_message_boundary() {
            self.boundary = Some(self.wire.len());
        }
        self.payload_bytes += payload.len() as u64;
        self.messages += u64::from(ends_message);
    }
}

impl Relay {
    /// Reads and writes the frames of hybi-00 from now on. It has no Ping, so a client that vanishes is found by
    /// `idle_timeout` alone.
    pub(super) fn speak_hybi00(&mut self, coding: Coding, limits: Limits, rules: &Route) {
        self.client.speak_hybi00();
        let conn = self.live.about.conn;
        self.keepalive = Keepalive::new(conn, clock::now(), None, None, rules.idle_timeout);
        self.hybi00 = Some(Box::new(Hybi00 {
            decoder: Decoder::new(coding, limits),
            encoder: Encoder::new(coding),
            coding,
            fragments: Fragments::new(message_type(coding), rules.frame_bytes_max),
            not_text: false,
        }));
    }

    /// Client to far side, whichever it is.
    pub(super) fn inbound_hybi00(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        scratch: &mut [u8],
        range: Range<usize>,
    ) -> Result<(), Violation> {
        let Some(hybi00) = &mut self.hybi00 else { return Ok(()) };
        self.keepalive.heard(now);
        let mut heard = ClientRead::default();
        let record = |side, chunk: Chunk<'_>| {
            if let Some(mut tap) = Tape::tap(&mut self.tape, side, now) {
                tap.record(chunk);
            }
        };
        let result = hybi00.hear(&mut scratch[range], &self.far, &mut heard, record);
        let is_mid_message = hybi00.is_mid_frame();
        self.count_in(MessageType::Text, heard.messages, heard.payload_bytes); // there is no other type
        match &mut self.far {
            Far::Echo(_) => self.send_said(cx, now, &heard.echo),
            Far::Tcp(tcp) => tcp.leg.send(cx, now, &heard.bytes),
            Far::WebSocket(backend) => {
                if !heard.bytes.is_empty() {
                    let gaps = Gaps { frames: Some(heard.bytes.len()), messages: heard.boundary };
                    backend.pass_on(cx, now, &heard.bytes, gaps);
                }
                backend.set_mid_message(is_mid_message); // of which perhaps nothing was passed on yet
            }
        }
        self.control_frames(heard.discarded, now);
        if heard.closed {
            self.hybi00_closed(now);
        }
        result
    }

    /// Far side to client: one message.
    pub(super) fn send_hybi00(&mut self, cx: &mut Context<'_>, now: Instant, payload: &[u8]) {
        let Some(hybi00) = &mut self.hybi00 else { return };
        let mut said = ClientFrames::default();
        said.say(&mut hybi00.encoder, payload, true);
        self.send_said(cx, now, &said);
    }

    fn send_said(&mut self, cx: &mut Context<'_>, now: Instant, said: &ClientFrames) {
        self.count_out(MessageType::Text, said.messages, said.payload_bytes);
        if !said.wire.is_empty() {
            let gaps = Gaps { frames: said.boundary, messages: said.boundary };
            self.client.pass_on(cx, now, &said.wire, gaps);
        }
    }

    /// The client's closing frame, which has no code. A WebSocket backend is told, and its answer becomes ours.
    fn hybi00_closed(&mut self, now: Instant) {
        let answer_owed = self.client.closing.receive();
        self.end(End::ClientClosed(None), now);
        let close = Close { code: None, reason: "" };
        let is_answered_elsewhere = self.far.websocket_mut().is_some_and(|backend| {
            backend.close(now, &close);
            backend.is_readable()
        });
        if answer_owed && !is_answered_elsewhere {
            self.client.close(now, &close);
        }
    }
}
