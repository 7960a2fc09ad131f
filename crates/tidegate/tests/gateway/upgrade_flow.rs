//! What of a client's upgrade request reaches a WebSocket backend, and what of the backend's answer the client.

use tidegate_testkit::{Backend, Request};

use crate::rig::{Rig, gateway};

/// RFC 6455 §4.1: the key is fresh for each connection, and our connection to the backend is another one.
#[test]
fn t160_the_key_is_our_own() {
    let rig = Rig::start();
    let keys: Vec<String> = (0..2)
        .map(|_| {
            let (_client, _backend, asked) = rig.ask_ws(&Request::upgrade("/ws"), "");
            asked.field("Sec-WebSocket-Key").unwrap().to_owned()
        })
        .collect();
    assert_ne!(keys[0], keys[1]);
    assert_ne!(keys[0], "dGhlIHNhbXBsZSBub25jZQ==");
    rig.finish();
}

#[test]
fn m2_a_base_takes_the_place_of_the_prefix() {
    let backend = Backend::bind();
    let gateway = gateway().route("/app/*", &format!("{}/base", backend.ws()), "").start();
    for (target, expected) in
        [("/app", "/base"), ("/app/a/b?c=/d", "/base/a/b?c=/d"), ("/app/%7eb%C3%A9", "/base/~b%C3%A9")]
    {
        let mut client = gateway.connect();
        client.send(Request::upgrade(target).encode());
        let (_wire, asked) = backend.accept_websocket();
        assert_eq!(asked.target(), expected);
        assert_eq!(client.read_head().status(), 101);
    }
    gateway.finish();
}

/// End-to-end fields of the 101 reach the client; the handshake of each connection is its own.
#[test]
fn m2_fields_of_the_backends_101() {
    let rig = Rig::start();
    let more = "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Custom: kept\r\nKeep-Alive: timeout=5\r\n";
    let (mut client, backend, asked) = rig.ask_ws(&Request::upgrade("/ws"), more);
    let head = client.read_head();
    assert_eq!(head.all("Set-Cookie"), ["a=1", "b=2"]);
    assert_eq!(head.field("X-Custom"), Some("kept"));
    assert_eq!(head.field("Keep-Alive"), None);
    assert_eq!(head.field("Upgrade"), Some("websocket"));
    assert_eq!(head.field("Sec-WebSocket-Accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_ne!(asked.accept_key(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    drop((client, backend));
    rig.finish();
}

/// Extensions are between the two endpoints: offers and answer pass, and so do the reserved bits that they give a
/// meaning.
#[test]
fn t137_an_extension_is_agreed_end_to_end() {
    let rig = Rig::start();
    let offer = "permessage-deflate; client_max_window_bits, foo";
    let answer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    let request = Request::upgrade("/ws").with("Sec-WebSocket-Extensions", offer);
    let (mut client, mut backend, asked) = rig.ask_ws(&request, answer);
    assert_eq!(asked.field("Sec-WebSocket-Extensions"), Some(offer));
    assert_eq!(client.read_head().field("Sec-WebSocket-Extensions"), Some("permessage-deflate"));
    let compressed = b"\xc1\x87\x00\x00\x00\x00\xf2\x48\xcd\xc9\xc9\x07\x00";
    client.send(compressed);
    assert_eq!(backend.read_exact(compressed.len()), compressed);
    let compressed = b"\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00";
    backend.send(compressed);
    assert_eq!(client.read_exact(compressed.len()), compressed);
    drop((client, backend));
    rig.finish();
}
