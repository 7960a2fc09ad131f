use std::path::Path;

use http::{HeaderName, HeaderValue};

use super::*;
use crate::config::{Overrides, TrustedProxies, parse};
use crate::io::{Arrival, Peer};
use crate::opening;
use crate::request::{Kind, Request};
use crate::route::Table;

const TCP: &str = "tcp://127.0.0.1:1";

/// What both dialects have in common.
const UPGRADE: [(&str, &str); 3] = [("host", "gw.test"), ("upgrade", "WebSocket"), ("connection", "Upgrade")];

const RFC6455: [(&str, &str); 2] =
    [("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="), ("sec-websocket-version", "13")];

/// The keys are the draft's own example.
const HYBI00: [(&str, &str); 2] =
    [("sec-websocket-key1", "4 @1  46546xW%0l 1 5"), ("sec-websocket-key2", "12998 5 Y3 1  .P00")];

/// What is decided about a client that sends these fields, on a route that has these keys.
fn decide_on(
    dialect: [(&'static str, &str); 2],
    keys: &str,
    backend: &str,
    fields: &[(&'static str, &str)],
) -> Result<Permit, Denied> {
    let text = format!("[[route]]\npath = \"/\"\nbackend = \"{backend}\"\n{keys}");
    let checked = parse(&text, Path::new("t"), &Overrides::default());
    let config = checked.config.unwrap_or_else(|| panic!("{:?}", checked.diagnostics));
    let selected = Table::new(config.routes).select(Kind::WebSocket, "gw.test", "/").unwrap();
    let request = request(dialect.iter().chain(fields));
    let opening = opening::read(&request, false, true).unwrap();
    let origins = fields.iter().filter(|(name, _)| *name == "origin").map(|(_, value)| value.as_bytes());
    let own = OriginTuple { scheme: "http".into(), host: "gw.test".into(), port: 80 };
    decide(selected, opening, origins, &own)
}

fn request<'a>(fields: impl Iterator<Item = &'a (&'static str, &'a str)>) -> Request {
    let (mut head, ()) = http::Request::new(()).into_parts();
    for (name, value) in UPGRADE.iter().chain(fields) {
        head.headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    let client = Peer::Tcp(([192, 0, 2, 1], 4711).into());
    let arrival = Arrival { client, unnamed: false, local: None, secure: false, tls: None };
    let proxies = TrustedProxies { networks: Vec::new(), unix: false };
    Request::read(head, &arrival, &proxies).unwrap()
}

fn named(permit: &Permit) -> Option<&str> {
    match permit.subprotocol() {
        SubprotocolChoice::Settled(chosen) => chosen.as_ref().map(Subprotocol::as_str),
        SubprotocolChoice::Backend => Some("(backend)"),
    }
}

fn chosen(keys: &str, backend: &str, offer: &str) -> Option<String> {
    let permit = decide_on(RFC6455, keys, backend, &[("sec-websocket-protocol", offer)]).unwrap();
    named(&permit).map(str::to_owned)
}

/// The same for a client of hybi-00, which must name its origin.
fn let_in_old(keys: &str, backend: &str, offer: &str) -> Permit {
    let fields = [("origin", "http://gw.test"), ("sec-websocket-protocol", offer)];
    decide_on(HYBI00, keys, backend, &fields).unwrap()
}

#[test]
fn t074_t076_number_of_origins() {
    let decide_on = |keys: &str, fields: &[(&'static str, &str)]| decide_on(RFC6455, keys, "echo:", fields);
    assert!(decide_on("", &[("origin", "http://gw.test")]).is_ok());
    assert!(decide_on("", &[]).is_ok());
    assert_eq!(decide_on("allow_missing_origin = false", &[]).unwrap_err(), Denied::OriginMissing);
    assert_eq!(
        decide_on("", &[("origin", "http://evil.test")]).unwrap_err(),
        Denied::Origin("http://evil.test".into())
    );
    for pair in [["http://gw.test", "http://evil.test"], ["http://evil.test", "http://gw.test"]] {
        let fields = pair.map(|origin| ("origin", origin));
        assert_eq!(decide_on("", &fields).unwrap_err(), Denied::OriginRepeated);
    }
}

#[test]
fn t047_t048_subprotocols() {
    assert_eq!(chosen("", TCP, "binary, base64").as_deref(), Some("binary"));
    assert_eq!(chosen("", TCP, "base64, binary").as_deref(), Some("binary"), "base64 is for hybi-00");
    assert_eq!(chosen(r#"subprotocols = ["base64"]"#, TCP, "base64"), None);
    assert_eq!(chosen("", "ws://127.0.0.1:1", "binary, base64").as_deref(), Some("(backend)"));
    assert_eq!(
        chosen(r#"subprotocols = ["superchat"]"#, TCP, "chat, superchat").as_deref(),
        Some("superchat")
    );
    assert_eq!(
        chosen(r#"subprotocols = ["b", "a"]"#, TCP, "a, b").as_deref(),
        Some("a"),
        "the client's order"
    );
    assert_eq!(chosen(r#"subprotocols = ["x"]"#, TCP, "a, b"), None);
    assert_eq!(chosen("subprotocols = []", TCP, "a, b"), None);
    let required = "subprotocols = [\"x\"]\nsubprotocol_required = true";
    let decide_on = |fields: &[(&'static str, &str)]| decide_on(RFC6455, required, TCP, fields);
    assert_eq!(decide_on(&[("sec-websocket-protocol", "a")]).unwrap_err(), Denied::Subprotocol);
    assert_eq!(decide_on(&[]).unwrap_err(), Denied::Subprotocol);
    assert_eq!(named(&decide_on(&[("sec-websocket-protocol", "a, x")]).unwrap()), Some("x"));
}

#[test]
fn bytes_are_base64_to_clients_that_have_only_text() {
    let coding = |keys: &str, backend: &str| let_in_old(keys, backend, "x").coding();
    assert_eq!(coding("", TCP), Some(Coding::Base64));
    assert_eq!(coding("", "ws://127.0.0.1:1"), Some(Coding::Base64));
    assert_eq!(coding("message = \"text\"", TCP), Some(Coding::Text));
    assert_eq!(coding("message = \"by-subprotocol\"", TCP), Some(Coding::Text));
    assert_eq!(coding("", "echo:"), Some(Coding::Text), "an echo is not decoded");
    assert_eq!(decide_on(RFC6455, "", TCP, &[]).unwrap().coding(), None);
}

#[test]
fn base64_is_agreed_on_where_messages_are_base64() {
    assert_eq!(named(&let_in_old("", TCP, "base64")), Some("base64"));
    assert_eq!(named(&let_in_old(r#"subprotocols = ["base64"]"#, TCP, "base64")), Some("base64"));
    assert_eq!(named(&let_in_old("message = \"text\"", TCP, "base64")), None);
    assert_eq!(chosen("message = \"text\"", TCP, "base64"), None);
}
