//! The files of `examples/`, each served as it is but for ports and folders, with one real exchange through each.

use std::fs;
use std::path::Path;

use tidegate_testkit::{Backend, Builder, Frame, Gateway, Request, Wire};

use crate::certificates::{Issued, ask, connect, read_frame};
use crate::rig::gateway;

/// An example in which each of these texts, which must be there, is replaced by another.
fn example(name: &str, changes: &[(&str, String)]) -> Builder {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
    let mut text = fs::read_to_string(file).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{name} has no {from} any more");
        text = text.replace(from, to);
    }
    // The gateway listens where the example says, and where the builder says; the first is the one that it names.
    gateway().top(&text)
}

/// On a port of its own.
fn anywhere(listener: &'static str) -> (&'static str, String) {
    (listener, "address = \"127.0.0.1:0\"".to_owned())
}

/// An upgrade to this path of this host, for a page from there.
fn upgrade(path: &str, host: &str, origin: &str) -> Request {
    Request::upgrade(path).set("Host", host).set("Origin", origin)
}

/// Opens a WebSocket and sends a message of bytes, which the TCP service behind it gets, and answers.
fn through_to_tcp(gateway: &Gateway, request: &Request, backend: &Backend) {
    let mut client = gateway.connect();
    client.send(request.encode());
    let mut service = backend.accept();
    let head = client.read_head();
    assert_eq!(head.status(), 101, "{head:?}");
    client.send_frame(&Frame::binary("ping").masked());
    assert_eq!(service.read_exact(4), b"ping");
    service.send("pong");
    assert_eq!(client.read_message().1, b"pong");
}

/// Opens a WebSocket to a WebSocket application, which must be asked for `target`.
fn through_to_websocket(gateway: &Gateway, request: &Request, backend: &Backend, target: &str) {
    let mut client = gateway.connect();
    client.send(request.encode());
    let (mut application, head) = backend.accept_websocket();
    assert_eq!(head.target(), target);
    assert_eq!(client.read_head().status(), 101);
    client.send_frame(&Frame::text("ping").masked());
    assert_eq!(application.read_frame().unmasked().payload, b"ping");
    application.send_frame(&Frame::text("pong"));
    assert_eq!(client.read_message().1, b"pong");
}

fn refused(gateway: &Gateway, request: &Request) -> u16 {
    let mut client: Wire = gateway.connect();
    client.send(request.encode());
    client.read_head().status()
}

#[test]
fn minimal() {
    let vnc = Backend::bind();
    let gateway = example("minimal.toml", &[("tcp://127.0.0.1:5900", vnc.tcp())]).start();
    through_to_tcp(&gateway, &upgrade("/vnc", "127.0.0.1:8080", "http://localhost:3000"), &vnc);
    assert_eq!(refused(&gateway, &upgrade("/vnc", "127.0.0.1:8080", "http://127.0.0.1:8080")), 403);
}

#[test]
fn vnc() {
    let (vnc, pages) = (Backend::bind(), tempfile::tempdir().unwrap());
    fs::write(pages.path().join("vnc.html"), "<p>noVNC").unwrap();
    let changes = [
        anywhere("address = \"127.0.0.1:6080\""),
        ("tcp://127.0.0.1:5900", vnc.tcp()),
        ("\"file:novnc\"", format!("\"file:{}\"", pages.path().display())),
    ];
    let gateway = example("vnc.toml", &changes).start();
    let own = format!("http://localhost:{}", gateway.address().port());
    let host = own.trim_start_matches("http://");
    through_to_tcp(&gateway, &upgrade("/websockify", host, &own), &vnc);
    let mut client = gateway.connect();
    client.send(Request::get("/vnc.html").set("Host", host).encode());
    assert_eq!(client.read_response().1, "<p>noVNC");
    assert_eq!(refused(&gateway, &upgrade("/websockify", "rebound.test", "http://rebound.test")), 421);
}

#[test]
fn tls() {
    let (mqtt, issued) = (Backend::bind(), Issued::to(&["localhost"]));
    let in_folder = |name: &str| format!("= \"{}\"", issued.folder().join(name).display());
    let changes = [
        anywhere("address = \"127.0.0.1:8443\""),
        ("= \"cert.pem\"", in_folder("cert.pem")),
        ("= \"key.pem\"", in_folder("key.pem")),
        ("tcp://127.0.0.1:1883", mqtt.tcp()),
    ];
    let gateway = example("tls.toml", &changes).start();
    let mut client = issued.secure(connect(&gateway), "localhost");
    let request = upgrade("/mqtt", "localhost", "https://localhost").with("Sec-WebSocket-Protocol", "mqtt");
    let head = ask(&mut client, &request);
    assert_eq!((head.status(), head.field("Sec-WebSocket-Protocol")), (101, Some("mqtt")));
    mqtt.accept().send("pong");
    assert_eq!(read_frame(&mut client).payload, b"pong");
}

#[test]
fn two_backends() {
    let (chat, redis, shell) = (Backend::bind(), Backend::bind(), Backend::bind());
    let changes = [
        anywhere("address = \"127.0.0.1:8080\""),
        ("ws://127.0.0.1:3000", chat.ws()),
        ("tcp://127.0.0.1:6379", redis.tcp()),
        ("tcp://127.0.0.1:2222", shell.tcp()),
    ];
    let gateway = example("two-backends.toml", &changes).start();
    let (chat_host, tools) = ("chat.example.com", "tools.example.com");
    let of = |host: &str| format!("http://{host}");
    let request = upgrade("/room?name=a", chat_host, &of(chat_host));
    through_to_websocket(&gateway, &request, &chat, "/room?name=a");
    through_to_tcp(&gateway, &upgrade("/redis", tools, &of(tools)), &redis);
    through_to_tcp(&gateway, &upgrade("/shell/web", tools, &of(tools)), &shell);
    assert_eq!(refused(&gateway, &upgrade("/shell/9", tools, &of(tools))), 404);
}

#[test]
fn websocket_app() {
    let application = Backend::bind();
    let changes = [anywhere("address = \"127.0.0.1:8080\""), ("ws://127.0.0.1:3000", application.ws())];
    let gateway = example("websocket-app.toml", &changes).start();
    for origin in ["https://example.com", "https://a.example.com", "http://localhost:5173"] {
        let request = upgrade("/chat/room", "gw.test", origin);
        through_to_websocket(&gateway, &request, &application, "/socket/room");
    }
    assert_eq!(refused(&gateway, &upgrade("/chat/room", "gw.test", "https://evil.test")), 403);
}

/// A new example is served by a test as well.
#[test]
fn every_example_has_its_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let tests = include_str!("examples.rs");
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!name.ends_with(".toml") || tests.contains(&format!("example(\"{name}\"")), "{name}");
    }
}
