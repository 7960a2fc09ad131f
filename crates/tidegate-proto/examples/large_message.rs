//! One message of a gibibyte, sent and received through 64 KiB of memory at each end.
//!
//! ```text
//! cargo run --release --example large_message [MEBIBYTES]
//! ```
//!
//! Prints what arrived and, on Linux, the most memory that the process ever had.

#![allow(clippy::print_stdout, reason = "the caller has the terminal, the crate has not")]

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use tidegate_proto::{Decoder, Encoder, Event, Limits, MaskingKey, MessageType, Role};

const BUFFER_BYTES: usize = 64 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    let mebibytes: u64 = std::env::args().nth(1).as_deref().unwrap_or("1024").parse()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let stream = TcpStream::connect(listener.local_addr()?)?;
    let sender = thread::spawn(move || send(stream, mebibytes << 20).map_err(|error| error.to_string()));
    let (bytes, sum) = receive(&listener.accept()?.0)?;
    let sent = sender.join().expect("the sender does not panic")?;
    println!("{bytes} bytes in one message, {}", if sum == sent { "all as sent" } else { "NOT as sent" });
    if let Some(line) =
        std::fs::read_to_string("/proc/self/status")?.lines().find(|line| line.starts_with("VmHWM"))
    {
        println!("{line}");
    }
    if sum == sent { Ok(()) } else { Err("the message was changed on its way".into()) }
}

/// The client's end: a message in as many frames as it takes, each masked with its own key.
fn send(mut stream: TcpStream, bytes: u64) -> Result<u64, Box<dyn Error>> {
    let mut encoder = Encoder::new(Role::Client);
    let mut buffer = vec![0; BUFFER_BYTES];
    let (mut left, mut sum, mut next) = (bytes, 0, 0);
    while left > 0 {
        let len = left.min(BUFFER_BYTES as u64);
        left -= len;
        let payload = &mut buffer[..usize::try_from(len)?];
        for byte in payload.iter_mut() {
            next = (next + 1) % 251;
            *byte = next;
        }
        sum = payload.iter().fold(sum, add);
        let mut key = [0; 4];
        getrandom::fill(&mut key)?;
        let header = encoder.frame(MessageType::Binary, payload, left == 0, Some(MaskingKey::new(key)))?;
        stream.write_all(header.as_slice())?;
        stream.write_all(payload)?;
    }
    Ok(sum)
}

/// The server's end: payload is counted where it stands in the buffer, and forgotten.
fn receive(mut stream: &TcpStream) -> Result<(u64, u64), Box<dyn Error>> {
    let mut decoder = Decoder::new(Role::Server, Limits::NONE);
    let mut buffer = vec![0; BUFFER_BYTES];
    let (mut bytes, mut sum, mut kept) = (0, 0, 0);
    loop {
        let end = match stream.read(&mut buffer[kept..])? {
            0 => return Err("the message was not finished".into()),
            read => kept + read,
        };
        let mut at = 0;
        while let Some((consumed, event)) = decoder.decode(&mut buffer[at..end])? {
            if let Event::Data { payload, ends_message, .. } = event {
                bytes += payload.len() as u64;
                sum = payload.iter().fold(sum, add);
                if ends_message {
                    return Ok((bytes, sum));
                }
            }
            at += consumed;
        }
        buffer.copy_within(at..end, 0);
        kept = end - at;
    }
}

/// A sum that notices bytes that are missing, changed or in another place.
fn add(sum: u64, byte: &u8) -> u64 {
    sum.wrapping_mul(31).wrapping_add(u64::from(*byte))
}
