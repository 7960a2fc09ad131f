//! Want of descriptors, and of ports: who is there is served, who comes waits or is told, and it ends by itself.

use std::time::Duration;

use tidegate_testkit::{Call, Canary, Faults, Frame, Request, Wire, eventually};

use super::expect_echo;
use crate::rig::{Far, Rig, gateway};

/// More than any limit of these tests.
const PLENTY: u64 = 1024;

/// Connections that were made while there was no descriptor wait in the kernel, and are served when there is one.
#[test]
fn t241_f48_without_descriptors_connections_wait_and_are_served_in_the_end() {
    let rig = Rig::start();
    let canary = Canary::of(&rig.gateway, "/echo");
    let mut sessions: Vec<_> = [Far::Tcp, Far::Ws].into_iter().map(|far| rig.open(far)).collect();
    rig.gateway.limit_descriptors(rig.gateway.next_descriptor());
    let mut waiting: Vec<Wire> = (0..100).map(|_| rig.gateway.connect()).collect();
    for client in &mut waiting {
        client.send(Request::upgrade("/echo").encode());
    }
    rig.gateway.diagnosis("cannot accept connections just now");

    // Ten attempts in a second, and not as many as it can.
    let before = rig.gateway.cpu();
    for _ in 0..20 {
        for session in &mut sessions {
            session.client.send_frame(&Frame::text("still there?").masked());
            session.backend().read_some(100);
        }
        let last = waiting.last_mut().unwrap(); // descriptors below the limit that had been given back went to the first
        assert!(last.is_silent_for(Duration::from_millis(50)), "there was no descriptor");
    }
    let spent = rig.gateway.cpu() - before;
    assert!(spent < Duration::from_millis(500), "{spent:?} in more than a second: it spins");

    rig.gateway.limit_descriptors(PLENTY);
    for mut client in waiting {
        assert_eq!(client.read_head().status(), 101);
        expect_echo(&mut client);
    }
    drop(sessions);
    canary.finish();
    rig.finish();
}

/// The client has come in, and there is no descriptor for its backend or its file.
#[test]
fn t242_f48_without_a_descriptor_for_the_backend_it_is_503() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a"), "there").unwrap();
    let backend = tidegate_testkit::Backend::bind();
    let gateway = gateway()
        .route("/tcp", &backend.tcp(), "")
        .route("/ws", &backend.ws(), "")
        .route("/http", &backend.tcp().replace("tcp", "http"), "")
        .route("/files/*", &format!("file:{}", folder.path().display()), "")
        .start();
    for request in [
        Request::upgrade("/tcp"),
        Request::upgrade("/ws"),
        Request::get("/http").with("Connection", "close"),
        Request::get("/files/a").with("Connection", "close"),
    ] {
        let before = gateway.sockets();
        let mut client = gateway.connect();
        let target = String::from_utf8_lossy(&request.encode()).into_owned();
        eventually("it is accepted", || (gateway.sockets() > before).then_some(()));
        gateway.limit_descriptors(gateway.next_descriptor());
        client.send(request.encode());
        assert_eq!(client.read_head().status(), 503, "{target}");
        gateway.limit_descriptors(PLENTY);
        drop(client);
        gateway.settle();
        backend.assert_untouched();
    }
    gateway.finish();
}

/// Every port towards the backend is taken: its clients are told so, and others are served.
#[test]
fn t246_without_a_port_for_the_backend_it_is_503_until_there_is_one() {
    const EADDRNOTAVAIL: i32 = 99;
    let faults = Faults::new();
    let rig = Rig::faulty(&faults, "", "");
    let canary = Canary::of(&rig.gateway, "/echo");
    faults.fail(Call::Connect, EADDRNOTAVAIL, 0, 1000);
    for target in ["/tcp", "/ws"] {
        assert_eq!(rig.refused(&Request::upgrade(target)).status(), 503);
        let line = rig.gateway.access_line(|line| line["path"] == target);
        assert!(line["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{line}");
    }
    faults.mend();
    drop((rig.open_tcp(), rig.open_ws()));
    canary.finish();
    rig.finish();
}

/// A reload that cannot read its file for want of a descriptor changes nothing.
#[test]
fn f48_a_reload_without_descriptors_keeps_what_was() {
    const EMFILE: i32 = 24;
    let faults = Faults::new();
    let before = gateway().with_faults(&faults).route("/echo", "echo:", "");
    let gateway = before.start();
    faults.fail(Call::Open, EMFILE, 0, 1000);
    let said = gateway.reload(&before.clone().route("/new", "echo:", ""));
    assert!(said.contains("Too many open files") && said.contains("not reloaded"), "{said}");
    expect_echo(&mut gateway.open("/echo"));
    faults.mend();
    gateway.reload(&before.route("/new", "echo:", ""));
    expect_echo(&mut gateway.open("/new"));
    gateway.finish();
}
