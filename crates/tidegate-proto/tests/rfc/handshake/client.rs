//! RFC 6455 §4.1: what a client sends, and what it takes for an answer.

use super::*;

#[test]
fn c006_client_asks_for_the_upgrade() {
    let sent = request("", "").fields();
    let value = |name| sent.as_slice().values(name).collect::<Vec<_>>();
    assert_eq!(value("upgrade"), [b"websocket"]);
    assert_eq!(value("connection"), [b"Upgrade"]);
}

#[test]
fn c007_key_is_the_nonce_in_base64() {
    let sent = request("", "").fields();
    assert_eq!(sent.as_slice().values("sec-websocket-key").collect::<Vec<_>>(), [KEY.as_bytes()]);
    assert_ne!(request("", "").fields(), Request::new([7; 16]).fields());
}

#[test]
fn c008_client_sends_version_13() {
    let sent = request("", "").fields();
    assert_eq!(sent.as_slice().values("sec-websocket-version").collect::<Vec<_>>(), [b"13"]);
}

#[test]
fn c012_response_must_switch_to_websocket() {
    let table: [(&str, &[&[u8]], _); 12] = [
        ("Upgrade", &[], ResponseViolation::UpgradeMissing),
        ("Upgrade", &[b""], ResponseViolation::UpgradeOther),
        ("Upgrade", &[b"h2c"], ResponseViolation::UpgradeOther),
        ("Upgrade", &[b"webrocket"], ResponseViolation::UpgradeOther),
        ("Upgrade", &[b"h2c, websocket"], ResponseViolation::UpgradeOther),
        ("Upgrade", &[b"websocket", b"websocket"], ResponseViolation::UpgradeOther),
        ("Upgrade", &[b"websocket\xff"], ResponseViolation::UpgradeOther),
        ("Connection", &[], ResponseViolation::ConnectionWithoutUpgrade),
        ("Connection", &[b"close"], ResponseViolation::ConnectionWithoutUpgrade),
        ("Connection", &[b"upgrad"], ResponseViolation::ConnectionWithoutUpgrade),
        ("Connection", &[b"Upgrade;q=1"], ResponseViolation::ConnectionWithoutUpgrade),
        ("Connection", &[b"keep alive, Upgrade"], ResponseViolation::ConnectionWithoutUpgrade),
    ];
    for (name, values, violation) in table {
        let response = replaced(response(), name, values);
        assert_eq!(verify(&request("", ""), &response), Err(violation), "{name}: {values:?}");
    }
    for (name, value) in [("Upgrade", " WEBSOCKET\t"), ("Connection", "keep-alive, UPGRADE")] {
        let response = replaced(response(), name, &[value.as_bytes()]);
        assert!(verify(&request("", ""), &response).is_ok(), "{name}: {value}");
    }
    for status in [100, 200, 204, 301, 401, 426, 503] {
        let found = request("", "").verify(status, response().as_slice());
        assert_eq!(found, Err(ResponseViolation::Status(status)));
    }
}

#[test]
fn c013_accept_must_answer_the_key() {
    let other = AcceptKey::from_key(b"AQIDBAUGBwgJCgsMDQ4PEA==");
    let lower = ACCEPT.to_lowercase();
    let table: [(&[&[u8]], _); 7] = [
        (&[], ResponseViolation::AcceptMissing),
        (&[ACCEPT.as_bytes(), ACCEPT.as_bytes()], ResponseViolation::AcceptRepeated),
        (&[b""], ResponseViolation::AcceptMismatch),
        (&[b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo"], ResponseViolation::AcceptMismatch),
        (&[other.as_str().as_bytes()], ResponseViolation::AcceptMismatch),
        (&[lower.as_bytes()], ResponseViolation::AcceptMismatch),
        (&[KEY.as_bytes()], ResponseViolation::AcceptMismatch),
    ];
    for (values, violation) in table {
        let response = replaced(response(), "Sec-WebSocket-Accept", values);
        assert_eq!(verify(&request("", ""), &response), Err(violation), "{values:?}");
    }
    let blanks = format!(" \t{ACCEPT}  ");
    let response = replaced(response(), "Sec-WebSocket-Accept", &[blanks.as_bytes()]);
    assert!(verify(&request("", ""), &response).is_ok());
}

#[test]
fn c014_nothing_that_was_not_requested() {
    let chosen = |name: &str| ResponseViolation::SubprotocolNotOffered(name.parse().unwrap());
    let table: [(&[&[u8]], _); 7] = [
        (&[b"mqtt"], chosen("mqtt")),
        (&[b"Chat"], chosen("Chat")),
        (&[b""], ResponseViolation::SubprotocolMalformed),
        (&[b"chat, superchat"], ResponseViolation::SubprotocolMalformed),
        (&[b"chat\xce\xa9"], ResponseViolation::SubprotocolMalformed),
        (&[b"chat", b"superchat"], ResponseViolation::SubprotocolRepeated),
        (&[b"chat", b"chat"], ResponseViolation::SubprotocolRepeated),
    ];
    let request = request("chat, superchat", "permessage-deflate; client_max_window_bits");
    for (values, violation) in table {
        let response = replaced(response(), "Sec-WebSocket-Protocol", values);
        assert_eq!(verify(&request, &response), Err(violation), "{values:?}");
    }

    let unknown = DeflateError::UnknownParameter;
    let table: [(&[u8], _); 5] = [
        (b"foo; bar=1", ResponseViolation::ExtensionNotOffered("foo".into())),
        (
            b"permessage-deflate, permessage-deflate",
            ResponseViolation::ExtensionRepeated("permessage-deflate".into()),
        ),
        (b"permessage-deflate; bar", ResponseViolation::Deflate(unknown)),
        (
            b"permessage-deflate; client_max_window_bits=7",
            ResponseViolation::Deflate(DeflateError::WindowBits),
        ),
        (b"permessage-deflate; client_max_window_bits", ResponseViolation::Deflate(DeflateError::WindowBits)),
    ];
    for (value, violation) in table {
        let response = with(response(), "Sec-WebSocket-Extensions", value);
        assert_eq!(verify(&request, &response), Err(violation), "{}", value.escape_ascii());
    }

    let response = with(response(), "Sec-WebSocket-Protocol", b" superchat ");
    let response =
        with(response, "Sec-WebSocket-Extensions", b"permessage-deflate; client_max_window_bits=9");
    let agreed = verify(&request, &response).unwrap();
    assert_eq!(agreed.subprotocol.unwrap().as_str(), "superchat");
    assert_eq!(agreed.extensions.to_string(), "permessage-deflate; client_max_window_bits=9");
}

#[test]
fn c078_the_order_of_extensions_is_kept() {
    let request = request("", "foo, bar, baz");
    for order in ["foo, bar, baz", "baz, bar, foo", "bar, foo"] {
        let response = with(response(), "Sec-WebSocket-Extensions", order.as_bytes());
        assert_eq!(verify(&request, &response).unwrap().extensions.to_string(), order);
    }
    let lines: [&[u8]; 2] = [b"baz", b"foo; a=1"];
    let response = replaced(response(), "Sec-WebSocket-Extensions", &lines);
    assert_eq!(verify(&request, &response).unwrap().extensions.to_string(), "baz, foo; a=1");
}
