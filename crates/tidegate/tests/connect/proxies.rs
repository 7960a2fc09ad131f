//! Through proxies: HTTP CONNECT and SOCKS5, from the command line and from the environment.

use tidegate_testkit::{Backend, Connector, Ended, Frame, Wire};

use crate::rig::stdio;

/// A client of this URL that goes through the scripted proxy, with these flags.
fn through(proxy: &Backend, scheme: &str, url: &str, flags: &[&str]) -> tidegate_testkit::Connecting {
    let client = stdio(url).arg("--proxy").arg(format!("{scheme}://{}", proxy.address()));
    flags.iter().fold(client, Connector::arg).start()
}

/// The proxy has done its part: what follows on the wire is the server's.
#[track_caller]
fn serve(mut wire: Wire, client: tidegate_testkit::Connecting) -> Ended {
    let request = wire.read_head();
    assert_eq!(request.target(), "/chat");
    assert_eq!(request.field("Proxy-Authorization"), None, "the proxy's login stays with the proxy");
    wire.send(request.answer_101(""));
    wire.send_frame(&Frame::binary("through"));
    wire.send_frame(&Frame::close(1000, ""));
    wire.expect_close_frame(1000);
    wire.finish();
    let ended = client.wait_for_all();
    assert_eq!((ended.status, &ended.output[..]), (Some(0), &b"through"[..]), "{}", ended.diagnosis);
    ended
}

#[test]
fn c003_an_http_proxy_is_asked_to_connect_first() {
    let proxy = Backend::bind();
    let client = through(&proxy, "http", "ws://far.test:8080/chat", &[]);
    let mut wire = proxy.accept();
    let connect = wire.read_head();
    assert_eq!(connect.line, "CONNECT far.test:8080 HTTP/1.1");
    assert_eq!(connect.field("Host"), Some("far.test:8080"));
    assert_eq!(connect.field("Proxy-Authorization"), None);
    assert!(wire.is_silent_for(std::time::Duration::from_millis(100)), "the proxy has not answered yet");
    wire.send("HTTP/1.1 200 Connection established\r\nServer: x\r\n\r\n");
    serve(wire, client);
}

/// As many proxies do. What comes through them is HTTP/1.1 all the same.
#[test]
fn c003_an_http_proxy_may_answer_in_the_older_version() {
    let proxy = Backend::bind();
    let client = through(&proxy, "http", "ws://far.test/chat", &[]);
    let mut wire = proxy.accept();
    wire.read_head();
    wire.send("HTTP/1.0 200 Connection established\r\n\r\n");
    serve(wire, client);
}

#[test]
fn c003_a_proxy_that_refuses_ends_the_attempt() {
    for (answer, part) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "status 407; it wants credentials"),
        ("HTTP/1.1 403 Forbidden\r\n\r\n", "status 403; it does not allow"),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", "status 502"),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "status 101"),
        ("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101", "sent something before the server could"),
        ("SSH-2.0\r\n", "the proxy did not answer in HTTP/1.1"),
        ("", "the proxy ended the connection instead of answering"),
    ] {
        let proxy = Backend::bind();
        let client = through(&proxy, "http", "ws://far.test/chat", &[]);
        let mut wire = proxy.accept();
        wire.read_head();
        wire.send(answer);
        wire.finish();
        let ended = client.wait_for_all();
        assert_eq!(ended.status, Some(3), "{answer:?}: {}", ended.diagnosis);
        assert!(ended.diagnosis.contains(part), "{part:?} is not in {:?}", ended.diagnosis);
    }
}

#[test]
fn a_login_at_the_proxy_comes_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "open sesame\n").unwrap();
    let proxy = Backend::bind();
    let flags = ["--proxy-user", "Aladdin", "--proxy-password-file", file.to_str().unwrap()];
    let client = through(&proxy, "http", "ws://far.test/chat", &flags);
    let mut wire = proxy.accept();
    let connect = wire.read_head();
    assert_eq!(connect.field("Proxy-Authorization"), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    wire.send("HTTP/1.1 200 OK\r\n\r\n");
    let ended = serve(wire, client);
    assert!(!ended.diagnosis.contains("sesame"), "{}", ended.diagnosis);
}

/// What stands behind the colon may be a password, and would be read as one by the proxy.
#[test]
fn a_name_at_the_proxy_has_no_colon() {
    let proxy = Backend::bind();
    let flags = ["--proxy-user", "Aladdin:sesame"];
    let ended = through(&proxy, "http", "ws://far.test/chat", &flags).wait_for_all();
    assert!(ended.diagnosis.contains("--proxy-user: a name has no colon"), "{}", ended.diagnosis);
    assert!(!ended.diagnosis.contains("sesame"), "{}", ended.diagnosis);
    proxy.assert_untouched();
}

