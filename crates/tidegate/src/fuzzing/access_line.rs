//! A line of the access log, whatever is in it: one line, of text that no terminal obeys, and JSON that says what was
//! given, each thing once and in its order.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::access_log::{Line, WebSocketLine, encode};
use crate::outcome::Party;

/// Writes a line of an input: its fields are parted by 0xff.
pub fn run(data: &[u8]) {
    let mut fields =
        data.split(|byte| *byte == 0xff).map(|field| String::from_utf8_lossy(field).into_owned());
    let mut next = || fields.next();
    let [client, host, path, method] = [(); 4].map(|()| next().unwrap_or_default());
    let optional = [(); 6].map(|()| next());
    let [route, backend, reason, origin, protocol, subprotocol] = optional.each_ref().map(Option::as_deref);
    let (len, status) = (data.len() as u64, data.first().copied().unwrap_or(0).into());
    let websocket = data.len().is_multiple_of(2).then_some(WebSocketLine {
        subprotocol,
        bytes_in: len,
        bytes_out: 0,
        messages_in: 1,
        messages_out: u64::MAX,
        end: "client_closed",
        close_code: 1000,
        closed_by: Party::Client,
    });
    let (client, host, path, method) = (&*client, &*host, &*path, &*method);
    let given =
        Line { client, host, path, method, route, backend, reason, origin, protocol, ..Line::default() };
    let is_websocket = websocket.is_some();
    let line = Line { kind: "http", status, conn: len, duration_ms: u64::MAX, websocket, ..given };
    let bytes = encode(&line);

    let text = std::str::from_utf8(&bytes).expect("a line is text");
    let body = text.strip_suffix('\n').expect("it has an end");
    assert!(body.chars().all(is_plain), "{body:?}");
    let Pairs(read) = serde_json::from_str(body).expect("it is JSON");
    let some = |key, value: Option<&str>| value.map(|value| (key, Value::from(value)));
    let filled = |key, value: &str| (!value.is_empty()).then(|| (key, Value::from(value)));
    let of_websocket = |key, value: Option<Value>| value.filter(|_| is_websocket).map(|value| (key, value));
    let expected = [
        some("time", Some("")),
        Some(("conn", len.into())),
        some("client", Some(client)),
        some("kind", Some("http")),
        some("route", route),
        some("backend", backend),
        filled("method", method),
        filled("host", host),
        filled("path", path),
        some("origin", origin),
        Some(("status", status.into())),
        some("protocol", protocol),
        some("reason", reason),
        Some(("duration_ms", u64::MAX.into())),
        of_websocket("subprotocol", subprotocol.map(Value::from)),
        of_websocket("bytes_in", Some(len.into())),
        of_websocket("bytes_out", Some(0.into())),
        of_websocket("messages_in", Some(1.into())),
        of_websocket("messages_out", Some(u64::MAX.into())),
        of_websocket("end", Some("client_closed".into())),
        of_websocket("close_code", Some(1000.into())),
        of_websocket("closed_by", Some("client".into())),
    ];
    let expected: Vec<_> =
        expected.into_iter().flatten().map(|(key, value)| (key.to_owned(), value)).collect();
    assert_eq!(read, expected, "{body}");
}

/// Not a control (C0, DEL, C1), no end of a line, and nothing that turns the direction of others (Unicode's property
/// `Bidi_Control`), marks the order of bytes, has no width, or is a tag.
pub(super) fn is_plain(c: char) -> bool {
    let code = u32::from(c);
    let is_control = code < 0x20 || (0x7f..0xa0).contains(&code);
    let is_end = matches!(code, 0x2028 | 0x2029);
    let is_bidi = matches!(code, 0x61c | 0x200e | 0x200f | 0x202a..=0x202e | 0x2066..=0x2069);
    let is_unseen = matches!(code, 0xad | 0x180e | 0x200b..=0x200d | 0x2060..=0x2064 | 0xfeff);
    let is_tag = matches!(code, 0xe0001 | 0xe0020..=0xe007f);
    !(is_control || is_end || is_bidi || is_unseen || is_tag)
}

/// An object with its keys as they stand: a map would hide that one stands twice.
struct Pairs(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder).map(Self)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Vec<(String, Value)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(pairs)
    }
}
