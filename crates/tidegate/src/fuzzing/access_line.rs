//! A line of the access log, whatever is in it: one line, of text that no terminal obeys, and JSON that says the same.

use serde_json::Value;

use crate::access_log::{Line, WebSocketLine, encode};
use crate::outcome::Party;

/// Writes a line of an input: its fields are parted by 0xff.
pub fn run(data: &[u8]) {
    let mut fields =
        data.split(|byte| *byte == 0xff).map(|field| String::from_utf8_lossy(field).into_owned());
    let mut next = || fields.next();
    let [client, host, path] = [(); 3].map(|()| next().unwrap_or_default());
    let optional = [(); 4].map(|()| next());
    let [route, backend, reason, subprotocol] = optional.each_ref().map(Option::as_deref);
    let websocket = data.len().is_multiple_of(2).then_some(WebSocketLine {
        subprotocol,
        bytes_in: data.len() as u64,
        bytes_out: 0,
        messages_in: 1,
        messages_out: u64::MAX,
        end: "client_closed",
        close_code: 1000,
        closed_by: Party::Client,
    });
    let (client, host, path) = (&*client, &*host, &*path);
    let line =
        Line { client, host, path, route, backend, reason, websocket, kind: "http", ..Line::default() };
    let bytes = encode(&line);

    let text = std::str::from_utf8(&bytes).expect("a line is text");
    let body = text.strip_suffix('\n').expect("it has an end");
    let is_plain = |c: char| !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}');
    assert!(body.chars().all(is_plain), "{body:?}");
    let read: Value = serde_json::from_str(body).expect("it is JSON");
    let says = |key: &str, value: &str| {
        assert_eq!(read.get(key).and_then(Value::as_str).unwrap_or_default(), value, "{key} in {body}");
    };
    says("client", line.client);
    says("host", line.host);
    says("path", line.path);
    says("route", line.route.unwrap_or_default());
    says("backend", line.backend.unwrap_or_default());
    says("reason", line.reason.unwrap_or_default());
    if line.websocket.is_some() {
        says("subprotocol", subprotocol.unwrap_or_default());
    }
}
