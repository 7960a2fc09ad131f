//! Signals: it ends within a second, whatever it is doing.

use std::time::Duration;

use rustix::process::Signal;
use tidegate_testkit::{Backend, Connecting, Deadline, Frame};

use crate::rig::{Pair, asked, stdio, tcp};

/// The one promise about time: what it may take a process to end after a signal.
const A_SECOND: Duration = Duration::from_secs(1);

#[track_caller]
fn ends_within_a_second(client: &mut Connecting, signal: Signal, status: i32) {
    client.signal(signal);
    let sent = Deadline::after(A_SECOND);
    assert_eq!(client.wait().code(), Some(status));
    assert!(sent.left().is_some(), "it took {:?}", sent.elapsed());
}

#[test]
fn f36_while_it_waits_for_an_answer() {
    for (signal, status) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let (mut client, _server, _request) = asked(&[]);
        ends_within_a_second(&mut client, signal, status);
    }
}

#[test]
fn f36_while_tcp_does_not_connect() {
    let full = Backend::bind_full();
    let mut client = tcp(&full.ws()).start();
    let mut local = client.connect();
    local.send(b"x");
    ends_within_a_second(&mut client, Signal::TERM, 0);
}

#[test]
fn f36_while_it_waits_for_the_next_attempt() {
    let client = stdio(&format!("ws://{}", Backend::refusing()));
    let mut client =
        client.arg("--reconnect").arg("--reconnect-first").arg("1h").arg("--reconnect-max").arg("1h").start();
    client.diagnosis("next attempt in");
    ends_within_a_second(&mut client, Signal::TERM, 143);
}

#[test]
fn f36_while_bytes_flow_and_the_server_is_told() {
    let Pair { mut client, mut local, mut server, .. } = Pair::open(&[]);
    local.send(b"x");
    assert_eq!(server.read_frame().payload, b"x");
    server.send_frame(&Frame::binary("y"));
    assert_eq!(local.read_exact(1), b"y");
    ends_within_a_second(&mut client, Signal::TERM, 0);
    server.expect_close_frame(1001);
}

#[test]
fn f36_while_nobody_takes_anything() {
    let Pair { mut client, mut local, server: _server, .. } = Pair::open(&[]);
    local.send_until_stalled(&vec![0; 1 << 16], 256 << 20, Duration::from_millis(100));
    ends_within_a_second(&mut client, Signal::INT, 0);
}
