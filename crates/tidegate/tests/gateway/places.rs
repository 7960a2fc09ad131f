//! How many connections there may be, whose they are, and which hosts are served.

use std::net::IpAddr;
use std::time::Duration;

use tidegate_testkit::{Gateway, PATIENCE, Request, Wire, within};

use crate::rig::gateway;

/// The status of an upgrade to `/echo` with these fields more, and the connection for as long as it is kept.
#[track_caller]
fn ask(gateway: &Gateway, fields: &[(&str, &str)]) -> (u16, Wire) {
    let mut client = gateway.connect();
    let request =
        fields.iter().fold(Request::upgrade("/echo"), |request, (name, value)| request.set(name, value));
    client.send(request.encode());
    (client.read_head().status(), client)
}

/// A gateway behind a balancer on this machine that says by the PROXY protocol for whom it connects.
fn behind_balancer(top: &str, listener: &str) -> Gateway {
    gateway()
        .top(top)
        .listener(&format!("proxy_protocol = true\ntrusted_proxies = ['127.0.0.1']\n{listener}"))
        .route("/echo", "echo:", "origins = ['*']")
        .start()
}

/// A connection of that balancer's for this client, which has said nothing yet.
#[track_caller]
fn announced(gateway: &Gateway, client: &str) -> Wire {
    let (family, local) = match client.parse().unwrap() {
        IpAddr::V4(_) => ("TCP4", "198.51.100.1"),
        IpAddr::V6(_) => ("TCP6", "2001:db8::99"),
    };
    let mut wire = gateway.connect();
    wire.send(format!("PROXY {family} {client} {local} 4000 80\r\n"));
    wire
}

#[test]
fn t243_one_connection_above_the_client_s_quota_is_503_and_a_place_comes_back() {
    let gateway = gateway().top("max_connections_per_client = 2").route("/echo", "echo:", "").start();
    let (first, first_client) = ask(&gateway, &[]);
    let (second, _second_client) = ask(&gateway, &[]);
    let (third, third_client) = ask(&gateway, &[]);
    assert_eq!([first, second, third], [101, 101, 503]);
    drop((first_client, third_client));
    gateway.access_line(|line| line["kind"] == "websocket");
    // The place comes back right behind the line.
    assert!((0..1000).any(|_| ask(&gateway, &[]).0 == 101));
}

/// Behind a proxy the client that counts is the one that the proxy names, for each request anew.
#[test]
fn t243_behind_a_trusted_proxy_each_client_has_its_own_quota() {
    let gateway = gateway()
        .top("max_connections_per_client = 1")
        .listener("trusted_proxies = ['127.0.0.0/8']")
        .route("/echo", "echo:", "")
        .start();
    let from = |client: &'static str| [("X-Forwarded-For", client)];
    let mut kept = gateway.connect();
    for client in ["192.0.2.1", "192.0.2.2"] {
        kept.send(Request::get("/nothing").set("X-Forwarded-For", client).encode());
        let head = kept.read_head();
        assert_eq!(head.status(), 404);
        kept.read_exact(head.field("Content-Length").unwrap().parse().unwrap());
    }
    let (gone_elsewhere, _first) = ask(&gateway, &from("192.0.2.1"));
    assert_eq!(gone_elsewhere, 101, "the kept connection speaks for another client now");
    assert_eq!(ask(&gateway, &from("192.0.2.1")).0, 503);
    assert_eq!(ask(&gateway, &from("192.0.2.2")).0, 503, "that client is the one of the kept connection");
    assert_eq!(ask(&gateway, &from("192.0.2.3")).0, 101);
}

#[test]
fn t082_an_untrusted_peer_cannot_speak_for_others() {
    let gateway = gateway().top("max_connections_per_client = 1").route("/echo", "echo:", "").start();
    let (first, _first) = ask(&gateway, &[("X-Forwarded-For", "192.0.2.1")]);
    let (second, _second) = ask(&gateway, &[("X-Forwarded-For", "192.0.2.2")]);
    assert_eq!([first, second], [101, 503]);
}

