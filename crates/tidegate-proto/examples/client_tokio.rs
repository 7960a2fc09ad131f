//! A client on tokio: sends each line of its standard input as a text message and prints what comes back.
//!
//! ```text
//! cargo run --example client_tokio -- 127.0.0.1:9001 /chat
//! ```
//!
//! At the end of its input it closes with 1000 and waits for the server's Close.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the caller has the terminal, the crate has not"
)]

mod opening;

use std::error::Error;
use std::time::Duration;

use tidegate_proto::{
    Close, CloseCode, Connection, Decoder, Encoder, Event, Limits, MaskingKey, MessageType, Phase, Receiver,
    Role, Times, handshake,
};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

type Failure = Box<dyn Error + Send + Sync>;

const BUFFER_BYTES: usize = 64 << 10;

/// How long connecting and the opening handshake may take together.
const OPENING_TIME: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let host = arguments.next().unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let path = arguments.next().unwrap_or_else(|| "/".to_owned());
    let mut buffer = vec![0; BUFFER_BYTES];
    let (mut stream, mut start, mut end) = timeout(OPENING_TIME, open(&host, &path, &mut buffer)).await??;

    let started = Instant::now();
    let receiver = Receiver::new(Decoder::new(Role::Client, Limits::default()));
    let encoder = Encoder::new(Role::Client);
    let mut connection = Connection::new(receiver, encoder, &Times::default(), Duration::ZERO, *b"line cli");
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut room = vec![0; BUFFER_BYTES];
    loop {
        start += show(&mut connection, started.elapsed(), &mut buffer[start..end]);
        while let Some(frame) = connection.poll_control(started.elapsed(), Some(fresh_key()?))? {
            stream.write_all(frame.as_slice()).await?;
        }
        if connection.phase() == Phase::Over {
            eprintln!("closed: {}", connection.close_status().get());
            return Ok(());
        }
        buffer.copy_within(start..end, 0);
        (start, end) = (0, end - start);
        let deadline = connection.deadline().map_or_else(|| started + OPENING_TIME, |at| started + at);
        tokio::select! {
            line = lines.next_line(), if connection.may_send() => match line? {
                Some(line) => say(&mut connection, &mut stream, &line, &mut room).await?,
                None => connection.close(started.elapsed(), &Close::code(CloseCode::NORMAL)),
            },
            read = stream.read(&mut buffer[end..]) => match read? {
                0 => connection.handle_end(),
                bytes => end += bytes,
            },
            () = sleep_until(deadline) => {
                connection.handle_time(started.elapsed());
            }
        }
    }
}

/// Sends a line as one message, in as many frames as the room makes of it.
async fn say(
    connection: &mut Connection,
    stream: &mut TcpStream,
    line: &str,
    room: &mut [u8],
) -> Result<(), Failure> {
    let mut rest = line.as_bytes();
    loop {
        let encoded = connection.encode(MessageType::Text, rest, true, Some(fresh_key()?), room)?;
        stream.write_all(&room[encoded.frame]).await?;
        rest = &rest[encoded.consumed..];
        if encoded.done {
            return Ok(());
        }
    }
}

/// Prints what was received; how many bytes were consumed.
fn show(connection: &mut Connection, now: Duration, bytes: &mut [u8]) -> usize {
    let mut at = 0;
    loop {
        match connection.handle_bytes(now, &mut bytes[at..], &mut []) {
            Ok(Some((consumed, event))) => {
                if let Event::Data { payload, ends_message, .. } = event {
                    print!("{}", String::from_utf8_lossy(payload));
                    if ends_message {
                        println!();
                    }
                }
                at += consumed;
            }
            Ok(None) => return at,
            Err(violation) => eprintln!("{violation}"), // the Close that says so is due now
        }
    }
}

/// Connects and shakes hands: the stream, and where in `buffer` the first frames stand.
async fn open(host: &str, path: &str, buffer: &mut [u8]) -> Result<(TcpStream, usize, usize), Failure> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce)?;
    let request = handshake::Request::new(nonce);
    let mut stream = TcpStream::connect(host).await?;
    stream.set_nodelay(true)?;
    stream.write_all(opening::request(&request, host, path).as_bytes()).await?;
    let mut end = 0;
    loop {
        let bytes = stream.read(&mut buffer[end..]).await?;
        if bytes == 0 {
            return Err("the server ended the connection instead of answering".into());
        }
        end += bytes;
        if let Some((head_len, _agreed)) = opening::agreed(&request, &buffer[..end])? {
            return Ok((stream, head_len, end));
        }
    }
}

/// RFC 6455 §5.3: a key that nobody can foresee, for each frame.
fn fresh_key() -> Result<MaskingKey, getrandom::Error> {
    let mut key = [0; 4];
    getrandom::fill(&mut key)?;
    Ok(MaskingKey::new(key))
}
