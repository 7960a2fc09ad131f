//! `send_proxy`: what a backend hears before everything else.

use std::net::SocketAddr;
use std::os::unix::net::UnixListener;

use tidegate_testkit::{Authority, Backend, Frame, PATIENCE, Request, Wire, eventually};

use super::{binary, field};
use crate::certificates::read_until;
use crate::rig::{Rig, gateway};

/// The line about a client on loopback.
fn line(client: SocketAddr, gateway: SocketAddr) -> String {
    format!("PROXY TCP4 127.0.0.1 127.0.0.1 {} {}\r\n", client.port(), gateway.port())
}

/// The header of version 2 about it.
fn header(client: SocketAddr, gateway: SocketAddr, fields: &[u8]) -> Vec<u8> {
    let addresses = [127, 0, 0, 1, 127, 0, 0, 1];
    let ports = [client.port().to_be_bytes(), gateway.port().to_be_bytes()].concat();
    binary(0x21, 0x11, &[&addresses, ports.as_slice(), fields].concat())
}

/// Host and path of a request for `/tcp` or the like.
fn asked(path: &str) -> Vec<u8> {
    [field(0x02, b"gw.test"), field(0xe0, path.as_bytes())].concat()
}

#[track_caller]
fn expect(backend: &mut Wire, header: &[u8]) {
    let read = backend.read_exact(header.len());
    assert_eq!(read.escape_ascii().to_string(), header.escape_ascii().to_string());
}

#[test]
fn the_header_is_first_and_bytes_follow() {
    for version in ["v1", "v2"] {
        let rig = Rig::with(&format!("send_proxy = '{version}'"));
        let (mut client, mut backend) = rig.open_tcp();
        let (from, to) = (client.local_address(), rig.gateway.address());
        match version {
            "v1" => expect(&mut backend, line(from, to).as_bytes()),
            _ => expect(&mut backend, &header(from, to, &asked("/tcp"))),
        }
        client.send_frame(&Frame::binary(b"ahoy").masked());
        assert_eq!(backend.read_exact(4), b"ahoy");
        backend.send(b"yoha");
        assert_eq!(client.read_frame().payload, b"yoha");
        drop((client, backend));
        rig.finish();
    }
}

#[test]
fn a_websocket_backend_hears_it_before_the_request() {
    let rig = Rig::with("send_proxy = 'v1'");
    let mut client = rig.gateway.connect();
    client.send(Request::upgrade("/ws").encode());
    let mut backend = rig.ws.accept();
    expect(&mut backend, line(client.local_address(), rig.gateway.address()).as_bytes());
    let head = backend.read_head();
    backend.send(head.answer_101(""));
    assert_eq!(client.read_head().status(), 101);
    drop((client, backend));
    rig.finish();
}

#[test]
fn an_http_backend_hears_it_with_each_request() {
    let backend = Backend::bind();
    let url = backend.ws().replace("ws://", "http://");
    let gateway = gateway().route("/*", &url, "send_proxy = 'v2'").start();
    for path in ["/a", "/b"] {
        let mut client = gateway.connect();
        client.send(Request::get(path).encode());
        let mut wire = backend.accept();
        expect(&mut wire, &header(client.local_address(), gateway.address(), &asked(path)));
        assert_eq!(wire.read_head().target(), path);
        wire.send("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
        assert_eq!(client.read_head().status(), 204);
    }
    gateway.finish();
}

#[test]
fn it_comes_before_tls_with_the_backend() {
    let authority = Authority::new();
    let (backend, identity) = (Backend::bind(), authority.issue("127.0.0.1"));
    let keys = format!("send_proxy = 'v1'\nbackend_tls = {{ ca = {:?} }}", authority.file());
    let gateway = gateway().route("/tls", &backend.tcp().replace("tcp:", "tls:"), &keys).start();
    let mut client = gateway.connect();
    client.send(Request::upgrade("/tls").encode());
    let mut bare = backend.accept_bare();
    expect(&mut bare, line(client.local_address(), gateway.address()).as_bytes());
    let mut backend = bare.secured_as_server(&identity).unwrap();
    assert_eq!(client.read_head().status(), 101);
    client.send_frame(&Frame::binary(b"ahoy").masked());
    assert_eq!(backend.read_exact(4), b"ahoy");
    drop((client, backend));
    gateway.finish();
}

#[test]
fn a_unix_socket_hears_it_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    listener.set_nonblocking(true).unwrap();
    let gateway = gateway().route("/", &format!("unix:{}", path.display()), "send_proxy = 'v1'").start();
    let mut client = gateway.connect();
    client.send(Request::upgrade("/").encode());
    let (mut backend, _) = eventually("the gateway connects", || listener.accept().ok());
    backend.set_nonblocking(false).unwrap();
    backend.set_read_timeout(Some(PATIENCE)).unwrap();
    let read = read_until(&mut backend, |bytes| bytes.ends_with(b"\n"));
    assert_eq!(String::from_utf8(read).unwrap(), line(client.local_address(), gateway.address()));
}

