//! HAR 1.2 with `_webSocketMessages`, as the developer tools of Chromium export and import it.
//!
//! The messages are the last list of the file and stand one on each line, so that a file which was cut off lacks a few
//! brackets and nothing else.

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;
use serde_json::json;
use tidegate_proto::MessageType;

use super::{About, Message, Part, Side};

/// Bytes of a URL that are kept.
const URL_BYTES_MAX: usize = 2048;

/// One entry of `_webSocketMessages`.
#[derive(Debug, Serialize)]
struct Entry<'a> {
    /// `send` is the client's, `receive` is the backend's, `error` is a remark.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Seconds since 1970.
    time: f64,
    /// 1 for text, 2 for anything else, 0 where a message goes on; -1 for a remark.
    opcode: i8,
    /// Of text messages as it is; anything else in base64.
    data: &'a str,
    /// Set where the payload of a text message is no UTF-8, and in base64 for that reason.
    #[serde(rename = "_encoding", skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
}

pub(super) fn head(about: &About) -> Vec<u8> {
    let url = &about.url[..about.url.floor_char_boundary(URL_BYTES_MAX)];
    let entry = json!({
        "startedDateTime": humantime::format_rfc3339_millis(about.started).to_string(),
        "request": {
            "method": "GET", "url": url, "httpVersion": "HTTP/1.1", "cookies": [], "headers": [],
            "queryString": [], "headersSize": -1, "bodySize": 0,
        },
        "response": {
            "status": 101, "statusText": "Switching Protocols", "httpVersion": "HTTP/1.1", "cookies": [],
            "headers": [], "content": { "size": 0, "mimeType": "x-unknown" }, "redirectURL": "",
            "headersSize": -1, "bodySize": -1,
        },
        "cache": {},
        "timings": { "send": 0, "wait": 0, "receive": 0 },
        "_resourceType": "websocket",
    });
    let creator = json!({ "name": "tidegate", "version": env!("CARGO_PKG_VERSION") });
    let mut text = format!("{{\"log\":{{\"version\":\"1.2\",\"creator\":{creator},\"entries\":[{entry}");
    text.truncate(text.len() - 1); // the entry stays open for its messages
    text.push_str(",\"_webSocketMessages\":[");
    text.into_bytes()
}

pub(super) fn message(message: &Message, about: &About, out: &mut Vec<u8>) {
    let is_text = matches!(message.part, Part::First(MessageType::Text) | Part::More(MessageType::Text));
    let text = std::str::from_utf8(&message.payload).ok().filter(|_| is_text);
    let encoded = text.is_none().then(|| BASE64.encode(&message.payload));
    let entry = Entry {
        kind: match message.side {
            Side::Client => "send",
            Side::Backend => "receive",
        },
        time: seconds(message.at, about),
        opcode: match message.part {
            Part::More(_) => 0,
            Part::First(MessageType::Text) => 1,
            Part::First(MessageType::Binary) => 2,
        },
        data: encoded.as_deref().or(text).unwrap_or_default(),
        encoding: (is_text && encoded.is_some()).then_some("base64"),
    };
    write(&entry, out);
}

pub(super) fn note(text: &str, at: Duration, about: &About, out: &mut Vec<u8>) {
    write(&Entry { kind: "error", time: seconds(at, about), opcode: -1, data: text, encoding: None }, out);
}

pub(super) fn tail(length: Duration) -> Vec<u8> {
    format!("\n],\"time\":{}}}]}}}}\n", length.as_millis()).into_bytes()
}

fn write(entry: &Entry<'_>, out: &mut Vec<u8>) {
    serde_json::to_writer(out, entry)
        .expect("an entry has only strings and numbers, and a vector takes them");
}

fn seconds(at: Duration, about: &About) -> f64 {
    let since_1970 = (about.started + at).duration_since(UNIX_EPOCH).unwrap_or_default();
    // To the microsecond: a double holds no more of a time of day.
    (since_1970.as_secs_f64() * 1e6).round() / 1e6
}
