//! One WebSocket of the load.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use anyhow::bail;
use rustls::ClientConfig;
use tidegate_proto::{Close, CloseCode, MaskingKey, Role, StepKind};

use super::backend::frame;
use super::frames::{Frames, HEADROOM};
use super::link::{Link, Read};
use super::{Direction, Totals};

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// What a client says.
pub(super) struct Script {
    pub(super) direction: Direction,
    pub(super) payload_len: usize,
    /// Messages under way.
    pub(super) depth: usize,
    /// Says the next message as soon as it has heard one.
    pub(super) goes_on: bool,
    /// Closes when it has heard one.
    pub(super) closes: bool,
    /// Its answers are counted and timed.
    pub(super) counts: bool,
    /// Whole frames.
    speech: Rc<[u8]>,
    frame_len: usize,
}

impl Script {
    pub(super) fn new(direction: Direction, payload_len: usize, depth: usize) -> Self {
        Self::saying(frame(payload_len, Some(MASK)), direction, payload_len, depth)
    }

    /// The same without frames, for what makes them itself.
    pub(super) fn of_bytes(direction: Direction, payload_len: usize, depth: usize) -> Self {
        Self::saying(vec![0x5a; payload_len], direction, payload_len, depth)
    }

    fn saying(message: Vec<u8>, direction: Direction, payload_len: usize, depth: usize) -> Self {
        let frame_len = message.len();
        let speech = message.repeat((64_usize << 10).div_ceil(frame_len)).into();
        Self { direction, payload_len, depth, goes_on: true, closes: false, counts: true, speech, frame_len }
    }
}

pub(super) struct Client {
    pub(super) link: Link,
    script: Rc<Script>,
    state: State,
    /// Payload bytes of the answer under way.
    heard: usize,
    said_at: VecDeque<Instant>,
    started: Instant,
    /// It has had an answer.
    answered: bool,
}

enum State {
    Head(Vec<u8>),
    Open(Frames),
    /// What is on the other side makes the frames.
    Bytes,
}

impl Client {
    pub(super) fn connect(
        to: SocketAddr,
        path: &str,
        tls: Option<&Arc<ClientConfig>>,
        script: &Rc<Script>,
    ) -> anyhow::Result<Self> {
        let mut client = Self::new(Link::connect(to, tls)?, script, State::Head(Vec::new()));
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {to}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        client.link.send(head.as_bytes())?;
        Ok(client)
    }

    /// One that says bytes, at once.
    pub(super) fn local(to: SocketAddr, script: &Rc<Script>) -> anyhow::Result<Self> {
        let mut client = Self::new(Link::connect(to, None)?, script, State::Bytes);
        client.begin()?;
        Ok(client)
    }

    fn new(link: Link, script: &Rc<Script>, state: State) -> Self {
        Self {
            link,
            script: script.clone(),
            state,
            heard: 0,
            said_at: VecDeque::new(),
            started: Instant::now(),
            answered: false,
        }
    }

    pub(super) const fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_) | State::Bytes)
    }

    pub(super) const fn is_answered(&self) -> bool {
        self.answered
    }

    /// Says so many messages more, which count from `since`.
    pub(super) fn say(&mut self, messages: usize, since: Instant) -> anyhow::Result<()> {
        self.said_at.extend(std::iter::repeat_n(since, messages));
        Ok(self.link.repeat(&self.script.speech, (messages * self.script.frame_len) as u64)?)
    }

    /// Says what it says first.
    fn begin(&mut self) -> anyhow::Result<()> {
        match self.script.direction {
            Direction::Both => self.say(self.script.depth, Instant::now()),
            Direction::Up => Ok(self.link.repeat(&self.script.speech, u64::MAX)?),
            Direction::Down => Ok(()),
        }
    }

    /// Whether it goes on.
    pub(super) fn ready(&mut self, buffer: &mut [u8], totals: &mut Totals) -> anyhow::Result<bool> {
        let read = match self.link.read(&mut buffer[HEADROOM..])? {
            Read::Nothing => return Ok(true),
            Read::Bytes(read) => read,
            Read::End if self.script.closes && self.answered => return Ok(false),
            Read::End => bail!("the gateway has ended a connection"),
        };
        if let State::Head(head) = &mut self.state {
            head.extend_from_slice(&buffer[HEADROOM..HEADROOM + read]);
            let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(true) };
            if !head.starts_with(b"HTTP/1.1 101 ") {
                bail!("the gateway refuses: {}", String::from_utf8_lossy(head));
            }
            let rest = head.split_off(end + 4);
            totals.opened += 1;
            totals.handshakes.push(self.started.elapsed());
            self.state = State::Open(Frames::new(Role::Client));
            self.begin()?;
            buffer[HEADROOM..HEADROOM + rest.len()].copy_from_slice(&rest);
            return self.hear(buffer, rest.len(), totals);
        }
        self.hear(buffer, read, totals)
    }

    fn hear(&mut self, buffer: &mut [u8], read: usize, totals: &mut Totals) -> anyhow::Result<bool> {
        let (mut bytes, mut closed) = (0, None);
        match &mut self.state {
            State::Head(_) => return Ok(true),
            State::Bytes => bytes = read,
            State::Open(frames) => frames.each(buffer, read, |_, payload, step| match step.kind {
                StepKind::Data { .. } => bytes += payload.len(),
                StepKind::Close => closed = Some(payload.to_vec()),
                StepKind::Ping | StepKind::Pong => {}
            })?,
        }
        if let Some(close) = closed {
            if !self.script.closes || !self.answered {
                bail!("the gateway has closed a connection: {}", close.escape_ascii());
            }
            return Ok(false);
        }
        if self.script.direction == Direction::Down {
            totals.bytes += bytes as u64;
            return Ok(true);
        }
        self.heard += bytes;
        let answers = self.heard / self.script.payload_len;
        self.heard %= self.script.payload_len;
        if answers == 0 {
            return Ok(true);
        }
        self.answered = true;
        let now = Instant::now();
        for said_at in self.said_at.drain(..answers) {
            if self.script.counts {
                totals.latencies.push(now - said_at);
            }
        }
        if self.script.counts {
            totals.messages += answers as u64;
        } else {
            totals.bytes += (answers * self.script.payload_len) as u64;
        }
        if self.script.closes {
            let close = Close { code: Some(CloseCode::NORMAL), reason: "" };
            self.link.send(close.frame(Some(MaskingKey::new(MASK))).as_slice())?;
        } else if self.script.goes_on {
            self.say(answers, now)?;
        }
        Ok(true)
    }
}