#[test]
fn a_certificate_that_was_shown_is_named() {
    let authority = Authority::new();
    let backend = Backend::bind();
    let gateway = gateway()
        .secure(&authority, &authority.issue("127.0.0.1"))
        .listener(&format!("client_cert = 'optional'\nclient_ca = {:?}", authority.file()))
        .route("/tcp", &backend.tcp(), "send_proxy = 'v2'")
        .start();
    let version = field(0x21, b"TLSv1.3");
    for (config, tls) in [
        (
            authority.client_as(&authority.issue_to("alice")),
            [[0x03, 0, 0, 0, 0].as_slice(), &version, &field(0x22, b"alice")].concat(),
        ),
        (authority.client(), [[0x01, 0, 0, 0, 1].as_slice(), &version].concat()),
    ] {
        let mut client = gateway.connect_bare().secured_as_client(&config, "127.0.0.1");
        client.send(Request::upgrade("/tcp").set("Origin", "https://gw.test").encode());
        let mut wire = backend.accept();
        let fields = [asked("/tcp"), field(0x20, &tls)].concat();
        expect(&mut wire, &header(client.local_address(), gateway.address(), &fields));
        assert_eq!(client.read_head().status(), 101);
    }
    gateway.finish();
}

#[test]
fn what_proxies_in_front_have_said_is_passed_on() {
    let backend = Backend::bind();
    let gateway = gateway()
        .listener("proxy_protocol = true\ntrusted_proxies = ['127.0.0.1', '10.0.0.0/8']")
        .route("/tcp", &backend.tcp(), "send_proxy = 'v1'")
        .start();
    for (announced, forwarded, expected) in [
        ("TCP4 192.0.2.1 198.51.100.2 4660 443", None, "TCP4 192.0.2.1 198.51.100.2 4660 443"),
        ("TCP6 2001:db8::1 2001:db8::2 1 443", None, "TCP6 2001:db8::1 2001:db8::2 1 443"),
        // A second proxy between, which speaks in fields: it names no port.
        ("TCP4 10.0.0.7 198.51.100.2 4660 443", Some("192.0.2.9"), "TCP4 192.0.2.9 198.51.100.2 0 443"),
        (
            "TCP4 10.0.0.7 198.51.100.2 4660 443",
            Some("2001:db8::9"),
            "TCP6 2001:db8::9 ::ffff:198.51.100.2 0 443",
        ),
    ] {
        let request = Request::upgrade("/tcp");
        let request = forwarded.into_iter().fold(request, |request, by| request.with("X-Forwarded-For", by));
        let mut client = gateway.connect();
        client.send([format!("PROXY {announced}\r\n").as_bytes(), &request.encode()].concat());
        let mut wire = backend.accept();
        expect(&mut wire, format!("PROXY {expected}\r\n").as_bytes());
        assert_eq!(client.read_head().status(), 101);
    }
    gateway.finish();
}
