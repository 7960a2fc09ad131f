//! A client that slept, its whole process or its machine: what the other side did in time is not late because we were.
//!
//! Each step may take as long as any test waits for anything, and the sleep is longer.

use std::fs;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use tidegate_testkit::{Authority, Backend, Connecting, Frame, Gateway, Wire, eventually};

use crate::rig::stdio;

/// Does this while the client sleeps through the time that there was for it.
fn during_a_sleep<T>(client: &Connecting, does: impl FnOnce() -> T) -> T {
    client.pause();
    let done = does();
    thread::sleep(Duration::from_secs(21));
    client.signal(Signal::CONT);
    done
}

/// The client has an open WebSocket at last.
#[track_caller]
fn expect_open(mut server: Wire, mut client: Connecting) {
    client.end_input();
    server.send_frame(&Frame::binary("ahoy"));
    server.expect_close_frame(1000);
    server.send_frame(&Frame::close(1000, ""));
    server.finish();
    let ended = client.wait_for_all();
    assert_eq!((ended.status, &ended.output[..]), (Some(0), &b"ahoy"[..]), "{}", ended.diagnosis);
}

/// Whether somebody waits for this address to take its connection (state 2 is SYN_SENT).
fn is_dialled(address: SocketAddr) -> bool {
    let waits = format!(":{:04X} 02 ", address.port());
    fs::read_to_string("/proc/net/tcp").unwrap().lines().any(|line| line.contains(&waits))
}

#[test]
fn f51_a_server_that_took_the_connection_during_a_sleep_is_reached() {
    let full = Backend::bind_full();
    let url = format!("ws://{}/chat", full.address());
    let client = stdio(&url).arg("--dial-timeout").arg("20s").arg("--connect-timeout").arg("1h").start();
    eventually("it dials", || is_dialled(full.address()).then_some(()));
    let server = during_a_sleep(&client, || full.relieved());
    let (server, _) = server.accept_websocket();
    expect_open(server, client);
}

#[test]
fn f51_a_proxy_that_answered_during_a_sleep_has_answered() {
    let proxy = Backend::bind();
    let client = stdio("ws://far.test/chat").arg("--proxy").arg(format!("http://{}", proxy.address()));
    let client = client.arg("--proxy-timeout").arg("20s").arg("--connect-timeout").arg("1h").start();
    let mut wire = proxy.accept();
    wire.read_head();
    during_a_sleep(&client, || wire.send("HTTP/1.1 200 OK\r\n\r\n"));
    let request = wire.read_head();
    wire.send(request.answer_101(""));
    expect_open(wire, client);
}

#[test]
fn f51_a_server_that_ended_its_tls_handshake_during_a_sleep_is_believed() {
    let authority = Authority::new();
    let builder = Gateway::builder(env!("CARGO_BIN_EXE_tidegate"));
    let builder = builder.secure(&authority, &authority.issue("127.0.0.1")).listener("tls_timeout = '1m'");
    let far = builder.route("/echo", "echo:", "").start();
    let between = Backend::bind();
    let client = stdio(&format!("wss://{}/echo", between.address())).arg("--ca").arg(authority.file());
    let mut client = client.arg("--handshake-timeout").arg("20s").arg("--connect-timeout").arg("1h").start();
    let (mut near, mut far_side) = (between.accept_bare(), far.connect_bare());
    far_side.send(near.read_some(usize::MAX)); // its ClientHello
    let mut flight = far_side.read_some(usize::MAX);
    while !far_side.is_silent_for(Duration::from_millis(100)) {
        flight.extend(far_side.read_some(usize::MAX));
    }
    during_a_sleep(&client, || near.send(&flight));
    client.end_input();
    thread::scope(|scope| {
        let (mut to_far, mut to_near) = (far_side.handle(), near.handle());
        scope.spawn(move || pass_on(&mut near, &mut to_far));
        scope.spawn(move || pass_on(&mut far_side, &mut to_near));
    });
    let ended = client.wait_for_all();
    assert_eq!(ended.status, Some(0), "{}", ended.diagnosis);
}

/// Everything that comes, and the end.
fn pass_on(from: &mut Wire, to: &mut Wire) {
    while let Some(bytes) = from.read_some_or_end() {
        drop(to.try_send(bytes)); // it may have ended
    }
    to.finish();
}

/// The answer to the request, which two limits bound: one of its own, and that of all attempts together.
#[test]
fn f51_an_answer_that_came_during_a_sleep_counts() {
    let answered = |limited: &str, not: &str| {
        let server = Backend::bind();
        let client = stdio(&format!("{}/chat", server.ws())).arg(limited).arg("20s").arg(not).arg("1h");
        let client = client.start();
        let mut wire = server.accept();
        let request = wire.read_head();
        during_a_sleep(&client, || wire.send(request.answer_101("")));
        expect_open(wire, client);
    };
    thread::scope(|scope| {
        scope.spawn(|| answered("--handshake-timeout", "--connect-timeout"));
        scope.spawn(|| answered("--connect-timeout", "--handshake-timeout"));
    });
}
