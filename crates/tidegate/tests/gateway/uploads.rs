//! Bodies of plain requests, which take the time that they take, as long as something moves.

use std::thread;
use std::time::Duration;

use tidegate_testkit::{Backend, Gateway, Request, Wire};

use crate::rig::gateway;

/// A gateway with `/app` in front of a backend, with these lines in the route and these at the top.
fn before(backend: &Backend, top: &str, route: &str) -> Gateway {
    let target = format!("http://{}", backend.address());
    gateway().top(top).route("/echo", "echo:", "").route("/app", &target, route).start()
}

/// Sends a request with a body of this length, and its beginning; both ends, when the backend has that.
#[track_caller]
fn begin(gateway: &Gateway, backend: &Backend, length: usize, beginning: &[u8]) -> (Wire, Wire) {
    let mut client = gateway.connect();
    let request = Request::get("/app").line("POST /app HTTP/1.1").with("Content-Length", length.to_string());
    client.send([&request.encode(), beginning].concat());
    let mut far = backend.accept();
    far.read_head();
    assert_eq!(far.read_exact(beginning.len()), beginning);
    (client, far)
}

/// The backend's time to answer does not run while the client sends: this one has much less than the upload takes.
#[test]
fn an_upload_may_take_longer_than_the_answer() {
    let backend = Backend::bind();
    let gateway = before(&backend, "", "upgrade_timeout = '200ms'\nbody_timeout = '5m'");
    let (mut client, mut far) = begin(&gateway, &backend, 4, b"a");
    for byte in [b"b", b"c"] {
        assert!(client.is_silent_for(Duration::from_millis(500)), "it is still sending");
        client.send(byte);
        assert_eq!(far.read_exact(1), byte);
    }
    // Before the last byte: from then on it would have to be quick.
    far.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.read_head().status(), 200);
    drop((client, far));
    gateway.finish();
}

#[test]
fn once_it_has_the_body_the_backend_has_to_answer() {
    let backend = Backend::bind();
    let gateway = before(&backend, "", "upgrade_timeout = '200ms'\nbody_timeout = '5m'");
    let (mut client, _far) = begin(&gateway, &backend, 4, b"abcd");
    assert_eq!(client.read_head().status(), 504);
    drop(client);
    gateway.finish();
}

#[test]
fn a_body_that_does_not_go_on_is_given_up() {
    let backend = Backend::bind();
    let gateway = before(&backend, "", "upgrade_timeout = '5m'\nbody_timeout = '200ms'");
    let (mut client, mut far) = begin(&gateway, &backend, 4, b"ab");
    let (head, sentence) = client.read_response();
    assert_eq!((head.status(), head.field("Connection")), (408, Some("close")), "{sentence}");
    client.expect_fin();
    assert_eq!(far.read_to_end().0, b"", "it was not finished in the client's stead");
    let line = gateway.access_line(|line| line["status"] == 408);
    assert_eq!(line["reason"], "the client sends no more of the body of its request", "{line}");
    drop((client, far));
    gateway.finish();
}

/// It is the backend's fault where the client would send more.
#[test]
fn a_backend_that_takes_no_more_of_a_body_is_given_up() {
    const BODY: usize = 64 << 20;
    let backend = Backend::bind();
    let gateway = before(&backend, "", "upgrade_timeout = '200ms'\nbody_timeout = '5m'");
    let (mut client, far) = begin(&gateway, &backend, BODY, b"a");
    let mut sending = client.handle();
    thread::scope(|scope| {
        // Cut off, or read to its end for nothing, behind the answer.
        scope.spawn(move || sending.try_send(vec![b'a'; BODY - 1]).ok());
        let (head, _) = client.read_response();
        assert_eq!((head.status(), head.field("Connection")), (504, Some("close")));
        client.read_to_end();
    });
    drop((client, far));
    gateway.finish();
}

/// Slow bodies keep nobody out: neither other clients of the gateway, nor others of the same backend.
#[test]
fn t061_slow_uploads_hold_no_handshakes() {
    let backend = Backend::bind();
    let gateway = before(&backend, "max_handshakes = 2", "max_pending = 1\nbody_timeout = '5m'");
    let slow: Vec<_> = (0..6).map(|_| begin(&gateway, &backend, 4, b"a")).collect();
    drop(gateway.open("/echo"));
    drop(slow);
    gateway.finish();
}
