//! The backend behind the gateway, in the same thread as the load: a TCP or a WebSocket server that answers, talks or
//! listens.

use std::net::TcpStream;
use std::rc::Rc;

use anyhow::Context as _;
use tidegate_proto::handshake::AcceptKey;
use tidegate_proto::{ControlFrame, FrameHeader, MaskingKey, Opcode, Role, StepKind};

use super::frames::{Frames, HEADROOM};
use super::link::{Link, Read};
use super::{Direction, Protocol, Totals};

pub(super) struct Backend {
    pub(super) link: Link,
    direction: Direction,
    /// What it says if it talks.
    speech: Rc<[u8]>,
    state: State,
}

enum State {
    Tcp,
    /// The request head so far.
    Head(Vec<u8>),
    WebSocket(Frames),
}

impl Backend {
    pub(super) fn new(
        socket: TcpStream,
        protocol: Protocol,
        direction: Direction,
        speech: &Rc<[u8]>,
    ) -> anyhow::Result<Self> {
        let mut backend = Self {
            link: Link::accepted(socket)?,
            direction,
            speech: speech.clone(),
            state: match protocol {
                Protocol::Tcp => State::Tcp,
                Protocol::Ws => State::Head(Vec::new()),
            },
        };
        if protocol == Protocol::Tcp {
            backend.talk()?;
        }
        Ok(backend)
    }

    fn talk(&mut self) -> anyhow::Result<()> {
        if self.direction == Direction::Down {
            self.link.repeat(&self.speech, u64::MAX)?;
        }
        Ok(())
    }

    /// Whether it goes on.
    pub(super) fn ready(
        &mut self,
        buffer: &mut [u8],
        reply: &mut Vec<u8>,
        totals: &mut Totals,
    ) -> anyhow::Result<bool> {
        let read = match self.link.read(&mut buffer[HEADROOM..])? {
            Read::Nothing => return Ok(true),
            Read::End => return Ok(false),
            Read::Bytes(read) => read,
        };
        let counts = self.direction == Direction::Up;
        match &mut self.state {
            State::Tcp => {
                totals.bytes += if counts { read as u64 } else { 0 };
                if self.direction == Direction::Both {
                    self.link.send(&buffer[HEADROOM..HEADROOM + read])?;
                }
                Ok(true)
            }
            State::Head(head) => {
                head.extend_from_slice(&buffer[HEADROOM..HEADROOM + read]);
                if head.ends_with(b"\r\n\r\n") {
                    let answer = answer(head)?;
                    self.link.send(answer.as_bytes())?;
                    self.state = State::WebSocket(Frames::new(Role::Server));
                    self.talk()?;
                }
                Ok(true)
            }
            State::WebSocket(frames) => {
                reply.clear();
                let echoes = self.direction == Direction::Both;
                let mut open = true;
                frames.each(buffer, read, |header, payload, step| {
                    if let Some(mut key) = step.mask {
                        key.apply(payload);
                    }
                    match step.kind {
                        StepKind::Data { .. } if counts => totals.bytes += payload.len() as u64,
                        StepKind::Data { .. } if echoes => {
                            without_mask(header, reply);
                            reply.extend_from_slice(payload);
                        }
                        StepKind::Data { .. } | StepKind::Pong => {}
                        StepKind::Ping => reply_control(reply, Opcode::Pong, payload),
                        StepKind::Close => {
                            reply_control(reply, Opcode::Close, payload);
                            open = false;
                        }
                    }
                })?;
                self.link.send(reply)?;
                Ok(open)
            }
        }
    }
}

/// The header of the same frame the other way; none where a frame goes on.
fn without_mask(header: &[u8], reply: &mut Vec<u8>) {
    if let [first, second, rest @ ..] = header {
        reply.extend_from_slice(&[*first, second & 0x7f]);
        reply.extend_from_slice(&rest[..rest.len() - 4]);
    }
}

fn reply_control(reply: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    reply.extend_from_slice(ControlFrame::new(opcode, payload, None).as_slice());
}

fn answer(head: &[u8]) -> anyhow::Result<String> {
    let head = std::str::from_utf8(head)?;
    let key = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))
        .with_context(|| format!("the gateway asks without a key: {head}"))?
        .1
        .trim();
    Ok(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        AcceptKey::from_key(key.as_bytes()).as_str()
    ))
}

/// A binary message in one frame.
pub(super) fn frame(payload_len: usize, mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut payload: Vec<u8> = (0_u32..).flat_map(u32::to_le_bytes).take(payload_len).collect();
    let mut header = FrameHeader::unmasked(true, Opcode::Binary, payload_len as u64);
    header.mask = mask.map(MaskingKey::new);
    if let Some(mut key) = header.mask {
        key.apply(&mut payload);
    }
    [header.encode().as_slice(), &payload].concat()
}
