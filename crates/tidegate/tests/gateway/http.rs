//! Clients that never finish a request.

use std::time::Duration;

use tidegate_testkit::{Canary, Request, Wire};

use crate::rig::{Rig, gateway};

#[test]
fn t059_f29_a_request_that_stops_is_given_up() {
    let gateway = gateway().listener("head_timeout = '300ms'").route("/echo", "echo:", "").start();
    let mut begun = gateway.connect();
    begun.send("GET /echo HT");
    let mut silent = gateway.connect();
    assert_eq!(begun.read_head().status(), 408);
    begun.expect_fin();
    silent.expect_fin();
    drop((begun, silent));
    gateway.finish();
}

/// The time for a head is one deadline for all of it: it does not begin anew with each byte.
#[test]
fn t060_f29_a_request_that_drips_is_given_up() {
    let gateway = gateway().listener("head_timeout = '500ms'").route("/echo", "echo:", "").start();
    let mut client = gateway.connect();
    let head = Request::upgrade("/echo").encode();
    let sent = head.iter().take_while(|byte| {
        client.send([**byte]);
        client.is_silent_for(Duration::from_millis(100))
    });
    let sent = sent.count();
    assert!(sent < head.len() / 2, "{sent} bytes went through");
    assert_eq!(client.read_head().status(), 408);
    drop(client);
    gateway.finish();
}

#[test]
fn t061_f29_a_thousand_unfinished_requests_disturb_nobody() {
    let gateway = gateway().listener("head_timeout = '5s'").route("/echo", "echo:", "").start();
    let canary = Canary::of(&gateway, "/echo");
    let head = Request::upgrade("/echo").encode();
    let mut halves: Vec<Wire> = (0..1_000)
        .map(|_| {
            let mut client = gateway.connect();
            client.send(&head[..head.len() / 2]);
            client
        })
        .collect();
    for half in &mut halves {
        assert_eq!(half.read_head().status(), 408);
        half.expect_fin();
    }
    drop(halves);
    assert!(canary.finish() > 0);
    gateway.finish();
}

/// One access line for each request: the end of a connection that is kept alive is none.
#[test]
fn i10_a_connection_that_is_kept_and_then_given_up_is_no_request() {
    let gateway = gateway().listener("head_timeout = '300ms'").route("/echo", "echo:", "").start();
    let mut client = gateway.connect();
    client.send(Request::get("/echo").encode());
    assert_eq!(client.read_response().0.status(), 426);
    client.expect_fin();
    gateway.settle();
    let lines = gateway.access_lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    gateway.finish();
}

#[test]
fn t153_a_client_that_leaves_while_the_backend_thinks_takes_its_backend_along() {
    let rig = Rig::start();
    for by_reset in [false, true] {
        let mut client = rig.gateway.connect();
        client.send(Request::upgrade("/ws").encode());
        let mut backend = rig.ws.accept();
        backend.read_head();
        if by_reset {
            client.reset();
        } else {
            drop(client);
        }
        assert_eq!(backend.read_to_end().0, b"", "by reset: {by_reset}");
    }
    rig.finish();
}
