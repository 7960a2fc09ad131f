//! The load: a hundred connections, each of which says so much and waits for the answers.

use crate::Failure;
use crate::servers::Deflate;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use tidegate_proto::deflate::{Context, Deflater, DeflaterConfig, InflateLimits, Inflater, WindowBits};
use tidegate_proto::{Decoder, Encoder, Event, Limits, MaskingKey, MessageType, Receiver, Role};

pub const CONNECTIONS: usize = 100;

#[derive(Clone, Copy)]
pub struct Payload {
    pub len: usize,
    /// Text such as applications send, which can be compressed, instead of any bytes.
    pub text: bool,
}

pub struct Load {
    connections: Vec<Connection>,
    payload: Vec<u8>,
    message: MessageType,
    in_flight: usize,
    /// Of all answers so far.
    reply_bytes: u64,
    replies: u64,
}

struct Connection {
    stream: TcpStream,
    encoder: Encoder,
    receiver: Receiver,
    /// Says the same every time: then it is made once.
    constant: Option<Vec<u8>>,
    received: Vec<u8>,
}

impl Load {
    pub fn open(
        port: u16,
        payload: Payload,
        in_flight: usize,
        deflate: Option<Deflate>,
    ) -> Result<Self, Failure> {
        let connections =
            (0..CONNECTIONS).map(|_| Connection::open(port, deflate)).collect::<Result<Vec<_>, _>>()?;
        let message = if payload.text { MessageType::Text } else { MessageType::Binary };
        Ok(Self { connections, payload: payload.bytes(), message, in_flight, reply_bytes: 0, replies: 0 })
    }

    /// Says at least so many messages; how many it were.
    pub fn run(&mut self, messages: usize) -> Result<usize, Failure> {
        let turns = messages.div_ceil(CONNECTIONS * self.in_flight);
        for _ in 0..turns {
            for connection in &mut self.connections {
                connection.say(self.message, &self.payload, self.in_flight)?;
            }
            for connection in &mut self.connections {
                self.reply_bytes += connection.hear(&self.payload, self.in_flight)?;
                self.replies += self.in_flight as u64;
            }
        }
        Ok(turns * CONNECTIONS * self.in_flight)
    }

    pub fn reply_bytes(&self) -> f64 {
        self.reply_bytes as f64 / self.replies as f64
    }
}

impl Payload {
    fn bytes(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in 0_u32.. {
            if bytes.len() >= self.len {
                break;
            }
            let word = number.wrapping_mul(0x9e37_79b1);
            if self.text {
                let name = ["bid", "ask", "trade", "depth"][number as usize % 4];
                write!(
                    bytes,
                    "{{\"seq\":{number},\"type\":\"{name}\",\"price\":{}.{:02}}},",
                    word >> 20,
                    word % 100
                )
                .expect("a Vec takes everything");
            } else {
                bytes.extend(word.to_le_bytes());
            }
        }
        bytes.truncate(self.len);
        bytes
    }
}

impl Connection {
    fn open(port: u16, deflate: Option<Deflate>) -> Result<Self, Failure> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        write!(
            stream,
            "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{}\r\n",
            deflate.map_or(String::new(), |context| format!(
                "Sec-WebSocket-Extensions: {}\r\n",
                context.answer()
            ))
        )?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.extend(byte);
        }
        if !head.starts_with(b"HTTP/1.1 101 ") {
            return Err(String::from_utf8_lossy(&head).into());
        }
        let mut encoder = Encoder::new(Role::Client);
        let mut receiver = Receiver::new(Decoder::new(Role::Client, Limits::NONE));
        if let Some(deflate) = deflate {
            let (window, context) = (WindowBits::MAX, deflate.context());
            let config = DeflaterConfig { window, context, level: 6, mem_level: 8 };
            encoder = encoder.with_deflate(Deflater::new(config), 0);
            receiver = receiver.with_deflate(Inflater::new(window, context, InflateLimits::NONE));
        }
        Ok(Self { stream, encoder, receiver, constant: None, received: Vec::new() })
    }

    fn say(&mut self, message: MessageType, payload: &[u8], times: usize) -> Result<(), Failure> {
        let constant = match self.encoder.deflater_mut() {
            None => true,
            Some(deflater) => deflater.config().context == Context::Fresh,
        };
        if let Some(bytes) = &self.constant {
            return Ok(self.stream.write_all(bytes)?);
        }
        let mut bytes = Vec::new();
        let mut room = vec![0; payload.len() + 1024];
        for time in 0..times {
            let mut rest = payload;
            loop {
                let key = MaskingKey::new((0x1234_5678 + time as u32).to_le_bytes());
                let encoded = self.encoder.encode(message, rest, true, Some(key), &mut room)?;
                bytes.extend_from_slice(&room[encoded.frame]);
                rest = &rest[encoded.consumed..];
                if encoded.done {
                    break;
                }
            }
        }
        self.stream.write_all(&bytes)?;
        if constant {
            self.constant = Some(bytes);
        }
        Ok(())
    }

    /// Hears so many messages and compares them with what was said; the payload bytes on the wire.
    fn hear(&mut self, said: &[u8], times: usize) -> Result<u64, Failure> {
        let mut room = vec![0; 64 << 10];
        let (mut heard, mut payload_bytes, mut at) = (0, 0, 0);
        let mut buffer = [0; 64 << 10];
        while heard < times {
            let bytes = self.stream.read(&mut buffer)?;
            if bytes == 0 {
                return Err("the server has ended the connection".into());
            }
            self.received.extend_from_slice(&buffer[..bytes]);
            let mut consumed = 0;
            while let Some((used, event)) =
                self.receiver.receive(&mut self.received[consumed..], &mut room)?
            {
                consumed += used;
                payload_bytes += used as u64;
                let Event::Data { payload, ends_message, .. } = event else { continue };
                if said.get(at..at + payload.len()) != Some(&*payload) {
                    return Err("an answer differs from what was said".into());
                }
                at += payload.len();
                if ends_message {
                    if at != said.len() {
                        return Err("an answer is too short".into());
                    }
                    (heard, at) = (heard + 1, 0);
                }
            }
            self.received.drain(..consumed);
        }
        Ok(payload_bytes)
    }
}
