//! Origins: a site that is not allowed gets 403, and no backend hears of it.

use tidegate_testkit::{Backend, Request};

use crate::rig::{Rig, gateway};

const ALLOW_LIST: &str = "origins = ['https://app.example.com', 'https://*.trusted.test']";

/// Each of these is let in.
#[track_caller]
fn let_in(origins: &[&str]) {
    let rig = Rig::with(ALLOW_LIST);
    for origin in origins {
        let mut client = rig.gateway.connect();
        client.send(Request::upgrade("/tcp").set("Origin", origin).encode());
        assert_eq!(client.read_head().status(), 101, "{origin}");
        drop(rig.tcp.accept());
    }
    rig.finish();
}

/// Each of these gets 403 on every kind of route, and no backend hears of it.
#[track_caller]
fn denied(origins: &[&str]) {
    let rig = Rig::with(ALLOW_LIST);
    for origin in origins {
        for path in ["/echo", "/tcp", "/ws"] {
            let head = rig.refused(&Request::upgrade(path).set("Origin", origin));
            assert_eq!(head.status(), 403, "{origin:?} at {path}");
        }
    }
    rig.finish();
}

#[test]
fn t063_an_origin_on_the_list() {
    let_in(&["https://app.example.com"]);
}

#[test]
fn t064_capitals_and_the_default_port() {
    let_in(&["https://APP.Example.com", "HTTPS://app.example.com", "https://app.example.com:443"]);
}

#[test]
fn t065_another_scheme_or_port() {
    denied(&[
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com:80",
        "http://gw.test",
    ]);
}

#[test]
fn t066_a_host_that_begins_like_one_on_the_list() {
    denied(&["https://app.example.com.evil.test"]);
}

#[test]
fn t067_a_host_that_ends_like_one_on_the_list() {
    denied(&["https://evil-app.example.com", "https://evilapp.example.com"]);
}

#[test]
fn t068_a_dot_is_a_dot() {
    denied(&["https://appXexample.com", "https://app.exampleXcom"]);
}

#[test]
fn t069_a_path_a_query_or_a_fragment() {
    denied(&[
        "https://evil.test/https://app.example.com",
        "https://evil.test?https://app.example.com",
        "https://evil.test#https://app.example.com",
        "https://app.example.com?",
        "https://app.example.com#",
    ]);
}

#[test]
fn t070_user_information() {
    denied(&[
        "https://app.example.com@evil.test",
        "https://evil.test\\@app.example.com",
        "https://evil.test@app.example.com",
    ]);
}

#[test]
fn t071_null_only_where_it_is_written() {
    denied(&["null"]);
    let rig = Rig::with("origins = ['null']");
    for (origin, status) in [("null", 101), ("https://app.example.com", 403), ("NULL", 403)] {
        let mut client = rig.gateway.connect();
        client.send(Request::upgrade("/echo").set("Origin", origin).encode());
        assert_eq!(client.read_head().status(), status, "{origin}");
    }
    rig.finish();
}

/// A star stands for one label or more, and not for none.
#[test]
fn t072_what_a_star_stands_for() {
    let_in(&["https://a.trusted.test", "https://a.b.trusted.test"]);
    denied(&[
        "https://trusted.test",
        "https://eviltrusted.test",
        "https://.trusted.test",
        "https://a.trusted.test.evil.test",
    ]);
}

#[test]
fn t073_almost_an_origin() {
    denied(&[
        "https://app.example.com.",
        "https://app.example.com:",
        "https://app.example.com/",
        " https://app.example.com x",
    ]);
}

#[test]
fn t075_empty_long_or_in_another_script() {
    denied(&[
        "",
        "https://äpp.example.com",
        "https://xn--pp-pka.example.com",
        &format!("https://{}.evil.test", "a".repeat(7_000)),
    ]);
    let rig = Rig::with(ALLOW_LIST);
    let long = format!("https://{}.trusted.test", "a".repeat(10 << 10));
    assert_eq!(rig.refused(&Request::upgrade("/tcp").set("Origin", &long)).status(), 431, "beyond 8 KiB");
    rig.finish();
}