#[test]
fn a_socks5_proxy_resolves_the_name() {
    let proxy = Backend::bind();
    let client = through(&proxy, "socks5", "ws://far.test:8080/chat", &[]);
    let mut wire = proxy.accept();
    assert_eq!(wire.read_exact(3), b"\x05\x01\x00", "RFC 1928 §3: no login");
    wire.send(b"\x05\x00");
    assert_eq!(wire.read_exact(4), b"\x05\x01\x00\x03", "RFC 1928 §4: connect to a name");
    assert_eq!(wire.read_exact(11), b"\x08far.test\x1f\x90");
    wire.send(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00");
    serve(wire, client);
}

#[test]
fn a_login_at_a_socks5_proxy() {
    let proxy = Backend::bind();
    let client = stdio("ws://127.0.0.1:81/chat")
        .arg("--proxy")
        .arg(format!("socks5://{}", proxy.address()))
        .arg("--proxy-user")
        .arg("me")
        .env("TIDEGATE_PROXY_PASSWORD", "secret")
        .start();
    let mut wire = proxy.accept();
    assert_eq!(wire.read_exact(2)[0], 5);
    let methods = wire.read_some(8);
    assert!(methods.contains(&2), "RFC 1929 is offered: {methods:?}");
    wire.send(b"\x05\x02");
    assert_eq!(wire.read_exact(11), b"\x01\x02me\x06secret");
    wire.send(b"\x01\x00");
    assert_eq!(wire.read_exact(10), b"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x51");
    wire.send(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00");
    serve(wire, client);
}

#[test]
fn a_socks5_proxy_that_refuses_ends_the_attempt() {
    let proxy = Backend::bind();
    let client = through(&proxy, "socks5", "ws://far.test/chat", &[]);
    let mut wire = proxy.accept();
    wire.read_exact(3);
    wire.send(b"\x05\x00");
    wire.read_exact(15);
    wire.send(b"\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00");
    let ended = client.wait_for_all();
    assert_eq!(ended.status, Some(3), "{}", ended.diagnosis);
    assert!(ended.diagnosis.contains("the proxy does not connect us"), "{}", ended.diagnosis);
}

#[test]
fn a_proxy_that_says_nothing_is_not_waited_for_for_ever() {
    for scheme in ["http", "socks5"] {
        let proxy = Backend::bind();
        let client = through(&proxy, scheme, "ws://far.test/chat", &["--proxy-timeout", "100ms"]);
        let _wire = proxy.accept();
        let ended = client.wait_for_all();
        assert_eq!(ended.status, Some(3), "{}", ended.diagnosis);
        assert!(ended.diagnosis.contains("--proxy-timeout"), "{}", ended.diagnosis);
    }
}

#[test]
fn the_environment_names_the_proxy_its_login_and_whom_it_is_not_for() {
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        let proxy = Backend::bind();
        let value = format!("http://me:secret@{}", proxy.address());
        let client = stdio("ws://far.test/chat").env(variable, &value).start();
        let mut wire = proxy.accept();
        assert_eq!(wire.read_head().field("Proxy-Authorization"), Some("Basic bWU6c2VjcmV0"), "{variable}");
        wire.send("HTTP/1.1 200 OK\r\n\r\n");
        let ended = serve(wire, client);
        assert!(!ended.diagnosis.contains("secret"), "{}", ended.diagnosis);
    }
    let (proxy, server) = (Backend::bind(), Backend::bind());
    let address = format!("http://{}", proxy.address());
    let url = format!("{}/chat", server.ws());
    for client in [
        stdio(&url).env("ALL_PROXY", &address).env("NO_PROXY", "127.0.0.0/8"),
        stdio(&url).env("all_proxy", &address).env("no_proxy", "other.test, 127.0.0.1"),
        stdio(&url).env("HTTPS_PROXY", &address),
        stdio(&url).env("ALL_PROXY", &address).arg("--no-proxy"),
    ] {
        let client = client.start();
        serve(server.accept(), client);
    }
    proxy.assert_untouched();
}

#[test]
fn a_proxy_that_cannot_be_used_is_not_passed_by() {
    let ended = stdio("ws://127.0.0.1:1").env("ALL_PROXY", "https://127.0.0.1:1").run(b"");
    assert_eq!(ended.status, Some(2), "{}", ended.diagnosis);
    for proxy in ["http://me:secret@127.0.0.1:1", "ftp://127.0.0.1:1", "http://"] {
        let ended = stdio("ws://127.0.0.1:1").arg("--proxy").arg(proxy).run(b"");
        assert_eq!(ended.status, Some(2), "{proxy}: {}", ended.diagnosis);
        assert!(!ended.diagnosis.contains("secret"), "{}", ended.diagnosis);
    }
}
