//! Runs the cases of an Autobahn fuzzing server against this crate in the client's role.
//!
//! ```text
//! cargo run --release --example autobahn_client -- 127.0.0.1:9001 [FIRST LAST]
//! ```
//!
//! Each case is a connection that sends back every message it receives, compressed if the server agreed to that.

#![allow(clippy::print_stdout, reason = "the caller has the terminal, the crate has not")]

mod opening;

use std::error::Error;
use std::io::ErrorKind;
use std::ops::RangeInclusive;
use std::time::Duration;

use tidegate_proto::deflate::{Deflater, DeflaterConfig, InflateLimits, Inflater};
use tidegate_proto::handshake::{self, DeflateAgreement, DeflatePreferences};
use tidegate_proto::{
    Connection, Decoder, Encoder, Event, Limits, MaskingKey, MessageType, Phase, Receiver, Role, Times,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

type Failure = Box<dyn Error + Send + Sync>;

const AGENT: &str = "tidegate-proto";

/// How long one case may take.
const CASE_TIME: Duration = Duration::from_secs(300);

const BUFFER_BYTES: usize = 64 << 10;

/// A connection to the fuzzing server.
struct Client {
    stream: TcpStream,
    connection: Connection,
    started: Instant,
    buffer: Vec<u8>,
    /// The bytes of `buffer` that were read and not consumed.
    start: usize,
    end: usize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let host = arguments.next().ok_or("the address of the fuzzing server is missing")?;
    let cases = match (arguments.next(), arguments.next()) {
        (Some(first), Some(last)) => first.parse()?..=last.parse()?,
        _ => 1..=case_count(&host).await?,
    };
    run(&host, cases).await?;
    let mut reports = Client::open(&host, &format!("/updateReports?agent={AGENT}")).await?;
    reports.converse(|_, _, _| Ok(())).await
}

async fn case_count(host: &str) -> Result<u32, Failure> {
    let mut digits = Vec::new();
    let mut client = Client::open(host, "/getCaseCount").await?;
    client
        .converse(|payload, _, _| {
            digits.extend_from_slice(payload);
            Ok(())
        })
        .await?;
    Ok(String::from_utf8(digits)?.parse()?)
}

async fn run(host: &str, cases: RangeInclusive<u32>) -> Result<(), Failure> {
    for case in cases {
        let mut client = Client::open(host, &format!("/runCase?case={case}&agent={AGENT}")).await?;
        // A case ends as the server likes; what was right about it is in the server's report.
        match timeout(CASE_TIME, client.echo()).await {
            Ok(Ok(())) => println!("case {case}"),
            Ok(Err(error)) => println!("case {case}: {error}"),
            Err(_) => println!("case {case}: not done after {} s", CASE_TIME.as_secs()),
        }
    }
    Ok(())
}

impl Client {
    async fn open(host: &str, path: &str) -> Result<Self, Failure> {
        let preferences = DeflatePreferences::default();
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce)?;
        let request = handshake::Request::new(nonce).with_extensions(preferences.offer());
        let mut stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        stream.write_all(opening::request(&request, host, path).as_bytes()).await?;
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut end = 0;
        let (start, agreed) = loop {
            let bytes = stream.read(&mut buffer[end..]).await?;
            if bytes == 0 {
                return Err("the server ended the connection instead of answering".into());
            }
            end += bytes;
            if let Some(agreed) = opening::agreed(&request, &buffer[..end])? {
                break agreed;
            }
        };
        let (receiver, encoder) = halves(preferences.agree(&agreed.extensions)?);
        let connection = Connection::new(receiver, encoder, &Times::default(), Duration::ZERO, *b"autobahn");
        Ok(Self { stream, connection, started: Instant::now(), buffer, start, end })
    }

    /// Sends every message back. Chunks go out as they come in; so the answer is complete when the message is.
    async fn echo(&mut self) -> Result<(), Failure> {
        let mut out = Vec::new();
        let mut room = vec![0; BUFFER_BYTES];
        self.converse_with(
            |connection, payload, message, ends_message, out| {
                let mut rest = payload;
                loop {
                    let key = Some(fresh_key()?);
                    let encoded = connection.encode(message, rest, ends_message, key, &mut room)?;
                    out.extend_from_slice(&room[encoded.frame]);
                    rest = &rest[encoded.consumed..];
                    if encoded.done {
                        return Ok(());
                    }
                }
            },
            &mut out,
        )
        .await
    }

    /// Hears the server out.
    async fn converse(
        &mut self,
        mut heard: impl FnMut(&[u8], MessageType, bool) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.converse_with(|_, payload, message, ends, _| heard(payload, message, ends), &mut Vec::new())
            .await
    }

    async fn converse_with(
        &mut self,
        mut heard: impl FnMut(&mut Connection, &[u8], MessageType, bool, &mut Vec<u8>) -> Result<(), Failure>,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let mut inflated = vec![0; BUFFER_BYTES];
        loop {
            let now = self.started.elapsed();
            loop {
                // What is due before, so that each Ping gets its own Pong.
                while let Some(frame) = self.connection.poll_control(now, Some(fresh_key()?))? {
                    out.extend_from_slice(frame.as_slice());
                }
                let read = &mut self.buffer[self.start..self.end];
                let (consumed, event) = match self.connection.handle_bytes(now, read, &mut inflated) {
                    Ok(Some(heard)) => heard,
                    Ok(None) => break,
                    Err(_) => continue, // the Close that says so is due now, and nothing is heard after it
                };
                if let Event::Data { message, payload, ends_message, .. } = event
                    && self.connection.may_send()
                {
                    heard(&mut self.connection, payload, message, ends_message, out)?;
                }
                self.start += consumed;
            }
            self.stream.write_all(out).await?;
            out.clear();
            if self.connection.phase() == Phase::Over {
                return Ok(());
            }
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            match self.stream.read(&mut self.buffer[self.end..]).await {
                Ok(0) => self.connection.handle_end(),
                Ok(bytes) => self.end += bytes,
                // The suite ends some connections without ceremony; that is its verdict to give.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => self.connection.handle_end(),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Both halves as they were agreed: the server's side is what we read, the client's what we write with.
fn halves(agreement: Option<DeflateAgreement>) -> (Receiver, Encoder) {
    let receiver = Receiver::new(Decoder::new(Role::Client, Limits::NONE));
    let encoder = Encoder::new(Role::Client);
    let Some(DeflateAgreement { server, client }) = agreement else { return (receiver, encoder) };
    let inflater = Inflater::new(server.window, server.context, InflateLimits::NONE);
    let config = DeflaterConfig { window: client.window, context: client.context, level: 6, mem_level: 8 };
    (receiver.with_deflate(inflater), encoder.with_deflate(Deflater::new(config), 0))
}

/// RFC 6455 §5.3: a key that nobody can foresee, for each frame.
fn fresh_key() -> Result<MaskingKey, getrandom::Error> {
    let mut key = [0; 4];
    getrandom::fill(&mut key)?;
    Ok(MaskingKey::new(key))
}