/// The list is the same for the gateway's own answers, for raw backends and for handshakes that are relayed.
#[test]
fn t081_a_relayed_upgrade_has_its_origin_checked() {
    let rig = Rig::with(ALLOW_LIST);
    assert_eq!(rig.refused(&Request::upgrade("/ws").set("Origin", "https://evil.test")).status(), 403);
    let (mut client, _backend, asked) =
        rig.ask_ws(&Request::upgrade("/ws").set("Origin", "https://app.example.com"), "");
    assert_eq!(asked.field("Origin"), Some("https://app.example.com"), "the backend may judge for itself");
    assert_eq!(client.read_head().status(), 101);
    drop(client);
    rig.finish();
}

/// A regular expression is held against the whole origin, whether or not it says so; one that is none is an error.
#[test]
fn t080_regular_expressions_are_anchored_or_refused() {
    let rig = Rig::with("origins = ['~https://app[0-9]+\\.example\\.com']");
    for (origin, status) in [
        ("https://app1.example.com", 101),
        ("https://app1.example.com.evil.test", 403),
        ("https://evil.test/https://app1.example.com", 403),
        ("https://app.example.com", 403),
    ] {
        let mut client = rig.gateway.connect();
        client.send(Request::upgrade("/echo").set("Origin", origin).encode());
        assert_eq!(client.read_head().status(), status, "{origin}");
    }
    rig.finish();
    let said = gateway().route("/echo", "echo:", "origins = ['~https://app[0-9']").refused();
    assert!(said.contains("origins"), "{said}");
}

#[test]
fn t074_two_origins_are_one_too_many() {
    let rig = Rig::with(ALLOW_LIST);
    let (good, evil) = ("https://app.example.com", "https://evil.test");
    for (first, second) in [(good, evil), (evil, good), (good, good)] {
        for path in ["/tcp", "/ws"] {
            let request = Request::upgrade(path).set("Origin", first).with("Origin", second);
            assert_eq!(rig.refused(&request).status(), 400);
        }
    }
    rig.finish();
}

#[test]
fn t076_who_sends_no_origin_is_no_browser() {
    let backend = Backend::bind();
    let gateway = gateway()
        .route("/any", &backend.tcp(), "")
        .route("/browsers", &backend.tcp(), "allow_missing_origin = false")
        .start();
    let ask = |path: &str| {
        let mut client = gateway.connect();
        client.send(Request::upgrade(path).without("Origin").encode());
        client.read_head().status()
    };
    assert_eq!(ask("/browsers"), 403);
    backend.assert_untouched();
    assert_eq!(ask("/any"), 101);
    drop(backend.accept());
    gateway.finish();
}

/// Clients of drafts before RFC 6455 name their origin in another field: it counts where there is no Origin, and makes
/// no other origin good.
#[test]
fn t077_the_field_of_older_drafts() {
    const OLD: &str = "Sec-WebSocket-Origin";
    let rig = Rig::with(ALLOW_LIST);
    let (good, evil) = ("https://app.example.com", "https://evil.test");
    let base = || Request::upgrade("/tcp");
    let version_8 = base().without("Origin").with(OLD, evil).set("Sec-WebSocket-Version", "8");
    assert_eq!(rig.refused(&version_8).status(), 426, "the draft itself is not spoken");
    assert_eq!(rig.refused(&base().without("Origin").with(OLD, evil)).status(), 403);
    assert_eq!(rig.refused(&base().set("Origin", evil).with(OLD, good)).status(), 403);
    let mut client = rig.gateway.connect();
    client.send(base().without("Origin").with(OLD, good).encode());
    assert_eq!(client.read_head().status(), 101);
    drop((client, rig.tcp.accept()));
    rig.finish();
}

/// What somebody who is no trusted proxy says about the origin of the request changes nothing.
#[test]
fn t079_t084_an_untrusted_peer_does_not_make_an_origin_good() {
    let rig = Rig::start();
    let evil = || Request::upgrade("/tcp").set("Origin", "https://evil.test");
    for request in [
        evil(),
        evil().with("X-Forwarded-Host", "evil.test").with("X-Forwarded-Proto", "https"),
        evil().with("Forwarded", "host=evil.test;proto=https"),
    ] {
        assert_eq!(rig.refused(&request).status(), 403);
    }
    let port = rig.gateway.address().port();
    let own_port = Request::upgrade("/tcp").set("Host", format!("gw.test:{port}"));
    assert_eq!(rig.refused(&own_port).status(), 403, "the port belongs to the origin");
    rig.finish();
}
