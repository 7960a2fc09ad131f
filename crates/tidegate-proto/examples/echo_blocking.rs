//! An echo server on threads of the standard library: the protocol needs no runtime.
//!
//! ```text
//! cargo run --example echo_blocking -- 127.0.0.1:9001
//! ```

#![allow(
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the caller has the clock and the terminal, the crate has neither"
)]

mod opening;

use std::error::Error;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use opening::Opening;
use tidegate_proto::{Connection, Decoder, Encoder, Event, Limits, Phase, Receiver, Role, Times};

/// One buffer for everything that is read: a message may be larger.
const BUFFER_BYTES: usize = 64 << 10;

/// How long the head of a request may take, and how long a peer may go on sending after our end.
const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || {
            if let Err(error) = serve(stream) {
                eprintln!("{error}");
            }
        });
    }
    Ok(())
}

fn serve(mut stream: TcpStream) -> Result<(), Box<dyn Error>> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let Some((mut start, mut end)) = open(&mut stream, &mut buffer)? else { return Ok(()) };

    let started = Instant::now();
    let receiver = Receiver::new(Decoder::new(Role::Server, Limits::default()));
    let encoder = Encoder::new(Role::Server);
    let mut connection =
        Connection::new(receiver, encoder, &Times::default(), started.elapsed(), *b"echo_blk");
    let mut out = Vec::new();
    loop {
        // Everything that was read becomes one write.
        start += echo(&mut connection, started.elapsed(), &mut buffer[start..end], &mut out)?;
        stream.write_all(&out)?;
        out.clear();
        if connection.phase() == Phase::Over {
            return linger(&stream);
        }
        // What could not be decoded yet stands in front of what is read next.
        buffer.copy_within(start..end, 0);
        (start, end) = (0, end - start);
        let wait = connection.deadline().map(|at| at.saturating_sub(started.elapsed()));
        stream.set_read_timeout(wait.map(|wait| wait.max(Duration::from_millis(1))))?;
        match stream.read(&mut buffer[end..]) {
            Ok(0) => connection.handle_end(),
            Ok(bytes) => end += bytes,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                connection.handle_time(started.elapsed());
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Says back what was said, and what is due; how many bytes were consumed.
fn echo(
    connection: &mut Connection,
    now: Duration,
    bytes: &mut [u8],
    out: &mut Vec<u8>,
) -> Result<usize, Box<dyn Error>> {
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
fn open(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<Option<(usize, usize)>> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut end = 0;
    loop {
        let bytes = stream.read(&mut buffer[end..])?;
        if bytes == 0 {
            return Ok(None);
        }
        end += bytes;
        match opening::answer(&buffer[..end]) {
            Opening::Incomplete => {}
            Opening::Accepted { head_len, answer } => {
                stream.write_all(answer.as_bytes())?;
                return Ok(Some((head_len, end)));
            }
            Opening::Refused { answer } => {
                stream.write_all(answer.as_bytes())?;
                return Ok(None);
            }
        }
    }
}

/// Ends TCP so that no reset overtakes our Close (RFC 6455 §7.1.1): our FIN, then what still arrives is dropped.
fn linger(mut stream: &TcpStream) -> Result<(), Box<dyn Error>> {
    stream.shutdown(Shutdown::Write)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until && stream.read(&mut [0; 4096])? > 0 {}
    Ok(())
}
