//! The steps before a session, while the gateway sleeps: who did in time what was due is not late because we were.
//!
//! Each step may take as long as any test waits for anything, and the sleep is longer.

use std::io::{Read as _, Write as _};
use std::thread;
use std::time::Duration;

use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use tidegate_testkit::{Authority, Gateway, Hybi00, Request, Wire, eventually};

use super::clock::stop;
use super::expect_echo;
use crate::rig::gateway;

/// Sends this while the gateway sleeps through the time that there was for it.
#[track_caller]
fn send_during_a_sleep(gateway: &Gateway, client: &mut Wire, rest: &[u8]) {
    eventually("what came before is read", || (gateway.unread_from(client) == 0).then_some(()));
    stop(gateway);
    client.send(rest);
    thread::sleep(Duration::from_secs(21));
    gateway.resume();
}

#[test]
fn f51_f52_a_proxy_header_that_came_in_time_counts_however_late_it_is_read() {
    let listener = "proxy_protocol = true\ntrusted_proxies = ['127.0.0.1']\nhead_timeout = '20s'";
    let gateway = gateway().listener(listener).route("/echo", "echo:", "ping_interval = 0").start();
    let mut client = gateway.connect_bare();
    client.send("PROXY TCP4 192.0.2.1 ");
    let rest = [&b"198.51.100.2 4660 443\r\n"[..], &Request::upgrade("/echo").encode()].concat();
    send_during_a_sleep(&gateway, &mut client, &rest);
    assert_eq!(client.read_head().status(), 101);
    expect_echo(&mut client);
    drop(client);
    gateway.access_line(|line| line["client"] == "192.0.2.1:4660");
    gateway.finish();
}

#[test]
fn f51_f52_a_tls_handshake_that_ended_in_time_counts_however_late_it_is_read() {
    let authority = Authority::new();
    let builder = gateway().secure(&authority, &authority.issue("127.0.0.1"));
    let gateway = builder.listener("tls_timeout = '20s'").route("/echo", "echo:", "").start();
    let mut client = gateway.connect_bare();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut tls = ClientConnection::new(authority.client(), name).unwrap();
    let mut said = Vec::new();
    tls.write_tls(&mut said).unwrap();
    client.send(&said);
    while tls.is_handshaking() {
        let answer = client.read_some(usize::MAX);
        let mut rest = answer.as_slice();
        while !rest.is_empty() {
            tls.read_tls(&mut rest).unwrap();
            tls.process_new_packets().unwrap();
        }
    }
    // What ends the handshake, and the request behind it.
    tls.writer().write_all(&Request::upgrade("/echo").set("Origin", "https://gw.test").encode()).unwrap();
    said.clear();
    while tls.wants_write() {
        tls.write_tls(&mut said).unwrap();
    }
    send_during_a_sleep(&gateway, &mut client, &said);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let answer = client.read_some(usize::MAX);
        let mut rest = answer.as_slice();
        while !rest.is_empty() {
            tls.read_tls(&mut rest).unwrap();
            tls.process_new_packets().unwrap();
        }
        drop(tls.reader().read_to_end(&mut head)); // to the end of what has arrived
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", head.escape_ascii());
    drop(client);
    gateway.access_line(|line| line["kind"] == "websocket");
    gateway.finish();
}

#[test]
fn f51_f52_the_end_of_a_hybi_00_handshake_that_came_in_time_counts_however_late_it_is_read() {
    let legacy = "legacy = 'hybi-00'\nmessage = 'text'\nping_interval = 0";
    let gateway = gateway().listener("head_timeout = '20s'").route("/echo", "echo:", legacy).start();
    let mut client = gateway.connect();
    client.send(Hybi00::FIRST.request("/echo").encode());
    assert_eq!(client.read_head().status(), 101);
    let (begun, rest) = Hybi00::FIRST.key3.split_at(4);
    client.send(begun);
    send_during_a_sleep(&gateway, &mut client, rest);
    assert_eq!(&client.read_exact(16), Hybi00::FIRST.proof);
    client.send(Hybi00::text("ahoy"));
    assert_eq!(client.read_hybi00_text(), "ahoy");
    drop(client);
    gateway.finish();
}
