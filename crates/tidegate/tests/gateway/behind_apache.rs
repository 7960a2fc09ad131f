//! The request of an Apache-era client as mod_proxy passes it on: a key of 8 bytes, the proxy's own `Host`, and the way
//! here in `X-Forwarded-*`.

use tidegate_testkit::{Backend, Frame, Gateway, Head, Request};

use crate::rig::gateway;

/// Base64 of 8 bytes, where RFC 6455 §4.1 has 16.
const KEY: &str = "BVk27NoJaxQ=";
/// Base64 of SHA-1 of `KEY` and the GUID of RFC 6455 §1.3, as `openssl dgst -sha1` has it.
const ACCEPT: &str = "/mYE/17pbLxAW2R1S+Bb4/zsPZY=";

/// How the listener and the route in front of it are set up for such a client.
const LISTENER: &str = "lenient_key = true";
const ROUTE: &str = "origins = ['https://example.com']\nsubprotocols = ['chat']\nsubprotocol_required = true";

fn request() -> Request {
    Request::get("/")
        .set("Host", "localhost:4133")
        .with("Upgrade", "WebSocket")
        .with("Connection", "Upgrade")
        .with("Sec-WebSocket-Key", KEY)
        .with("Sec-WebSocket-Version", "13")
        .with("Sec-WebSocket-Protocol", "chat")
        .with("Origin", "https://example.com")
        .with("X-Forwarded-For", "192.0.2.7")
        .with("X-Forwarded-Host", "server.example.com")
        .with("X-Forwarded-Server", "server.example.com")
        .with("X-Forwarded-Proto", "https")
}

/// A gateway that trusts its peer, or does not, in front of a WebSocket application.
fn in_front_of(application: &Backend, trusting: bool) -> Gateway {
    let trusted = if trusting { "\ntrusted_proxies = ['127.0.0.1']" } else { "" };
    gateway().listener(&format!("{LISTENER}{trusted}")).route("/", &application.ws(), ROUTE).start()
}

#[test]
fn an_old_client_gets_the_answer_to_its_own_key() {
    let service = Backend::bind();
    let gateway = gateway()
        .listener(&format!("{LISTENER}\ntrusted_proxies = ['127.0.0.1']"))
        .route("/", &service.tcp(), ROUTE)
        .start();
    let mut client = gateway.connect();
    client.send(request().encode());
    let head = client.read_head();
    assert_eq!(head.status(), 101, "{head:?}");
    assert_eq!(head.field("Sec-WebSocket-Accept"), Some(ACCEPT));
    assert_eq!(head.field("Sec-WebSocket-Protocol"), Some("chat"));
    let mut far = service.accept();
    client.send_frame(&Frame::binary("question").masked());
    assert_eq!(far.read_exact(8), b"question");
    far.send("answer");
    assert_eq!(client.read_frame(), Frame::binary("answer"));
    drop((client, far));
    gateway.finish();
}

/// Every condition is needed: the same request without one of them is refused, and no backend hears of it.
#[test]
fn an_old_client_is_refused_where_one_condition_is_missing() {
    let any_protocol = "origins = ['https://example.com']";
    let other_origin = ROUTE.replace("//example.com", "//example.net");
    let no_origins = "subprotocols = ['chat']\nsubprotocol_required = true";
    let other_protocol = ROUTE.replace("'chat'", "'superchat'");
    for (listener, route, status) in [
        (LISTENER, ROUTE, 101),
        (LISTENER, any_protocol, 101),
        ("", ROUTE, 400),
        ("lenient_key = false", ROUTE, 400),
        (LISTENER, &other_origin, 403),
        (LISTENER, no_origins, 403),
        (LISTENER, &other_protocol, 400),
    ] {
        let service = Backend::bind();
        let gateway = gateway().listener(listener).route("/", &service.tcp(), route).start();
        let mut client = gateway.connect();
        client.send(request().encode());
        assert_eq!(client.read_head().status(), status, "{listener}, {route}");
        if status == 101 {
            drop(service.accept());
        }
        service.assert_untouched();
        drop(client);
        gateway.finish();
    }
}

#[test]
fn an_old_client_that_asks_for_less_is_refused() {
    let service = Backend::bind();
    let gateway = gateway().listener(LISTENER).route("/", &service.tcp(), ROUTE).start();
    for (asked, status) in [
        (request().set("Origin", "http://example.com"), 403),
        (request().set("Sec-WebSocket-Protocol", "superchat"), 400),
        (request().without("Sec-WebSocket-Protocol"), 400),
        (request().set("Sec-WebSocket-Key", "no base64 at all"), 400),
        (request().without("Sec-WebSocket-Key"), 400),
    ] {
        let mut client = gateway.connect();
        client.send(asked.encode());
        assert_eq!(client.read_head().status(), status, "{asked:?}");
    }
    service.assert_untouched();
    gateway.finish();
}

/// What a WebSocket application is told when this gateway is asked, and the client in the access line.
#[track_caller]
fn told(gateway: &Gateway, application: &Backend) -> (Head, String) {
    let mut client = gateway.connect();
    client.send(request().encode());
    let mut far = application.accept();
    let asked = far.read_head();
    far.send(asked.answer_101("Sec-WebSocket-Protocol: chat\r\n"));
    assert_eq!(client.read_head().status(), 101);
    let lines = gateway.access_lines().len();
    drop((client, far));
    let line = gateway.access_line_after(lines);
    (asked, line["client"].as_str().unwrap().to_owned())
}

#[test]
fn what_apache_says_of_the_client_is_believed_of_a_trusted_proxy() {
    let application = Backend::bind();
    let gateway = in_front_of(&application, true);
    let (asked, client) = told(&gateway, &application);
    assert_eq!(client, "192.0.2.7");
    for (name, value) in [
        ("X-Forwarded-For", "192.0.2.7, 127.0.0.1"),
        ("X-Forwarded-Host", "server.example.com"),
        ("X-Forwarded-Server", "server.example.com"),
        ("X-Forwarded-Proto", "https"),
    ] {
        assert_eq!(asked.field(name), Some(value), "{name}");
    }
    gateway.finish();
}

#[test]
fn what_anybody_else_says_there_is_not() {
    let application = Backend::bind();
    let gateway = in_front_of(&application, false);
    let (asked, client) = told(&gateway, &application);
    assert!(client.starts_with("127.0.0.1:"), "the peer itself, with its port: {client}");
    for (name, value) in [
        ("X-Forwarded-For", Some("127.0.0.1")),
        ("X-Forwarded-Host", Some("localhost:4133")),
        ("X-Forwarded-Server", None),
        ("X-Forwarded-Proto", Some("http")),
    ] {
        assert_eq!(asked.field(name), value, "{name}");
    }
    gateway.finish();
}
