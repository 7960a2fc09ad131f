//! What is said of a request or a WebSocket, and how it is written: JSON, in one line whatever is in it.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::Formatter;

use crate::outcome::Party;
use crate::shown::is_shown;

/// One line, put together when it is written. What is absent is left out. Queries, cookies and other secrets are never in
/// it.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Line<'a> {
    /// When it was written, UTC.
    pub(crate) time: String,
    /// Number of the connection since the start.
    pub(crate) conn: u64,
    /// The client's address, and its port where that is known.
    pub(crate) client: &'a str,
    /// `http` or `websocket`.
    pub(crate) kind: &'static str,
    /// The name of the route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) route: Option<&'a str>,
    /// Of several backends of the route, the one that was connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) backend: Option<&'a str>,
    /// The request method.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) method: &'a str,
    /// The host asked for.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) host: &'a str,
    /// The canonical path, or the beginning of it.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) path: &'a str,
    /// The beginning of an Origin that is not allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) origin: Option<&'a str>,
    /// The HTTP status; 101 for a WebSocket.
    pub(crate) status: u16,
    /// The protocol of a WebSocket, where it is not RFC 6455.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) protocol: Option<&'a str>,
    /// Why, where it is not told by the status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<&'a str>,
    /// Milliseconds from the request to this line.
    pub(crate) duration_ms: u64,
    /// What a WebSocket came to.
    #[serde(flatten)]
    pub(crate) websocket: Option<WebSocketLine<'a>>,
}

/// The part of a line that only a WebSocket has.
#[derive(Debug, Serialize)]
pub(crate) struct WebSocketLine<'a> {
    /// The subprotocol in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) subprotocol: Option<&'a str>,
    /// Payload bytes from the client.
    pub(crate) bytes_in: u64,
    /// Payload bytes to the client.
    pub(crate) bytes_out: u64,
    /// Messages from the client.
    pub(crate) messages_in: u64,
    /// Messages to the client.
    pub(crate) messages_out: u64,
    /// How it ended.
    pub(crate) end: &'static str,
    /// The Close code; 1005 for a Close without one, 1006 where there was none.
    pub(crate) close_code: u16,
    /// Who ended it.
    pub(crate) closed_by: Party,
}

/// A line of text that nothing takes for two, and no terminal for a command, whatever is in it.
pub(crate) fn encode(line: &Line<'_>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(LINE_BYTES_USUAL);
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Plain);
    line.serialize(&mut serializer).expect("a line has only strings and numbers");
    bytes.push(b'\n');
    bytes
}

/// JSON in which what nobody would see is escaped: a terminal obeys the controls of C1, and a viewer that breaks lines at
/// U+2028 or turns their direction shows others than were written.
struct Plain;

impl Formatter for Plain {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, hidden)) = rest.char_indices().find(|(_, found)| !is_shown(*found)) {
            writer.write_all(&rest.as_bytes()[..at])?;
            for unit in hidden.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + hidden.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

/// Bytes that most lines fit into.
const LINE_BYTES_USUAL: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t235_what_nobody_would_see_is_escaped() {
        let nasty = "a\u{9b}2J\u{2028}\u{202e}\u{feff}\u{e0041}\u{1b}[\u{7f}\"\r\n\u{fc}";
        let line = Line { host: nasty, reason: Some(nasty), ..Line::default() };
        let bytes = encode(&line);
        let text = std::str::from_utf8(&bytes).unwrap();
        let escaped = concat!(
            "\"host\":\"a\\u009b2J\\u2028\\u202e\\ufeff\\udb40\\udc41",
            "\\u001b[\\u007f\\\"\\r\\n\u{fc}\""
        );
        assert!(text.contains(escaped), "{text}");
        assert!(text.trim_end().chars().all(is_shown), "{text}");
        let read: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!((&read["host"], &read["reason"]), (&nasty.into(), &nasty.into()));
    }
}
