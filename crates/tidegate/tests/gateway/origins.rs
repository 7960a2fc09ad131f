//! Origins: a site that is not allowed gets 403, and no backend hears of it.

use tidegate_testkit::{Backend, Request};

use crate::rig::{Rig, gateway};

const ALLOW_LIST: &str = "origins = ['https://app.example.com', 'https://*.trusted.test']";

#[test]
fn t063_t064_t072_origins_on_the_list_are_let_in() {
    let rig = Rig::with(ALLOW_LIST);
    for origin in [
        "https://app.example.com",
        "https://APP.Example.com",
        "https://app.example.com:443",
        "https://a.b.trusted.test",
    ] {
        let mut client = rig.gateway.connect();
        client.send(Request::upgrade("/tcp").set("Origin", origin).encode());
        assert_eq!(client.read_head().status(), 101, "{origin}");
        drop(rig.tcp.accept());
    }
    rig.finish();
}

#[test]
fn t065_to_t075_t081_others_are_not_and_no_backend_hears_of_them() {
    let rig = Rig::with(ALLOW_LIST);
    for origin in [
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com.evil.test",
        "https://evil-app.example.com",
        "https://appXexample.com",
        "https://evil.test/https://app.example.com",
        "https://evil.test?https://app.example.com",
        "https://evil.test#https://app.example.com",
        "https://app.example.com@evil.test",
        "https://evil.test\\@app.example.com",
        "null",
        "https://trusted.test",
        "https://eviltrusted.test",
        "https://app.example.com.",
        "https://app.example.com:",
        "https://app.example.com/",
        "",
        "https://äpp.example.com",
        "http://gw.test",
        &format!("https://{}.evil.test", "a".repeat(7_000)),
    ] {
        for path in ["/echo", "/tcp", "/ws"] {
            let head = rig.refused(&Request::upgrade(path).set("Origin", origin));
            assert_eq!(head.status(), 403, "{origin:?} at {path}");
        }
    }
    rig.finish();
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

/// What somebody who is no trusted proxy says about the origin of the request, or in the field of an older draft,
/// changes nothing.
#[test]
fn t077_t078_t079_no_other_field_makes_an_origin_good() {
    let rig = Rig::start();
    let evil = || Request::upgrade("/tcp").set("Origin", "https://evil.test");
    for request in [
        evil(),
        evil().with("X-Forwarded-Host", "evil.test").with("X-Forwarded-Proto", "https"),
        evil().with("Forwarded", "host=evil.test;proto=https"),
        evil().with("Sec-WebSocket-Origin", "http://gw.test"),
    ] {
        assert_eq!(rig.refused(&request).status(), 403);
    }
    let port = rig.gateway.address().port();
    let own_port = Request::upgrade("/tcp").set("Host", format!("gw.test:{port}"));
    assert_eq!(rig.refused(&own_port).status(), 403, "the port belongs to the origin");
    rig.finish();
}
