//! Ours with compression: like the example, and with buffers and, where messages stand by themselves, compressors that
//! belong to the thread and not to the connection.

use super::Deflate;
use crate::Failure;
use std::cell::RefCell;
use tidegate_proto::deflate::{Context, Deflater, DeflaterConfig, InflateLimits, Inflater, WindowBits};
use tidegate_proto::{Decoder, Encoder, Event, Limits, Receiver, Role};
use tokio::io::{AsyncWriteExt as _, Interest};
use tokio::net::TcpStream;

const BUFFER_BYTES: usize = 64 << 10;

/// What a turn of any connection works with.
struct Scratch {
    read: Vec<u8>,
    inflated: Vec<u8>,
    frame: Vec<u8>,
    out: Vec<u8>,
    /// Between two messages.
    deflaters: Vec<Deflater>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        read: vec![0; BUFFER_BYTES],
        inflated: vec![0; BUFFER_BYTES],
        frame: vec![0; BUFFER_BYTES],
        out: Vec::new(),
        deflaters: Vec::new(),
    });
}

pub async fn deflated(mut stream: TcpStream, deflate: Deflate) -> Result<(), Failure> {
    let (window, context) = (WindowBits::MAX, deflate.context());
    let config = DeflaterConfig { window, context, level: 6, mem_level: 8 };
    let mut receiver = Receiver::new(Decoder::new(Role::Server, Limits::NONE)).with_deflate(Inflater::new(
        window,
        context,
        InflateLimits::NONE,
    ));
    let mut encoder = Encoder::new(Role::Server).with_deflate(Deflater::new(config), 0);
    let mut carried = Vec::new();
    loop {
        stream.ready(Interest::READABLE).await?;
        let unsent = SCRATCH
            .with_borrow_mut(|scratch| turn(&stream, &mut receiver, &mut encoder, &mut carried, scratch))?;
        match unsent {
            None => return Ok(()),
            Some(unsent) => stream.write_all(&unsent).await?,
        }
    }
}

/// Answers what can be read just now. What the socket did not take of it; `None` at its end.
fn turn(
    stream: &TcpStream,
    receiver: &mut Receiver,
    encoder: &mut Encoder,
    carried: &mut Vec<u8>,
    scratch: &mut Scratch,
) -> Result<Option<Vec<u8>>, Failure> {
    let start = carried.len();
    scratch.read[..start].copy_from_slice(carried);
    carried.clear();
    let end = match stream.try_read(&mut scratch.read[start..]) {
        Ok(0) => return Ok(None),
        Ok(bytes) => start + bytes,
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => start,
        Err(error) => return Err(error.into()),
    };
    let mut at = 0;
    scratch.out.clear();
    while let Some((consumed, event)) = receiver.receive(&mut scratch.read[at..end], &mut scratch.inflated)? {
        at += consumed;
        let Event::Data { message, payload, starts_message, ends_message, .. } = event else { continue };
        let own = encoder.deflater_mut().expect("it was made with one");
        let pooled = own.config().context == Context::Fresh;
        if pooled
            && starts_message
            && let Some(used) = scratch.deflaters.pop()
        {
            *own = used;
        }
        let mut rest = &*payload;
        loop {
            let encoded = encoder.encode(message, rest, ends_message, None, &mut scratch.frame)?;
            scratch.out.extend_from_slice(&scratch.frame[encoded.frame]);
            rest = &rest[encoded.consumed..];
            if encoded.done {
                break;
            }
        }
        if pooled && ends_message {
            let own = encoder.deflater_mut().expect("it was made with one");
            let unused = Deflater::new(own.config());
            scratch.deflaters.push(std::mem::replace(own, unused));
        }
    }
    carried.extend_from_slice(&scratch.read[at..end]);
    carried.shrink_to_fit();
    let sent = match stream.try_write(&scratch.out) {
        Ok(sent) => sent,
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => 0,
        Err(error) => return Err(error.into()),
    };
    Ok(Some(scratch.out[sent..].to_vec()))
}
