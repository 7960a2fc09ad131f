//! WebSockets as they are listed, and closed from outside.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Command;

use serde_json::Value;
use tidegate_testkit::{Frame, Gateway, Request, Wire, eventually};

use super::{ADMIN, ask, get, listed, request, scrape};
use crate::rig::{EVERY_FAR, Far, Rig, gateway};

/// The entry of this client's connection.
#[track_caller]
fn entry(gateway: &Gateway, client: SocketAddr) -> Value {
    eventually("it is listed", || {
        let page = get(gateway, "/connections?limit=1000");
        let all = page["connections"].as_array().unwrap();
        all.iter().find(|entry| entry["client"] == client.to_string()).cloned()
    })
}

/// The status of an order, and what is said about it.
#[track_caller]
fn tell(gateway: &Gateway, method: &str, target: &str) -> (u16, Value) {
    let (head, body) = ask(gateway, &request(method, target));
    (head.status(), serde_json::from_str(&body).unwrap())
}

#[test]
fn an_entry_says_who_it_is_and_what_has_passed() {
    let rig = Rig::with_top(ADMIN, "subprotocols = ['chat']");
    let mut client = rig.gateway.connect();
    client.send(Request::upgrade("/tcp").with("Sec-WebSocket-Protocol", "chat").encode());
    let mut backend = rig.tcp.accept();
    assert_eq!(client.read_head().status(), 101);
    client.send_frame(&Frame::binary("abc").masked());
    assert_eq!(backend.read_exact(3), b"abc");
    backend.send("defgh");
    assert_eq!(client.read_payload(5), b"defgh");
    let found = entry(&rig.gateway, client.local_address());
    assert_eq!((&found["route"], &found["subprotocol"]), (&"/tcp".into(), &"chat".into()));
    assert_eq!((&found["protocol"], &found["state"]), (&"rfc6455".into(), &"open".into()));
    assert_eq!(found["in"], serde_json::json!({ "messages": 1, "bytes": 3 }));
    assert_eq!(found["out"]["bytes"], 5);
    let one = get(&rig.gateway, &format!("/connections/{}", found["conn"]));
    assert_eq!((&one["client"], &one["in"]), (&found["client"], &found["in"]));
    for none in ["999999", "0", "-1", "x", "18446744073709551616"] {
        assert_eq!(tell(&rig.gateway, "GET", &format!("/connections/{none}")).0, 404, "{none}");
    }
}

#[test]
fn an_operator_closes_one_connection_on_every_kind_of_route() {
    let rig = Rig::with_top(ADMIN, "");
    let mut witness = rig.gateway.open("/echo");
    for far in EVERY_FAR {
        let mut session = rig.open(far);
        let client = session.client.local_address();
        let conn = entry(&rig.gateway, client)["conn"].clone();
        let target = format!("/connections/{conn}?code=4001&reason=enough%20of%20it");
        assert_eq!(tell(&rig.gateway, "DELETE", &target), (202, serde_json::json!({ "told": 1 })));
        let close = session.client.expect_close_frame(4001);
        assert_eq!(close.payload[2..], *b"enough of it");
        session.client.send_frame(&close.masked());
        session.expect_backend_end(far, b"", 1001);
        drop(session);
        let line = rig.gateway.access_line_of(client);
        assert_eq!(
            (&line["end"], &line["close_code"], &line["closed_by"], &line["reason"]),
            (&"operator".into(), &4001.into(), &"gateway".into(), &"enough of it".into())
        );
    }
    witness.send_frame(&Frame::text("still here").masked());
    assert_eq!(witness.read_message().1, b"still here");
    let closed = "{route=\"/echo\",end=\"operator\",code=\"4xxx\",closed_by=\"gateway\"}";
    assert_eq!(scrape(&rig.gateway).value(&format!("tidegate_websockets_closed_total{closed}")), 1.0);
    rig.assert_untouched();
}

#[test]
fn only_codes_and_reasons_that_may_be_sent_are_taken() {
    let gateway = gateway().top(ADMIN).route("/echo", "echo:", "").start();
    let mut client = gateway.open("/echo");
    let conn = entry(&gateway, client.local_address())["conn"].clone();
    for code in [
        "999", "1002", "1004", "1005", "1006", "1007", "1010", "1014", "1015", "2999", "5000", "x", "70000",
        "",
    ] {
        let (status, answer) = tell(&gateway, "DELETE", &format!("/connections/{conn}?code={code}"));
        assert_eq!(status, 400, "{code}: {answer}");
        assert!(answer["error"].as_str().unwrap().starts_with("code has to be "), "{answer}");
    }
    let long = format!("/connections/{conn}?reason={}", "a".repeat(124));
    assert_eq!(tell(&gateway, "DELETE", &long).0, 400);
    assert_eq!(tell(&gateway, "DELETE", &format!("/connections/{conn}?reason=a%0Ab")).0, 400);
    client.send_frame(&Frame::text("untouched").masked());
    assert_eq!(client.read_message().1, b"untouched");
    let longest = format!("/connections/{conn}?code=1013&reason={}", "a".repeat(123));
    assert_eq!(tell(&gateway, "DELETE", &longest).0, 202);
    assert_eq!(client.expect_close_frame(1013).payload.len(), 125);
}

