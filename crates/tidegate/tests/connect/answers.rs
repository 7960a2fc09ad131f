//! Answers of a hostile server to the opening handshake: the rows of hostile input about upgrades, seen from the
//! client's side.

use std::time::Duration;

use tidegate_testkit::{Backend, Ended, Finish, Frame};

use crate::rig::{asked, stdio};

const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\n";
const GOOD: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\n";

/// What becomes of a client whose request is answered so; `{accept}` stands for the value that answers its key.
#[track_caller]
fn answered(answer: &str) -> Ended {
    let (client, mut server, request) = asked(&[]);
    // It may hang up before it has heard all of a long answer.
    let _unheard = server.try_send(answer.replace("{accept}", &request.accept_key()));
    let (sent, _finish) = server.read_to_end();
    assert!(sent.is_empty(), "frames where there is no WebSocket: {}", sent.escape_ascii());
    drop(server);
    client.wait_for_all()
}

/// One clear line and status 4: the server's fault.
#[track_caller]
fn refused(answer: &str, part: &str) {
    let ended = answered(answer);
    let shown = answer.get(..200).unwrap_or(answer);
    assert_eq!(ended.status, Some(4), "{shown:?}: {}", ended.diagnosis);
    assert!(ended.diagnosis.contains(part), "{part:?} is not in {:?}", ended.diagnosis);
    assert_eq!(ended.diagnosis.lines().count(), 1, "{}", ended.diagnosis);
}

#[test]
fn t142_two_answers_to_the_key() {
    let accept = "Sec-WebSocket-Accept: {accept}\r\n";
    refused(&format!("{SWITCH}{GOOD}{accept}{accept}\r\n"), "Sec-WebSocket-Accept");
    let other = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    refused(&format!("{SWITCH}{GOOD}{other}{accept}\r\n"), "Sec-WebSocket-Accept");
}

#[test]
fn t144_two_subprotocols() {
    let accept = "Sec-WebSocket-Accept: {accept}\r\n";
    let lists = [
        ("Sec-WebSocket-Protocol: a, b\r\n", "is not a token"),
        (
            "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b\r\n",
            "more than one Sec-WebSocket-Protocol",
        ),
    ];
    for (fields, part) in lists {
        refused(&format!("{SWITCH}{GOOD}{accept}{fields}\r\n"), part);
    }
}

/// RFC 9110 §8.6: a 101 has no body, whatever its fields say. What stands behind it is frames.
#[test]
fn t145_a_body_that_is_announced_is_none() {
    for field in ["Content-Length: 10", "Transfer-Encoding: chunked"] {
        let (client, mut server, request) = asked(&[]);
        server.send(request.answer_101(&format!("{field}\r\n")));
        server.send_frame(&Frame::binary("frames"));
        server.send_frame(&Frame::close(1000, ""));
        server.expect_close_frame(1000);
        server.finish();
        let ended = client.wait_for_all();
        assert_eq!(
            (ended.status, &ended.output[..]),
            (Some(0), &b"frames"[..]),
            "{field}: {}",
            ended.diagnosis
        );
    }
}

#[test]
fn t146_interim_answers_have_a_bound() {
    let hints =
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n";
    let (client, mut server, request) = asked(&[]);
    server.send(hints);
    server.send(request.answer_101(""));
    server.send_frame(&Frame::close(1000, ""));
    server.expect_close_frame(1000);
    server.finish();
    assert_eq!(client.wait_for_all().status, Some(0));
    refused(&hints.repeat(3_000), "more than 8 interim answers");
}

#[test]
fn t149_a_head_without_bounds() {
    let accept = "Sec-WebSocket-Accept: {accept}\r\n";
    let large = format!("{SWITCH}{GOOD}{accept}A: {}\r\n\r\n", "x".repeat(1 << 20));
    refused(&large, "more than 16 KiB");
    let many = format!("{SWITCH}{GOOD}{accept}{}\r\n", "A: b\r\n".repeat(10_000));
    refused(&many, "did not answer in HTTP/1.1 (too many headers)");
    // One that never ends, a field at a time.
    let (client, mut server, _request) = asked(&["--handshake-timeout", "300ms"]);
    server.send(SWITCH);
    while server.is_silent_for(Duration::from_millis(20)) && server.try_send("A: b\r\n").is_ok() {}
    let ended = client.wait_for_all();
    assert_eq!(ended.status, Some(3), "{}", ended.diagnosis);
    assert!(ended.diagnosis.contains("(--handshake-timeout)"), "{}", ended.diagnosis);
}

#[test]
fn t150_fields_with_control_characters() {
    let accept = "Sec-WebSocket-Accept: {accept}\r\n";
    for field in ["A: b\0c\r\n", "A: b\rc\r\n", "A\0: b\r\n", "A : b\r\n", ": b\r\n"] {
        refused(&format!("{SWITCH}{GOOD}{accept}{field}\r\n"), "did not answer in HTTP/1.1");
    }
}

#[test]
fn t151_no_answer_at_all() {
    let ended = stdio(&format!("ws://{}", Backend::refusing())).run(b"");
    assert_eq!(ended.status, Some(3), "{}", ended.diagnosis);
    assert!(ended.diagnosis.contains("Connection refused"), "{}", ended.diagnosis);
    for (is_reset, part) in [(true, "reset"), (false, "instead of answering")] {
        let (client, server, _request) = asked(&[]);
        if is_reset {
            server.reset();
        } else {
            drop(server);
        }
        let ended = client.wait_for_all();
        assert_eq!(ended.status, Some(3), "{part}: {}", ended.diagnosis);
        assert!(ended.diagnosis.contains(part), "{part}: {}", ended.diagnosis);
    }
}

/// What looks like an answer to somebody else's request is not read as ours.
#[test]
fn t140_t141_an_answer_that_is_none_opens_no_tunnel() {
    for status in [200, 204, 404, 426, 429, 500, 503] {
        let (client, mut server, request) = asked(&[]);
        server.send(format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n"));
        server.send(request.answer_101(""));
        let (sent, finish) = server.read_to_end();
        assert_eq!((sent.len(), finish == Finish::Cut), (0, false), "{status}");
        drop(server);
        assert_eq!(client.wait_for_all().status, Some(4), "{status}");
    }
}
