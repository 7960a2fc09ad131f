//! The opening handshake: what is asked for, and which answers are none.

use std::collections::HashSet;

use tidegate_testkit::{Backend, Ended, Finish, Frame, PATIENCE};

use crate::rig::{Pair, asked, stdio, tcp};

/// What becomes of a client whose request is answered so; `{accept}` stands for the value that answers its key.
#[track_caller]
fn answered(flags: &[&str], answer: &str) -> Ended {
    let (client, mut server, request) = asked(flags);
    server.send(answer.replace("{accept}", &request.accept_key()));
    let (sent, _finish) = server.read_to_end();
    assert!(sent.is_empty(), "frames where there is no WebSocket: {}", sent.escape_ascii());
    server.finish();
    client.wait_for_all()
}

const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\n";
const GOOD: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n";

#[track_caller]
fn refused(flags: &[&str], answer: &str, part: &str) {
    let ended = answered(flags, answer);
    assert_eq!(ended.status, Some(4), "{answer:?}: {}", ended.diagnosis);
    assert!(ended.diagnosis.contains(part), "{part:?} is not in {:?}", ended.diagnosis);
    assert_eq!(ended.diagnosis.lines().count(), 1, "one clear line: {}", ended.diagnosis);
}

#[test]
fn c001_a_url_is_read_as_the_standard_says() {
    for (url, part) in [
        ("http://127.0.0.1/", r#"the scheme of the URI is "http""#),
        ("ws://127.0.0.1/#x", "#"),
        ("ws://127.0.0.1:0/", "port"),
        ("127.0.0.1:80", "must begin with ws:// or wss://"),
        ("ws://me:secret@127.0.0.1/", "--password-file"),
    ] {
        let ended = stdio(url).run(b"");
        assert_eq!(ended.status, Some(2), "{url}: {}", ended.diagnosis);
        assert!(ended.diagnosis.contains(part), "{url}: {}", ended.diagnosis);
        assert!(!ended.diagnosis.contains("secret"), "{}", ended.diagnosis);
    }
    let server = Backend::bind();
    let _client = stdio(&server.ws()).start();
    assert_eq!(server.accept().read_head().target(), "/");
    let _client = stdio(&format!("{}?a=%20b", server.ws())).start();
    assert_eq!(server.accept().read_head().target(), "/?a=%20b");
}

#[test]
fn c002_one_connection_at_a_time_is_being_opened() {
    let server = Backend::bind();
    let client = tcp(&server.ws()).start();
    let mut locals: Vec<_> = (0..3).map(|_| client.connect()).collect();
    for number in 0..3 {
        let mut wire = server.accept();
        let head = wire.read_head();
        server.assert_untouched();
        wire.send(head.answer_101(""));
        wire.send_frame(&Frame::binary([number]));
    }
    let received: HashSet<_> = locals.iter_mut().map(|local| local.read_exact(1)[0]).collect();
    assert_eq!(received, HashSet::from([0, 1, 2]));
}

#[test]
fn c005_c006_c007_c008_the_request_is_that_of_the_standard() {
    let mut keys = HashSet::new();
    for _ in 0..3 {
        let Pair { server, request, .. } = Pair::open(&[]);
        assert_eq!(request.line, "GET /chat HTTP/1.1");
        assert_eq!(request.field("Host"), Some(server.local_address().to_string().as_str()));
        assert_eq!(request.field("Upgrade"), Some("websocket"));
        assert_eq!(request.field("Connection"), Some("Upgrade"));
        assert_eq!(request.field("Sec-WebSocket-Version"), Some("13"));
        assert_eq!(request.field("Origin"), None, "we are no browser");
        assert_eq!(request.field("Sec-WebSocket-Protocol"), None);
        assert_eq!(request.field("Sec-WebSocket-Extensions"), None);
        let key = request.field("Sec-WebSocket-Key").unwrap().to_owned();
        assert!(key.len() == 24 && key.ends_with("=="), "16 bytes in base64: {key}");
        keys.insert(key);
    }
    assert_eq!(keys.len(), 3, "each connection has a key of its own");
}

#[test]
fn c009_subprotocols_are_unique_tokens() {
    let flags = ["--subprotocol", "chat", "--subprotocol", "superchat", "--origin", "https://example.com"];
    let Pair { request, .. } = Pair::open(&flags);
    assert_eq!(request.field("Sec-WebSocket-Protocol"), Some("chat, superchat"));
    assert_eq!(request.field("Origin"), Some("https://example.com"));
    for names in [["chat", "chat"], ["a b", "x"], ["", "x"]] {
        let flags = names.iter().flat_map(|name| ["--subprotocol", name]);
        let ended = flags.fold(stdio("ws://127.0.0.1:1"), |client, flag| client.arg(flag)).run(b"");
        assert_eq!(ended.status, Some(2), "{names:?}: {}", ended.diagnosis);
    }
}

#[test]
fn c010_nothing_is_sent_before_the_answer_is_there() {
    let server = Backend::bind();
    let client = tcp(&server.ws()).start();
    let mut local = client.connect();
    local.send(b"early");
    let mut wire = server.accept();
    let head = wire.read_head();
    wire.send("HTTP/1.1 103 Early Hints\r\n\r\n");
    assert!(wire.is_silent_for(PATIENCE / 100), "the answer is not there yet");
    wire.send(head.answer_101(""));
    assert_eq!(wire.read_frame().payload, b"early");
}

#[test]
fn c011_a_status_other_than_101_is_an_answer_of_http() {
    for (answer, part) in [
        (
            "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"",
            r#"wants credentials (Basic realm="x"); give --user"#,
        ),
        ("403 Forbidden", "status 403 and not 101: the server forbids it"),
        ("404 Not Found", "nothing at this path"),
        ("200 OK", "a page, but no WebSocket"),
        ("426 Upgrade Required\r\nSec-WebSocket-Version: 8", "speaks version 8"),
        ("503 Service Unavailable\r\nRetry-After: 120", "Retry-After: 120"),
        ("302 Found\r\nLocation: /elsewhere", "/elsewhere; name that as the URL, or give --follow"),
        ("302 Found", "has no Location"),
    ] {
        let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 6\r\n\r\n\x01\x02\x03\x04\x05\x06");
        refused(&[], &answer, part);
    }
}

#[test]
fn c012_an_answer_that_does_not_switch_to_websocket() {
    let accept = "Sec-WebSocket-Accept: {accept}\r\n";
    for (fields, part) in [
        ("Connection: Upgrade\r\n", "without an Upgrade field"),
        ("Upgrade: h2c\r\nConnection: Upgrade\r\n", "other than websocket"),
        ("Upgrade: websocket\r\n", "does not list Upgrade"),
        ("Upgrade: websocket\r\nConnection: close\r\n", "does not list Upgrade"),
    ] {
        refused(&[], &format!("{SWITCH}{fields}{accept}\r\n"), part);
    }
    refused(&[], "SSH-2.0-OpenSSH_9.9\r\n", "did not answer in HTTP/1.1");
    refused(&[], &format!("HTTP/1.0 101 Switching Protocols\r\n{GOOD}\r\n"), "did not answer in HTTP/1.1");
}

#[test]
fn c013_an_answer_to_another_key() {
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
    refused(&[], &format!("{SWITCH}{upgrade}\r\n"), "without a Sec-WebSocket-Accept");
    let wrong = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    refused(&[], &format!("{SWITCH}{upgrade}{wrong}\r\n"), "does not answer the key");

    let (client, mut server, request) = asked(&[]);
    let padded = request.accept_key();
    server.send(format!("{SWITCH}{upgrade}Sec-WebSocket-Accept:  \t{padded}  \r\n\r\n"));
    server.send_frame(&Frame::binary("open"));
    server.send_frame(&Frame::close(1000, ""));
    server.expect_close_frame(1000);
    server.finish();
    let ended = client.wait_for_all();
    assert_eq!((ended.status, &ended.output[..]), (Some(0), &b"open"[..]));
}

#[test]
fn c014_what_was_not_offered_is_not_agreed() {
    let answer = |field: &str| format!("{SWITCH}{GOOD}{field}\r\n\r\n");
    refused(&[], &answer("Sec-WebSocket-Protocol: chat"), "chat, which was not offered");
    refused(&["--subprotocol", "chat"], &answer("Sec-WebSocket-Protocol: Chat"), "was not offered");
    refused(&["--subprotocol", "chat"], &answer("Sec-WebSocket-Protocol: chat\u{3a9}"), "not a token");
    refused(&[], &answer("Sec-WebSocket-Extensions: permessage-deflate"), "was not offered");
}

#[test]
fn an_answer_without_end_is_not_read_for_ever() {
    let (client, mut server, _request) = asked(&[]);
    server.send(format!("HTTP/1.1 101 x\r\nA: {}", "x".repeat(20 << 10)));
    let ended = client.wait_for_all();
    assert_eq!(ended.status, Some(4), "{}", ended.diagnosis);
    assert!(ended.diagnosis.contains("more than 16 KiB"), "{}", ended.diagnosis);
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for_for_ever() {
    let (client, _server, _request) = asked(&["--handshake-timeout", "100ms"]);
    let ended = client.wait_for_all();
    assert_eq!(ended.status, Some(3), "{}", ended.diagnosis);
    assert!(
        ended.diagnosis.contains("the opening handshake took longer than 100ms (--handshake-timeout)"),
        "{}",
        ended.diagnosis
    );
}

#[test]
fn what_stands_right_behind_the_answer_is_delivered() {
    let (client, mut server, request) = asked(&[]);
    let mut answer = request.answer_101("");
    answer.extend(Frame::binary("first").encode());
    answer.extend(Frame::close(1001, "bye").encode());
    server.send(answer);
    server.expect_close_frame(1001);
    server.finish();
    let ended = client.wait_for_all();
    assert_eq!((ended.status, &ended.output[..]), (Some(0), &b"first"[..]));
}

#[test]
fn a_local_connection_that_gets_no_websocket_is_refused() {
    let server = Backend::bind();
    let client = tcp(&server.ws()).start();
    for _ in 0..2 {
        let mut local = client.connect();
        let mut wire = server.accept();
        wire.read_head();
        wire.reset();
        assert_eq!(local.read_to_end(), (Vec::new(), Finish::Reset));
    }
    client.diagnosis("a local connection is refused");
}
