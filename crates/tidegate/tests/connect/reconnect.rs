//! Outages: who waits, how often the server is asked, and what is said about it.

use std::time::Duration;

use tidegate_testkit::{Backend, Connector, Deadline, Finish, Frame, Head, Wire};

use crate::rig::{stdio, tcp};

/// Delays that a test can wait for.
const QUICK: [&str; 5] = ["--reconnect", "--reconnect-first", "40ms", "--reconnect-max", "200ms"];

fn quick(client: Connector) -> Connector {
    QUICK.iter().fold(client, Connector::arg)
}

/// An HTTP answer to the next request.
#[track_caller]
fn answer(server: &Backend, answer: impl FnOnce(&Head) -> Vec<u8>) -> Wire {
    let mut wire = server.accept();
    let head = wire.read_head();
    wire.send(answer(&head));
    wire
}

#[test]
fn c071_a_server_that_is_down_is_asked_again_with_growing_delays() {
    let server = Backend::bind();
    let client = quick(tcp(&server.ws())).start();
    let mut local = client.connect();
    local.send(b"waits");
    for _ in 0..4 {
        let mut wire = answer(&server, |_| b"HTTP/1.1 503 Service Unavailable\r\n\r\n".to_vec());
        wire.finish();
    }
    let mut wire = answer(&server, |head| head.answer_101(""));
    assert_eq!(wire.read_frame().payload, b"waits");
    client.diagnosis("is there again, after");
    let said = client.lines().into_iter().filter(|line| line.contains("next attempt in")).count();
    assert_eq!(said, 4, "one line for each change: {:#?}", client.lines());
}

#[test]
fn a_local_connection_waits_for_a_server_that_is_not_there_yet() {
    let address = Backend::refusing();
    let client = quick(tcp(&format!("ws://{address}"))).start();
    let mut local = client.connect();
    local.send(b"early");
    client.diagnosis("Connection refused");
    let server = Backend::bind_at(address);
    let mut wire = answer(&server, |head| head.answer_101(""));
    assert_eq!(wire.read_frame().payload, b"early");
}

#[test]
fn f35_a_local_connection_does_not_wait_for_ever() {
    let client = quick(tcp(&format!("ws://{}", Backend::refusing()))).arg("--connect-timeout").arg("300ms");
    let client = client.start();
    let mut locals = [client.connect(), client.connect()];
    let begun = Deadline::patient();
    for local in &mut locals {
        assert_eq!(local.read_to_end(), (Vec::new(), Finish::Reset));
    }
    assert!(begun.elapsed() >= Duration::from_millis(200), "they have waited: {:?}", begun.elapsed());
    client.diagnosis("longer than 300ms (--connect-timeout); a local connection is refused");
}

#[test]
fn f35_what_will_not_pass_is_not_tried_again() {
    for answered in ["401 Unauthorized", "403 Forbidden", "404 Not Found"] {
        let server = Backend::bind();
        let client = quick(tcp(&server.ws())).start();
        let mut local = client.connect();
        let mut wire = answer(&server, |_| format!("HTTP/1.1 {answered}\r\n\r\n").into_bytes());
        wire.finish();
        assert_eq!(local.read_to_end().1, Finish::Reset);
        server.assert_untouched();
    }
}

#[test]
fn c071_after_a_connection_broke_the_next_one_is_delayed() {
    let server = Backend::bind();
    let client = quick(tcp(&server.ws())).start();
    let mut local = client.connect();
    let wire = answer(&server, |head| head.answer_101(""));
    local.send(b"x");
    wire.reset();
    local.read_to_end();
    client.diagnosis("next attempt in");
    let mut local = client.connect();
    local.send(b"again");
    let mut wire = answer(&server, |head| head.answer_101(""));
    assert_eq!(wire.read_frame().payload, b"again");
    client.diagnosis("is there again");
}

#[test]
fn standard_input_waits_too_but_is_not_continued_elsewhere() {
    let server = Backend::bind();
    let client = quick(stdio(&server.ws())).start();
    answer(&server, |_| b"HTTP/1.1 502 Bad Gateway\r\n\r\n".to_vec()).finish();
    let mut wire = answer(&server, |head| head.answer_101(""));
    wire.send_frame(&Frame::binary("half of it"));
    wire.finish();
    let ended = client.wait_for_all();
    assert_eq!((ended.status, &ended.output[..]), (Some(5), &b"half of it"[..]), "{}", ended.diagnosis);
    server.assert_untouched();
}

#[test]
fn without_reconnect_there_is_one_attempt() {
    let server = Backend::bind();
    let client = stdio(&server.ws()).start();
    answer(&server, |_| b"HTTP/1.1 503 Service Unavailable\r\n\r\n".to_vec()).finish();
    assert_eq!(client.wait_for_all().status, Some(4));
    server.assert_untouched();
}
