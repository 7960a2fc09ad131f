//! The access log: one line of JSON for each request and for each WebSocket, without anybody's secrets.

use serde_json::{Value, json};
use tidegate_testkit::{Backend, Frame, Request};

use crate::rig::{Far, Rig, close_from_client, gateway};

#[test]
fn i10_one_line_for_a_websocket() {
    let rig = Rig::start();
    let request =
        Request::upgrade("/tcp?token=secret").with("Sec-WebSocket-Protocol", "mqtt").with("Cookie", "secret");
    let mut client = rig.gateway.connect();
    client.send(request.encode());
    assert_eq!(client.read_head().status(), 101);
    let mut backend = rig.tcp.accept();
    client.send_frame(&Frame::binary("seven b").masked());
    client.send_frame(&Frame::binary("").masked());
    assert_eq!(backend.read_exact(7), b"seven b");
    backend.send("answer");
    assert_eq!(client.read_frame(), Frame::binary("answer"));
    assert_eq!(rig.gateway.access_lines(), Vec::<Value>::new(), "a WebSocket is logged at its end");
    client.send_frame(&Frame::close(4321, "secret").masked());
    client.expect_close(4321);
    backend.expect_fin();
    drop(backend);

    let line = rig.gateway.access_line_of(client.local_address());
    let expected = json!({
        "kind": "websocket", "route": "/tcp", "method": "GET", "host": "gw.test", "path": "/tcp", "status": 101,
        "subprotocol": "mqtt", "bytes_in": 7, "bytes_out": 6, "messages_in": 2, "messages_out": 1,
        "end": "client_closed", "close_code": 4321, "closed_by": "client",
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&line[key], value, "{key} in {line}");
    }
    assert!(line["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
    assert!(line["duration_ms"].is_u64() && line["conn"].is_u64(), "{line}");
    assert!(!line.to_string().contains("secret"), "{line}");
    assert_eq!(rig.gateway.access_lines().len(), 1);
    drop(client);
    rig.finish();
}

#[test]
fn i10_counts_are_payload_on_every_route() {
    let rig = Rig::start();
    for far in [Far::Echo, Far::Ws] {
        let mut session = rig.open(far);
        session.client.send_frame(&Frame::text("one ").unfinished().masked());
        session.client.send_frame(&Frame::continuation("message").masked());
        session.client.send_frame(&Frame::binary("two").masked());
        if far == Far::Ws {
            for _ in 0..3 {
                session.backend().read_frame();
            }
            session.backend().send_frame(&Frame::binary("two back"));
            assert_eq!(session.client.read_frame(), Frame::binary("two back"));
        } else {
            assert_eq!(session.client.read_payload(11 + 3).len(), 14);
        }
        close_from_client(far, &mut session);
        let line = rig.gateway.access_line_of(session.client.local_address());
        let (bytes_out, messages_out) = if far == Far::Ws { (8, 1) } else { (14, 2) };
        assert_eq!((&line["bytes_in"], &line["messages_in"]), (&json!(14), &json!(2)), "{line}");
        assert_eq!(
            (&line["bytes_out"], &line["messages_out"]),
            (&json!(bytes_out), &json!(messages_out)),
            "{line}"
        );
    }
    rig.finish();
}

#[test]
fn i10_one_line_for_each_refusal() {
    let rig = Rig::start();
    for (request, status) in [
        (Request::upgrade("/tcp").set("Origin", "https://evil.test"), 403),
        (Request::upgrade("/nowhere?token=secret"), 404),
        (Request::upgrade("/tcp").without("Sec-WebSocket-Key"), 400),
        (Request::get("/tcp"), 426),
        (Request::get("/tcp").line("no request at all"), 400),
    ] {
        let mut client = rig.gateway.connect();
        client.send(request.encode());
        assert_eq!(client.read_response().0.status(), status);
        client.finish();
        let line = rig.gateway.access_line_of(client.local_address());
        assert_eq!((&line["kind"], &line["status"]), (&json!("http"), &json!(status)), "{line}");
        assert!(!line.to_string().contains("secret"), "{line}");
        drop(client);
    }
    rig.gateway.settle();
    assert_eq!(rig.gateway.access_lines().len(), 5);
    rig.finish();
}

/// The reason names what a peer did wrong.
#[test]
fn i10_a_violation_is_named() {
    let rig = Rig::start();
    let mut session = rig.open(Far::Tcp);
    session.client.send(b"\x81\x05hello");
    session.client.expect_close(1002);
    session.expect_backend_end(Far::Tcp, b"", 1001);
    let line = rig.gateway.access_line_of(session.client.local_address());
    assert_eq!(line["end"], "client_violation", "{line}");
    assert_eq!((&line["close_code"], &line["closed_by"]), (&json!(1002), &json!("gateway")), "{line}");
    assert!(line["reason"].as_str().is_some_and(|reason| reason.contains("mask")), "{line}");
    drop(session);
    rig.finish();
}

/// The host that is a token is in no line, whatever else the request asks for.
#[test]
fn t235_a_host_that_may_be_a_token_is_in_no_line() {
    let folder = tempfile::tempdir().unwrap();
    let lookup = format!(
        "host = '*.vnc.test'\npath = '/ws'\nlookup = {{ kind = 'directory', source = {:?}, key = 'host' }}",
        folder.path()
    );
    let gateway = gateway()
        .tables(&format!("[[route]]\n{lookup}"))
        .route("/echo", "echo:", "origins = ['*']")
        .route("/files/*", &format!("file:{}", folder.path().display()), "")
        .start();
    for (request, status) in [
        (Request::upgrade("/ws"), 403),
        (Request::upgrade("/ws").without("Sec-WebSocket-Key"), 400),
        (Request::get("/ws"), 426),
        (Request::get("/nowhere"), 404),
        (Request::upgrade("/nowhere"), 404),
        (Request::get("/files/none"), 404),
        (Request::upgrade("/files/none"), 400),
    ] {
        for host in ["s3cret.vnc.test", "S3CRET.vnc.test.:80"] {
            let mut client = gateway.connect();
            let request = request.clone().set("Host", host).set("Connection", "close, Upgrade");
            client.send(request.set("Origin", "http://s3cret.vnc.test").encode());
            assert_eq!(client.read_response().0.status(), status);
            let line = gateway.access_line_of(client.local_address());
            assert_eq!(line["host"], "(token)", "{line}");
            assert!(!line.to_string().to_lowercase().contains("s3cret"), "{line}");
        }
    }
    let mut client = gateway.connect();
    client.send(Request::get("/nowhere").with("Connection", "close").encode());
    assert_eq!(client.read_response().0.status(), 404);
    assert_eq!(gateway.access_line_of(client.local_address())["host"], "gw.test", "another host is none");
    drop(client);
    gateway.finish();
}

/// T235: what a client writes into its path cannot forge a line or a field.
#[test]
fn t235_a_line_cannot_be_forged() {
    let rig = Rig::start();
    let nasty = "/tcp%0d%0a%22%7d%5b\"'<>\u{1b}[2J";
    let controls = "/\u{9b}2J\u{2028}\u{202e}\u{feff}";
    for target in ["/tcp%0d%0a%22%7d", "/%1b%5b2J", "/a'b", controls, &format!("/{}", "x".repeat(5_000))] {
        let mut client = rig.gateway.connect();
        client.send(Request::get(target).encode());
        assert_eq!(client.read_response().0.status(), 404);
        let line = rig.gateway.access_line_of(client.local_address());
        assert!(
            line["path"]
                .as_str()
                .is_some_and(|path| path.len() <= 512 && path.bytes().all(|byte| byte.is_ascii_graphic())),
            "{line}"
        );
    }
    let mut client = rig.gateway.connect();
    client.send(Request::get(nasty).encode());
    assert_eq!(client.read_response().0.status(), 400);
    client.finish();
    rig.gateway.access_line_of(client.local_address());
    drop(client);
    rig.finish();
}

/// Whoever looks into a refusal finds there what was refused; the client is told no more than before.
#[test]
fn a_refusal_names_what_was_refused() {
    let gone = Backend::refusing();
    let gateway = gateway()
        .listener("server_names = ['gw.test']")
        .route("/echo", "echo:", "")
        .route("/gone", &format!("tcp://{gone}"), "")
        .route("/asked", "echo:", &format!("auth = {{ kind = 'forward', url = 'http://{gone}/secret' }}"))
        .start();
    let ask = |request: Request| {
        let mut client = gateway.connect();
        client.send(request.encode());
        let (_, body) = client.read_response();
        assert!(!body.contains(&gone.to_string()) && !body.contains("evil"), "{body}");
        gateway.access_line_of(client.local_address())
    };
    let long = format!("https://{}.evil.example", "a".repeat(1000));
    let line = ask(Request::upgrade("/echo").set("Origin", &long));
    assert_eq!((&line["status"], &line["origin"]), (&403.into(), &long[..256].into()), "{line}");
    let line = ask(Request::upgrade("/echo").set("Host", "evil.example:81"));
    assert_eq!((&line["status"], &line["path"]), (&421.into(), &"/echo".into()), "{line}");
    assert_eq!(line["host"], "evil.example", "{line}");
    let line = ask(Request::upgrade("/gone"));
    let reason = line["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("backend unreachable: ") && reason.ends_with(&format!(", at tcp://{gone}")),
        "{line}"
    );
    let line = ask(Request::upgrade("/asked"));
    let reason = format!("the server that is asked, {gone}, cannot be reached");
    assert!(line["reason"].as_str().unwrap().contains(&reason), "{line}");
    assert!(!line.to_string().contains("secret"), "{line}");
}