#[test]
fn t078_hosts_that_are_not_served_are_421() {
    let gateway = gateway().listener("server_names = ['gw.test']").route("/echo", "echo:", "").start();
    let status = |host: &str| ask(&gateway, &[("Host", host), ("Origin", &format!("http://{host}"))]).0;
    assert_eq!(status("gw.test"), 101);
    assert_eq!(status("GW.test"), 101);
    assert_eq!(status("victim.test"), 421);
    assert_eq!(status("gw.test.evil.test"), 421);
}

#[test]
fn t079_forwarded_scheme_and_host_count_only_from_a_trusted_proxy() {
    let fields = [
        ("Host", "10.0.0.1:8080"),
        ("Origin", "https://app.example.com"),
        ("X-Forwarded-Host", "app.example.com"),
        ("X-Forwarded-Proto", "https"),
    ];
    let trusting =
        gateway().listener("trusted_proxies = ['127.0.0.1/32']").route("/echo", "echo:", "").start();
    assert_eq!(ask(&trusting, &fields).0, 101);
    let wary = gateway().route("/echo", "echo:", "").start();
    assert_eq!(ask(&wary, &fields).0, 403);
}

/// Who connects and says nothing takes none of the places of others: of the handshakes under way, a client may have as
/// many as of connections.
#[test]
fn t243_silent_connections_of_one_client_leave_places_to_others() {
    let gateway = behind_balancer("max_connections_per_client = 3\nmax_handshakes = 8", "");
    let mut silent: Vec<_> = (0..3).map(|_| announced(&gateway, "192.0.2.1")).collect();
    let mut beyond: Vec<_> = (0..20).map(|_| announced(&gateway, "192.0.2.1")).collect();
    let let_go = silent.iter_mut().chain(&mut beyond).filter_map(|wire| {
        // Which three of them came first is for the workers to say.
        (!wire.is_silent_for(Duration::from_millis(500))).then(|| wire.expect_fin())
    });
    assert_eq!(let_go.count(), 20);
    let mut other = announced(&gateway, "192.0.2.2");
    other.send(Request::upgrade("/echo").encode());
    assert_eq!(other.read_head().status(), 101);
    let line = gateway.access_line(|line| line["status"] == 503);
    assert_eq!(line["reason"], "too many connections from this address", "{line}");
    drop((silent, beyond, other));
    gateway.finish();
}

/// The same without any proxy: with the first answer a place among the handshakes is free for the client's next.
#[test]
fn t243_a_client_s_handshakes_come_back_with_their_answers() {
    let gateway = gateway().top("max_connections_per_client = 2").route("/echo", "echo:", "").start();
    let silent = [gateway.connect(), gateway.connect()];
    gateway.connect().expect_fin();
    drop(silent);
    let came_in = within(PATIENCE, || {
        let mut client = gateway.connect();
        client.try_send(Request::upgrade("/echo").encode()).ok()?;
        let answer = client.read_some_or_end()?;
        answer.starts_with(b"HTTP/1.1 101").then_some(client)
    });
    let (second, _second) = ask(&gateway, &[]);
    let (third, _third) = ask(&gateway, &[]);
    assert_eq!((came_in.is_some(), second, third), (true, 101, 503));
}

/// Whatever is configured, half of the handshakes is for others. Those that one address begins beyond its half wait, and
/// come in when it is their turn.
#[test]
fn t061_one_address_has_half_of_the_handshakes() {
    let gateway = behind_balancer("max_handshakes = 8", "head_timeout = '10m'");
    let mut unfinished: Vec<_> = (0..20).map(|_| announced(&gateway, "192.0.2.1")).collect();
    for wire in &mut unfinished {
        wire.send("GET /echo HTTP/1.1\r\nHost: gw.test\r\n");
    }
    for client in ["192.0.2.2", "2001:db8::1", "192.0.2.3"] {
        let mut other = announced(&gateway, client);
        other.send(Request::upgrade("/echo").encode());
        assert_eq!(other.read_head().status(), 101, "{client}");
    }
    let mut late = announced(&gateway, "192.0.2.1");
    late.send(Request::upgrade("/echo").encode());
    drop(unfinished);
    assert_eq!(late.read_head().status(), 101, "it was not turned away");
    drop(late);
    gateway.finish();
}
