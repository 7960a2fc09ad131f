//! An echo server on tokio: one task, one buffer and one write per read for each connection.
//!
//! ```text
//! cargo run --release --example echo_tokio -- 127.0.0.1:9001
//! ```

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the caller has the terminal, the crate has not"
)]

mod opening;

use std::error::Error;
use std::io;
use std::time::Duration;

use opening::Opening;
use tidegate_proto::{Connection, Decoder, Encoder, Event, Limits, Phase, Receiver, Role, Times};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout, timeout_at};

type Failure = Box<dyn Error + Send + Sync>;

/// One buffer for everything that is read: a message may be larger.
const BUFFER_BYTES: usize = 16 << 10;

/// How long the head of a request may take, and how long a peer may go on sending after our end.
const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            if let Err(error) = serve(stream).await {
                eprintln!("{error}");
            }
        });
    }
}

async fn serve(mut stream: TcpStream) -> Result<(), Failure> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let opened = timeout(PATIENCE, open(&mut stream, &mut buffer)).await??;
    let Some((mut start, mut end)) = opened else { return Ok(()) };

    let started = Instant::now();
    let receiver = Receiver::new(Decoder::new(Role::Server, Limits::NONE));
    let mut connection = Connection::new(
        receiver,
        Encoder::new(Role::Server),
        &Times::default(),
        Duration::ZERO,
        *b"echo_tok",
    );
    let mut out = Vec::new();
    loop {
        let now = started.elapsed();
        start += echo(&mut connection, now, &mut buffer[start..end], &mut out)?;
        stream.write_all(&out).await?;
        out.clear();
        if connection.phase() == Phase::Over {
            return linger(stream).await;
        }
        buffer.copy_within(start..end, 0);
        (start, end) = (0, end - start);
        let read = stream.read(&mut buffer[end..]);
        let Some(deadline) = connection.deadline() else {
            end += read.await?;
            continue;
        };
        match timeout_at(started + deadline, read).await {
            Err(_) => {
                connection.handle_time(started.elapsed());
            }
            Ok(Ok(0)) => connection.handle_end(),
            Ok(bytes) => end += bytes?,
        }
    }
}

/// Says back what was said, and what is due; how many bytes were consumed.
fn echo(
    connection: &mut Connection,
    now: Duration,
    bytes: &mut [u8],
    out: &mut Vec<u8>,
) -> Result<usize, Failure> {
    let mut at = 0;
    loop {
        // What is due before, so that each Ping gets its own Pong.
        while let Some(frame) = connection.poll_control(now, None)? {
            out.extend_from_slice(frame.as_slice());
        }
        match connection.handle_bytes(now, &mut bytes[at..], &mut []) {
            Ok(Some((consumed, event))) => {
                if let Event::Data { message, payload, ends_message, .. } = event
                    && connection.may_send()
                {
                    let header = connection.frame(message, payload, ends_message, None)?;
                    out.extend_from_slice(header.as_slice());
                    out.extend_from_slice(payload);
                }
                at += consumed;
            }
            Ok(None) => return Ok(at),
            Err(violation) => eprintln!("{violation}"), // the Close that says so is due now
        }
    }
}

/// The opening handshake: where in `buffer` the first frames stand, or `None` if it was refused.
async fn open(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<Option<(usize, usize)>> {
    let mut end = 0;
    loop {
        let bytes = stream.read(&mut buffer[end..]).await?;
        if bytes == 0 {
            return Ok(None);
        }
        end += bytes;
        match opening::answer(&buffer[..end]) {
            Opening::Incomplete => {}
            Opening::Accepted { head_len, answer } => {
                stream.write_all(answer.as_bytes()).await?;
                return Ok(Some((head_len, end)));
            }
            Opening::Refused { answer } => {
                stream.write_all(answer.as_bytes()).await?;
                return Ok(None);
            }
        }
    }
}

/// Ends TCP so that no reset overtakes our Close (RFC 6455 §7.1.1): our FIN, then what still arrives is dropped.
async fn linger(mut stream: TcpStream) -> Result<(), Failure> {
    stream.shutdown().await?;
    let dropped = async { while stream.read(&mut [0; 4096]).await.is_ok_and(|bytes| bytes > 0) {} };
    _ = timeout(PATIENCE, dropped).await;
    Ok(())
}
