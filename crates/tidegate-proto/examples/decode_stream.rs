//! `decode_stream`: says what is heard in a stream of frames, for comparing with other implementations.
//!
//! Each line of the standard input is one stream: `server` or `client`, who reads it; `plain` or `deflate`; and its
//! bytes in hexadecimal. For each there is a line of JSON: what was said, a list of pairs of a kind and bytes in
//! hexadecimal, and how it ended: `"open"`, `"closed"` by a Close, or the fault and the code that answers it.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, Write as _};

use tidegate_proto::deflate::{Context, InflateLimits, Inflater, WindowBits};
use tidegate_proto::{Assembler, Decoder, Event, Limits, MessageType, Receiver, Role, Violation};

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let answer = read(&line).ok_or_else(|| io::Error::other(format!("not a stream: {line}")))?;
        writeln!(out, "{answer}")?;
    }
    Ok(())
}

/// The answer to a line, if it is well-formed.
fn read(line: &str) -> Option<String> {
    let mut words = line.split(' ');
    let role = match words.next()? {
        "server" => Role::Server,
        "client" => Role::Client,
        _ => return None,
    };
    let mut receiver = Receiver::new(Decoder::new(role, Limits::default()));
    if words.next()? == "deflate" {
        let inflater = Inflater::new(WindowBits::MAX, Context::Takeover, InflateLimits::default());
        receiver = receiver.with_deflate(inflater);
    }
    let (said, end) = hear(receiver, from_hex(words.next()?)?);
    Some(format!(r#"{{"said": [{}], "end": {end}}}"#, said.join(", ")))
}

fn hear(mut receiver: Receiver, mut bytes: Vec<u8>) -> (Vec<String>, String) {
    let mut assembler = Assembler::new(1 << 20);
    let mut room = vec![0; 4096];
    let mut said = Vec::new();
    let mut at = 0;
    loop {
        let (_, rest) = bytes.split_at_mut(at);
        let (consumed, event) = match receiver.receive(rest, &mut room) {
            Ok(None) => return (said, r#""open""#.into()),
            Ok(Some(received)) => received,
            Err(violation) => return (said, fault(violation)),
        };
        at += consumed;
        match &event {
            Event::Data { .. } => match assembler.push(&event) {
                Ok(None) => {}
                Ok(Some(whole)) => {
                    let kind = if whole.message == MessageType::Text { "text" } else { "binary" };
                    said.push(pair(kind, whole.payload));
                }
                Err(violation) => return (said, fault(violation)),
            },
            Event::Ping(payload) => said.push(pair("ping", payload)),
            Event::Pong(payload) => said.push(pair("pong", payload)),
            Event::Close(close) => {
                let code = close.code.map(|code| code.get().to_be_bytes());
                let body: Vec<u8> = code.into_iter().flatten().chain(close.reason.bytes()).collect();
                said.push(pair("close", &body));
                return (said, r#""closed""#.into());
            }
        }
    }
}

fn pair(kind: &str, payload: &[u8]) -> String {
    let hex = payload.iter().fold(String::new(), |mut hex, byte| {
        let _never_fails = write!(hex, "{byte:02x}");
        hex
    });
    format!(r#"["{kind}", "{hex}"]"#)
}

fn fault(violation: Violation) -> String {
    format!(r#"{{"fault": "{violation:?}", "code": {}}}"#, violation.close_code())
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    if digits.len().is_multiple_of(2) { digits.chunks(2).map(byte).collect() } else { None }
}
