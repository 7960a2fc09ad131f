//! Each metric moves when what it counts happens, and by as much.

use std::thread;
use std::time::Duration;

use tidegate_testkit::{Authority, Backend, Frame, Request, Wire, eventually};

use super::{ADMIN, ask, get, request, scrape};
use crate::rig::{EVERY_FAR, Rig, close_from_client, gateway};

/// Waits for the access line of each client: what is in it has been counted then.
#[track_caller]
fn settled(rig: &Rig, lines: usize) {
    rig.gateway.access_line_after(lines - 1);
}

#[test]
fn messages_and_bytes_are_counted_by_route_direction_and_kind() {
    let rig = Rig::with_top(ADMIN, "");
    let mut echo = rig.gateway.open("/echo");
    echo.send([Frame::text("abc").masked().encode(), Frame::binary([0; 1000]).masked().encode()].concat());
    assert_eq!((echo.read_message().1.len(), echo.read_message().1.len()), (3, 1000));
    let (mut client, mut backend) = rig.open_tcp();
    client.send(
        [Frame::text("ab").unfinished(), Frame::continuation("c")].map(|f| f.masked().encode()).concat(),
    );
    assert_eq!(backend.read_exact(3), b"abc");
    backend.send("defgh");
    assert_eq!(client.read_payload(5), b"defgh");
    let (mut ws_client, mut ws_backend) = rig.open_ws();
    ws_client.send(Frame::text("hello").masked().encode());
    assert_eq!(ws_backend.read_message().1, b"hello");
    ws_backend.send(Frame::binary([7; 70_000]).encode());
    assert_eq!(ws_client.read_message().1.len(), 70_000);
    let metrics = scrape(&rig.gateway);
    for (route, [text_in, binary_in, text_out, binary_out, bytes_in, bytes_out]) in [
        ("/echo", [1.0, 1.0, 1.0, 1.0, 1003.0, 1003.0]),
        ("/tcp", [1.0, 0.0, 0.0, 1.0, 3.0, 5.0]),
        ("/ws", [1.0, 0.0, 0.0, 1.0, 5.0, 70_000.0]),
    ] {
        for (direction, kind, expected) in [
            ("in", "text", text_in),
            ("in", "binary", binary_in),
            ("out", "text", text_out),
            ("out", "binary", binary_out),
        ] {
            let sample = format!(
                "tidegate_messages_total{{route=\"{route}\",direction=\"{direction}\",kind=\"{kind}\"}}"
            );
            assert_eq!(metrics.value(&sample), expected, "{sample}");
        }
        for (direction, expected) in [("in", bytes_in), ("out", bytes_out)] {
            let sample =
                format!("tidegate_payload_bytes_total{{route=\"{route}\",direction=\"{direction}\"}}");
            assert_eq!(metrics.value(&sample), expected, "{sample}");
        }
    }
    let table = get(&rig.gateway, "/routes");
    let row = |name: &str| {
        table["routes"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone()
    };
    assert_eq!(row("/echo")["in"], serde_json::json!({ "messages": 2, "bytes": 1003 }));
    assert_eq!(row("/ws")["out"], serde_json::json!({ "messages": 1, "bytes": 70_000 }));
    assert_eq!(
        (&row("/tcp")["backends"][0]["connections_open"], &row("/tcp")["backends"][0]["connects"]["ok"]),
        (&1.into(), &1.into())
    );
}

#[test]
fn messages_that_the_gateway_compresses_are_counted_as_they_were() {
    let gateway = gateway().top(ADMIN).route("/echo", "echo:", "compression = 'permessage-deflate'").start();
    let mut client = gateway.connect();
    client.send(Request::upgrade("/echo").with("Sec-WebSocket-Extensions", "permessage-deflate").encode());
    assert_eq!(client.read_head().status(), 101);
    client.send(Frame::text("a".repeat(500)).masked().encode());
    assert!(client.read_frame().payload.len() < 100);
    let metrics = scrape(&gateway);
    for sample in ["direction=\"in\"", "direction=\"out\""] {
        assert_eq!(
            metrics.value(&format!("tidegate_payload_bytes_total{{route=\"/echo\",{sample}}}")),
            500.0
        );
        assert_eq!(
            metrics.value(&format!("tidegate_messages_total{{route=\"/echo\",{sample},kind=\"text\"}}")),
            1.0
        );
    }
}

#[test]
fn websockets_are_counted_by_how_they_end() {
    let rig = Rig::with_top(ADMIN, "");
    let mut sessions: Vec<_> = EVERY_FAR.into_iter().map(|far| (far, rig.open(far))).collect();
    let metrics = scrape(&rig.gateway);
    for route in ["/echo", "/tcp", "/ws"] {
        assert_eq!(metrics.value(&format!("tidegate_websockets_open{{route=\"{route}\"}}")), 1.0);
        assert_eq!(metrics.value(&format!("tidegate_websockets_opened_total{{route=\"{route}\"}}")), 1.0);
        assert_eq!(
            metrics.value(&format!(
                "tidegate_requests_total{{route=\"{route}\",kind=\"websocket\",status=\"101\"}}"
            )),
            1.0
        );
    }
    assert_eq!(metrics.value("tidegate_connections_open"), 3.0);
    for (far, session) in &mut sessions {
        close_from_client(*far, session);
    }
    drop(sessions);
    let mut bad = rig.gateway.open("/echo");
    bad.send(Frame::text("unmasked").encode());
    bad.expect_close_frame(1002);
    drop(bad);
    let mut chosen = rig.gateway.open("/echo");
    chosen.send_frame(&Frame::close(4321, "").masked());
    chosen.expect_close(4321);
    drop(chosen);
    settled(&rig, 5);
    let metrics = scrape(&rig.gateway);
    let closed = |route: &str, rest: &str| {
        metrics.value(&format!("tidegate_websockets_closed_total{{route=\"{route}\",{rest}}}"))
    };
    for route in ["/echo", "/tcp", "/ws"] {
        assert_eq!(closed(route, "end=\"client_closed\",code=\"1000\",closed_by=\"client\""), 1.0);
        assert_eq!(metrics.value(&format!("tidegate_websockets_open{{route=\"{route}\"}}")), 0.0);
    }
    assert_eq!(closed("/echo", "end=\"client_violation\",code=\"1002\",closed_by=\"gateway\""), 1.0);
    assert_eq!(closed("/echo", "end=\"client_closed\",code=\"4xxx\",closed_by=\"client\""), 1.0);
    assert_eq!(metrics.value("tidegate_websocket_duration_seconds_count{route=\"/echo\"}"), 3.0);
    assert_eq!(metrics.value("tidegate_websocket_duration_seconds_count{route=\"/tcp\"}"), 1.0);
    rig.finish();
}

#[test]
fn requests_are_counted_by_status_and_refusals_by_reason() {
    let quota = gateway()
        .top(ADMIN)
        .top("max_connections_per_client = 1")
        .route("/echo", "echo:", "origins = ['https://example.com']")
        .route("/login", "echo:", "auth = { kind = 'basic', users = ['a:$2y$05$.....................................................'] }")
        .start();
    let ask = |request: Request| {
        let mut client = quota.connect();
        client.send(request.encode());
        let status = client.read_head().status();
        drop(client);
        status
    };
    let lines = |count: usize| drop(quota.access_line_after(count - 1));
    assert_eq!(ask(Request::upgrade("/echo")), 403);
    lines(1);
    // Connections come to an end one after the other, and with them their part of the quota.
    let again = |request: fn() -> Request| {
        eventually("the quota is free", || Some(ask(request())).filter(|status| *status != 503))
    };
    assert_eq!(again(|| Request::get("/nothing")), 404);
    assert_eq!(again(|| Request::get("/echo")), 426);
    assert_eq!(again(|| Request::upgrade("/login").without("Origin")), 401);
    assert_eq!(again(|| Request::upgrade("/echo").without("Sec-WebSocket-Key")), 400);
    let mut kept = eventually("the quota is free", || {
        let mut client = quota.connect();
        client.send(Request::upgrade("/echo").without("Origin").encode());
        (client.read_head().status() == 101).then_some(client)
    });
    let refused_before =
        scrape(&quota).find("tidegate_refusals_total{route=\"\",reason=\"quota\"}").unwrap_or(0.0);
    assert_eq!(ask(Request::upgrade("/echo")), 503);
    kept.send_frame(&Frame::close(1000, "").masked());
    kept.expect_close(1000);
    drop(kept);
    let line = |status: u16| quota.access_line(|line| line["status"] == status);
    for status in [403, 404, 426, 401, 400, 503, 101] {
        line(status);
    }
    let metrics = scrape(&quota);
    for (sample, expected) in [
        ("requests_total{route=\"/echo\",kind=\"websocket\",status=\"403\"}", 1.0),
        ("refusals_total{route=\"/echo\",reason=\"origin\"}", 1.0),
        ("requests_total{route=\"\",kind=\"http\",status=\"404\"}", 1.0),
        ("requests_total{route=\"\",kind=\"http\",status=\"426\"}", 1.0),
        ("refusals_total{route=\"\",reason=\"no_route\"}", 2.0),
        ("refusals_total{route=\"/login\",reason=\"auth\"}", 1.0),
        ("refusals_total{route=\"\",reason=\"handshake\"}", 1.0),
        ("refusals_total{route=\"\",reason=\"quota\"}", refused_before + 1.0),
    ] {
        assert_eq!(metrics.value(&format!("tidegate_{sample}")), expected, "{sample}");
    }
}

/// Whatever clients send, no label is made of it.
#[test]
fn t239_no_label_comes_from_a_client() {
    let gateway = gateway().top(ADMIN).route("/echo", "echo:", "").start();
    for secret in ["s3cret-path", "s3cret-two"] {
        let mut client = gateway.connect();
        let request = Request::get(&format!("/{secret}?{secret}"))
            .set("Host", format!("{secret}.test"))
            .with("User-Agent", secret)
            .with("Origin", format!("https://{secret}.test"));
        client.send(request.encode());
        assert_eq!(client.read_head().status(), 404);
        let mut client = gateway.open("/echo");
        client.send_frame(&Frame::close(4000, secret).masked());
        client.expect_close_frame(4000);
    }
    gateway.access_line_after(3);
    let (_, text) = ask(&gateway, &request("GET", "/metrics"));
    assert!(!text.contains("s3cret"), "{text}");
    let metrics = super::Exposition::parse(&text);
    assert_eq!(metrics.under("tidegate_requests_total{").len(), 2, "one for the 404s, one for the 101s");
}

#[test]
fn pings_are_counted_and_their_round_trips_measured() {
    let gateway = gateway().top(ADMIN).route("/echo", "echo:", "ping_interval = '50ms'").start();
    let mut client = gateway.open("/echo");
    for _ in 0..3 {
        let ping = client.read_frame();
        assert_eq!(ping.opcode, 9);
        client.send_frame(&Frame::pong(ping.payload).masked());
    }
    client.send_frame(&Frame::ping("mine").masked());
    client.send_frame(&Frame::pong("unasked").masked());
    let counted = |name: &str| format!("tidegate_{name}{{route=\"/echo\"}}");
    let metrics = eventually("the frames have come", || {
        Some(scrape(&gateway)).filter(|metrics| metrics.value(&counted("client_control_frames_total")) == 2.0)
    });
    assert_eq!(metrics.value(&counted("ping_round_trip_seconds_count")), 3.0);
    assert!(metrics.value(&counted("ping_round_trip_seconds_sum")) < 3.0);
    assert!(metrics.value(&counted("pings_sent_total")) >= 3.0);
}

#[test]
fn backends_are_counted_and_what_came_of_them() {
    let gone = Backend::refusing();
    let backend = Backend::bind();
    let gateway = gateway()
        .top(ADMIN)
        .route("/gone", &format!("tcp://{gone}"), "")
        .route("/tcp", &backend.tcp(), "")
        .start();
    let mut client = gateway.connect();
    client.send(Request::upgrade("/gone").encode());
    assert_eq!(client.read_head().status(), 502);
    let open = gateway_session(&gateway, &backend);
    let metrics = scrape(&gateway);
    let of = |name: &str, route: &str, backend: &str, more: &str| {
        metrics
            .value(&format!("tidegate_backend_{name}{{route=\"{route}\",backend=\"tcp://{backend}\"{more}}}"))
    };
    let there = backend.tcp().replace("tcp://", "");
    assert_eq!(of("connects_total", "/gone", &gone.to_string(), ",result=\"unreachable\""), 1.0);
    assert_eq!(of("connections_open", "/gone", &gone.to_string(), ""), 0.0);
    assert_eq!(of("connects_total", "/tcp", &there, ",result=\"ok\""), 1.0);
    assert_eq!(of("connections_open", "/tcp", &there, ""), 1.0);
    assert_eq!(of("resting", "/gone", &gone.to_string(), ""), 0.0, "there is no other one");
    drop(open);
    let sample = format!("tidegate_backend_connections_open{{route=\"/tcp\",backend=\"tcp://{there}\"}}");
    eventually("it is counted no more", || (scrape(&gateway).value(&sample) == 0.0).then_some(()));
}

fn gateway_session(gateway: &tidegate_testkit::Gateway, backend: &Backend) -> (Wire, Wire) {
    let mut client = gateway.connect();
    client.send(Request::upgrade("/tcp").encode());
    let far = backend.accept();
    assert_eq!(client.read_head().status(), 101);
    (client, far)
}

/// A client that reads nothing: what waits for it is seen, and is gone with it.
#[test]
fn bytes_that_wait_for_a_slow_side_are_seen() {
    let rig = Rig::with_top(ADMIN, "");
    let (client, mut backend) = rig.open_tcp();
    let sample = "tidegate_buffered_bytes{route=\"/tcp\"}";
    let chunk = vec![0; 64 << 10];
    backend.send_until_stalled(&chunk, 64 << 20, Duration::from_millis(200));
    let buffered = scrape(&rig.gateway).value(sample);
    assert!(buffered > 0.0 && buffered < 1.2e6, "{buffered}");
    drop((client, backend));
    rig.gateway.access_line(|line| line["route"] == "/tcp");
    assert_eq!(scrape(&rig.gateway).value(sample), 0.0);
}

#[test]
fn tls_handshakes_are_counted() {
    let authority = Authority::new();
    let gateway = gateway()
        .top(ADMIN)
        .secure(&authority, &authority.issue("127.0.0.1"))
        .route("/echo", "echo:", "origins = ['*']")
        .start();
    let _client = gateway.open("/echo");
    let mut plain = gateway.connect_bare();
    plain.send("GET / HTTP/1.1\r\n\r\n");
    plain.read_to_end();
    let counted = |result: &str, version: &str| {
        let sample = format!("tidegate_tls_handshakes_total{{result=\"{result}\",version=\"{version}\"}}");
        scrape(&gateway).find(&sample)
    };
    assert_eq!(counted("ok", "TLSv1.3"), Some(1.0));
    // The client is told before it is counted.
    assert_eq!(eventually("the failure is counted", || counted("failed", "")), 1.0);
}

/// The limit is seen from outside: a connection that waits for a place is told from an idle gateway.
#[test]
fn a_connection_that_waits_for_a_place_is_seen() {
    let gateway = gateway().top(ADMIN).top("max_connections = 2").route("/echo", "echo:", "").start();
    let mut open: Vec<Wire> = (0..2).map(|_| gateway.open("/echo")).collect();
    assert_eq!(scrape(&gateway).value("tidegate_connections_waiting"), 0.0);
    let mut waiting = gateway.connect();
    waiting.send(Request::upgrade("/echo").encode());
    let metrics = eventually("it waits", || {
        Some(scrape(&gateway)).filter(|metrics| metrics.value("tidegate_connections_waiting") == 1.0)
    });
    assert_eq!(
        (metrics.value("tidegate_connections_max"), metrics.value("tidegate_connections_open")),
        (2.0, 2.0)
    );
    drop(open.pop());
    assert_eq!(waiting.read_head().status(), 101);
    assert_eq!(scrape(&gateway).value("tidegate_connections_waiting"), 0.0);
}

/// Counters never go back, whatever happens while they are read.
#[test]
fn counters_only_rise_while_connections_come_and_go() {
    let gateway = gateway().top(ADMIN).top("workers = 2").route("/echo", "echo:", "").start();
    thread::scope(|scope| {
        let clients = scope.spawn(|| {
            for _ in 0..100 {
                let mut client = gateway.open("/echo");
                client.send_frame(&Frame::text("abc").masked());
                assert_eq!(client.read_message().1, b"abc");
                client.send_frame(&Frame::close(1000, "").masked());
                client.expect_close(1000);
            }
        });
        let mut before: Vec<(String, f64)> = Vec::new();
        while !clients.is_finished() {
            let metrics = scrape(&gateway);
            for (sample, value) in &before {
                assert!(metrics.value(sample) >= *value, "{sample} went back from {value}");
            }
            let counters = metrics.under("tidegate_").into_iter().filter(|(name, _)| name.contains("_total"));
            before = counters.map(|(name, value)| (format!("tidegate_{name}"), value)).collect();
        }
    });
    gateway.access_line_after(99);
    let metrics = scrape(&gateway);
    assert_eq!(
        metrics.value("tidegate_messages_total{route=\"/echo\",direction=\"in\",kind=\"text\"}"),
        100.0
    );
    assert_eq!(metrics.value("tidegate_payload_bytes_total{route=\"/echo\",direction=\"out\"}"), 300.0);
    assert_eq!(metrics.value("tidegate_connections_accepted_total"), 100.0);
    assert_eq!(metrics.value("tidegate_websockets_open{route=\"/echo\"}"), 0.0);
}

#[test]
fn the_process_itself_is_described() {
    let gateway = gateway().top(ADMIN).route("/echo", "echo:", "").start();
    let metrics = scrape(&gateway);
    assert!(metrics.value("process_resident_memory_bytes") > 1e6);
    assert!(metrics.value("process_open_fds") >= 5.0);
    assert!(metrics.value("process_max_fds") >= metrics.value("process_open_fds"));
    assert!(metrics.value("process_start_time_seconds") > 1.6e9);
    assert_eq!(metrics.under("tidegate_build_info{").len(), 1);
    assert_eq!(metrics.kinds()["tidegate_uptime_seconds"], "gauge");
}
