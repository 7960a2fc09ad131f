//! Reads the messages of the first WebSocket in a HAR: one of ours, or one that a browser has exported.

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::error::Category;
use serde_json::value::RawValue;
use tidegate_proto::MessageType;

use super::super::{Message, Part, Side};
use super::{ReadError, Recording};

/// What the last line of a recording lacks that was cut off.
const TAIL: &str = "],\"time\":0}]}}";

#[derive(Deserialize)]
struct Har<'a> {
    #[serde(borrow)]
    log: Log<'a>,
}

#[derive(Deserialize)]
struct Log<'a> {
    #[serde(borrow)]
    entries: Vec<Entry<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    started_date_time: String,
    /// As they stand in the text, so that a mistake is told with its place.
    #[serde(borrow, rename = "_webSocketMessages")]
    messages: Option<Vec<&'a RawValue>>,
}

/// One entry of `_webSocketMessages`.
#[derive(Deserialize)]
struct Sent {
    #[serde(rename = "type")]
    kind: String,
    time: f64,
    opcode: i64,
    data: String,
    #[serde(rename = "_encoding")]
    encoding: Option<String>,
}

pub(super) fn read(text: &str) -> Result<Recording, ReadError> {
    let first_error = match serde_json::from_str(text) {
        Ok(har) => return recording(text, har, false),
        Err(error) => error,
    };
    if first_error.classify() == Category::Eof {
        let last_line = text.rfind('\n').unwrap_or(0);
        for whole in [text, &text[..last_line]] {
            let whole = whole.trim_end();
            let whole = [whole.strip_suffix(',').unwrap_or(whole), TAIL].concat();
            if let Ok(har) = serde_json::from_str(&whole) {
                return recording(&whole, har, true);
            }
        }
    }
    Err(wrong((1, 1), &first_error))
}

fn recording(text: &str, har: Har<'_>, is_cut: bool) -> Result<Recording, ReadError> {
    let mut recorded =
        har.log.entries.into_iter().filter_map(|entry| Some((entry.started_date_time, entry.messages?)));
    let (started, raw) = recorded.next().ok_or(ReadError::Nothing)?;
    let others = recorded.count();
    let sent = raw.iter().map(|raw| {
        let sent: serde_json::Result<Sent> = serde_json::from_str(raw.get());
        sent.map_err(|error| wrong(place(text, raw.get()), &error))
    });
    let sent = sent.collect::<Result<Vec<_>, ReadError>>()?;
    // Other tools write other forms of the time; then the first message is the beginning.
    let started =
        humantime::parse_rfc3339(&started).ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let first = sent.first().map_or(0.0, |sent| sent.time);
    let started = started.map_or(first, |started| started.as_secs_f64());

    let mut types = Types::default();
    let mut messages = Vec::with_capacity(sent.len());
    for (sent, raw) in sent.into_iter().zip(raw) {
        let message = message(sent, started, &mut types);
        messages.extend(message.map_err(|problem| {
            let (line, column) = place(text, raw.get());
            ReadError::Wrong { line, column, problem }
        })?);
    }
    Ok(Recording { messages, is_cut, others })
}

/// The type of each side's last message, which parts of it have as well.
#[derive(Default)]
struct Types {
    client: Option<MessageType>,
    backend: Option<MessageType>,
}

/// A message, or nothing where it is a remark or a control frame.
fn message(sent: Sent, started: f64, types: &mut Types) -> Result<Option<Message>, String> {
    let (side, last) = match sent.kind.as_str() {
        "send" => (Side::Client, &mut types.client),
        "receive" => (Side::Backend, &mut types.backend),
        "error" => return Ok(None),
        other => return Err(format!("the type {other:?} is unknown; it is send, receive or error")),
    };
    let part = match sent.opcode {
        0 => Part::More(last.ok_or("the opcode is 0, but there is no message before it")?),
        1 => Part::First(MessageType::Text),
        2 => Part::First(MessageType::Binary),
        8..=10 => return Ok(None),
        other => return Err(format!("the opcode {other} is unknown; it is 0, 1, 2, 8, 9 or 10")),
    };
    let (Part::First(message) | Part::More(message)) = part;
    *last = Some(message);
    let payload = match (message, sent.encoding.as_deref()) {
        (MessageType::Text, None) => sent.data.into_bytes(),
        (MessageType::Binary, None) | (_, Some("base64")) => {
            BASE64.decode(&sent.data).map_err(|error| format!("the data is not base64: {error}"))?
        }
        (_, Some(other)) => return Err(format!("the encoding {other:?} is unknown; it is base64")),
    };
    let at = Duration::try_from_secs_f64((sent.time - started).max(0.0)).unwrap_or(Duration::MAX);
    Ok(Some(Message { side, at, part, payload }))
}

/// Line and column of a piece of the text.
fn place(text: &str, piece: &str) -> (usize, usize) {
    let before = &text[..piece.as_ptr().addr() - text.as_ptr().addr()];
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1) + 1;
    (line, column)
}

/// What is wrong with JSON that begins at this place.
fn wrong((line, column): (usize, usize), error: &serde_json::Error) -> ReadError {
    let before = if error.line() == 1 { column - 1 } else { 0 };
    let (line, column) = (line + error.line() - 1, before + error.column().max(1));
    let problem = error.to_string();
    let problem = problem.split(" at line ").next().unwrap_or_default().to_owned();
    ReadError::Wrong { line, column, problem }
}