/// A page of another site can make a browser send a request, but not one that changes anything.
#[test]
fn t239_a_page_cannot_make_a_browser_close_anything() {
    let gateway = gateway().top(ADMIN).route("/echo", "echo:", "").start();
    let mut client = gateway.open("/echo");
    let simple = |method: &str, target: &str| request(method, target).without("X-Tidegate");
    for request in [
        simple("POST", "/drain"),
        simple("POST", "/drain").with("Content-Type", "text/plain"),
        simple("POST", "/drain").with("Content-Type", "application/x-www-form-urlencoded"),
        simple("POST", "/drain").with("Content-Type", "multipart/form-data; boundary=application/json"),
        simple("DELETE", "/connections/1").with("Origin", "https://evil.example"),
    ] {
        assert_eq!(ask(&gateway, &request).0.status(), 403, "{request:?}");
    }
    let preflight = request("OPTIONS", "/drain").with("Access-Control-Request-Headers", "x-tidegate");
    let (head, _) = ask(&gateway, &preflight);
    assert_eq!((head.status(), head.field("Access-Control-Allow-Headers")), (405, None));
    client.send_frame(&Frame::text("untouched").masked());
    assert_eq!(client.read_message().1, b"untouched");
    listed(&gateway, 1);
    let json = simple("POST", "/drain").with("Content-Type", "application/json; charset=utf-8");
    assert_eq!(ask(&gateway, &json).0.status(), 202);
    client.expect_close_frame(1001);
}

#[test]
fn a_drain_closes_whom_it_means_and_new_ones_are_let_in() {
    let rig = Rig::with_top(ADMIN, "");
    let mut echoes: Vec<Wire> = (0..5).map(|_| rig.gateway.open("/echo")).collect();
    let mut other = rig.open(Far::Tcp);
    listed(&rig.gateway, 6);
    assert_eq!(tell(&rig.gateway, "POST", "/drain?client=192.0.2.0/24").1["told"], 0);
    let (status, told) = tell(&rig.gateway, "POST", "/drain?route=%2Fecho&code=1012&reason=moving");
    assert_eq!((status, &told["told"]), (202, &5.into()));
    for client in &mut echoes {
        let close = client.expect_close_frame(1012);
        assert_eq!(close.payload[2..], *b"moving");
        client.send_frame(&close.masked());
    }
    other.client.send_frame(&Frame::binary("a").masked());
    assert_eq!(other.backend().read_exact(1), b"a");
    let mut later = rig.gateway.open("/echo");
    later.send_frame(&Frame::text("b").masked());
    assert_eq!(later.read_message().1, b"b");
    for wrong in
        ["/drain?window=25h", "/drain?window=x", "/drain?client=x", "/drain?codes=1", "/drain?idle=1s"]
    {
        assert_eq!(tell(&rig.gateway, "POST", wrong).0, 400, "{wrong}");
    }
}

/// What a body asks for is never mistaken for an order to everybody.
#[test]
fn an_order_with_a_body_is_refused() {
    let gateway = gateway().top(ADMIN).route("/echo", "echo:", "").route("/other", "echo:", "").start();
    let mut client = gateway.open("/echo");
    let conn = entry(&gateway, client.local_address())["conn"].clone();
    let close = format!("/connections/{conn}");
    for (method, target, says) in [
        ("POST", "/drain", "parameters stand in the query, as in /drain?route=…"),
        ("DELETE", close.as_str(), "parameters stand in the query, as in /connections/{conn}?code=…"),
        ("POST", "/reload", "neither a body nor parameters"),
    ] {
        for (field, value, body) in [
            ("Content-Length", "18", r#"{"route":"/other"}"#),
            ("Content-Length", "1", "{"),
            ("Transfer-Encoding", "chunked", "1\r\n{\r\n0\r\n\r\n"),
        ] {
            let request = request(method, target).with(field, value).with("Connection", "close");
            let mut wire = Wire::connect(super::address(&gateway));
            wire.send([&request.encode()[..], body.as_bytes()].concat());
            let (head, answer) = wire.read_response();
            assert_eq!(head.status(), 400, "{method} {target} {body}: {answer}");
            assert!(answer.contains(says), "{answer}");
        }
    }
    client.send_frame(&Frame::text("untouched").masked());
    assert_eq!(client.read_message().1, b"untouched");
    assert_eq!(get(&gateway, "/status")["generation"], 1);
}

#[test]
fn a_route_that_does_not_exist_is_no_empty_one() {
    let gateway = gateway().top(ADMIN).route("/echo", "echo:", "").route("/idle", "echo:", "").start();
    let _client = gateway.open("/echo");
    for (method, target) in [("POST", "/drain?route=ecko"), ("GET", "/connections?route=ecko")] {
        let (status, answer) = tell(&gateway, method, target);
        assert_eq!(status, 404, "{answer}");
        assert_eq!(answer["error"], r#"no route is called "ecko"; there are: /echo, /idle"#);
    }
    assert_eq!(tell(&gateway, "POST", "/drain?route=%2Fidle").1["told"], 0);
    let address = super::address(&gateway).to_string();
    let tidegate = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["drain", "--admin", &address, "--route", "ecko"])
        .output()
        .unwrap();
    let said = String::from_utf8(tidegate.stderr).unwrap();
    assert_eq!(tidegate.status.code(), Some(1), "{said}");
    assert!(said.contains("there are: /echo, /idle"), "{said}");
}

/// The words of the command say until when a drain goes on, and `status` who is closing.
#[test]
fn a_spread_drain_says_until_when() {
    let gateway = gateway().top(ADMIN).route("/echo", "echo:", "").start();
    let mut clients = [gateway.open("/echo"), gateway.open("/echo")];
    listed(&gateway, 2);
    let port = super::address(&gateway).port();
    let command = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(arguments).args(["--admin", &format!("localhost:{port}")]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let told = command(&["drain", "--window", "1h"]);
    assert!(
        told.starts_with("2 WebSockets were told to close, one after another, the last in 1h ("),
        "{told}"
    );
    assert_eq!(command(&["drain"]), "2 WebSockets were told to close\n");
    for client in &mut clients {
        client.expect_close_frame(1001); // and is not answered yet
    }
    assert_eq!(get(&gateway, "/status")["websockets_closing"], 2);
    let status = command(&["status"]);
    assert!(status.contains("2 of them WebSockets (2 closing)"), "{status}");
}

/// With `idle`, who is busy stays.
#[test]
fn a_drain_of_the_quiet_leaves_the_busy_alone() {
    let gateway = gateway().top(ADMIN).route("/echo", "echo:", "").start();
    let (mut quiet, mut busy) = (gateway.open("/echo"), gateway.open("/echo"));
    listed(&gateway, 2);
    assert_eq!(tell(&gateway, "POST", "/drain?window=30s&idle=500ms").1["told"], 2);
    let speaking = std::thread::spawn(move || {
        while quiet.is_silent_for(std::time::Duration::from_millis(20)) {
            busy.send_frame(&Frame::text("busy").masked());
            assert_eq!(busy.read_message().1, b"busy");
        }
        (quiet, busy)
    });
    let (mut quiet, mut busy) = speaking.join().unwrap();
    quiet.expect_close_frame(1001);
    busy.send_frame(&Frame::text("still").masked());
    assert_eq!(busy.read_message().1, b"still");
}

#[test]
fn t239_a_list_of_many_comes_in_bounded_pages() {
    const MANY: usize = 1500;
    Gateway::raise_descriptor_limit();
    let gateway = gateway().top(ADMIN).route("/echo", "echo:", "").route("/other", "echo:", "").start();
    let mut clients: Vec<Wire> = (0..MANY).map(|_| gateway.open("/echo")).collect();
    let _other = gateway.open("/other");
    listed(&gateway, MANY + 1);
    let first = get(&gateway, "/connections?limit=1000&route=%2Fecho");
    let numbers = |page: &Value| -> Vec<u64> {
        page["connections"].as_array().unwrap().iter().map(|entry| entry["conn"].as_u64().unwrap()).collect()
    };
    assert_eq!((numbers(&first).len(), &first["total"]), (1000, &MANY.into()));
    let second =
        get(&gateway, &format!("/connections?limit=1000&route=%2Fecho&after={}", first["next_after"]));
    assert_eq!((numbers(&second).len(), &second["next_after"]), (MANY - 1000, &Value::Null));
    let all: BTreeSet<_> = numbers(&first).into_iter().chain(numbers(&second)).collect();
    assert_eq!(all.len(), MANY, "each of them once");
    assert_eq!(numbers(&get(&gateway, "/connections")).len(), 100, "unless more are asked for");
    assert_eq!(numbers(&get(&gateway, "/connections?route=%2Fother")).len(), 1);
    let none = get(&gateway, "/connections?limit=0&after=7");
    assert_eq!((numbers(&none).len(), &none["next_after"]), (0, &7.into()), "it was not the last page");
    for (client, total) in [("127.0.0.1", MANY + 1), ("::ffff:127.0.0.1", MANY + 1), ("127.0.0.2", 0)] {
        assert_eq!(get(&gateway, &format!("/connections?client={client}"))["total"], total, "{client}");
    }
    clients[700].send_frame(&Frame::binary([0; 5000]).masked());
    assert_eq!(clients[700].read_message().1.len(), 5000);
    let top = get(&gateway, "/connections?sort=bytes&limit=1");
    assert_eq!(top["connections"][0]["client"], clients[700].local_address().to_string());
    for wrong in [
        "limit=1001",
        "limit=-1",
        "limit=%2B1",
        "sort=age",
        "sort=bytes&after=5",
        "state=x",
        "page=2",
        "limit=1&limit=2",
    ] {
        assert_eq!(
            ask(&gateway, &request("GET", &format!("/connections?{wrong}"))).0.status(),
            400,
            "{wrong}"
        );
    }
    assert_eq!(get(&gateway, "/status")["websockets_open"], MANY + 1);
}
