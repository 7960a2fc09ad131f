//! What proxies say about the client: believed of those that are trusted, taken away from all others.

use tidegate_testkit::{Backend, Gateway, Head, Request};

use crate::rig::{Rig, gateway};

/// A gateway that trusts its peer and the networks of some more proxies, and what it tells a backend.
fn behind_proxies() -> (Gateway, Backend) {
    let backend = Backend::bind();
    let gateway = gateway()
        .listener("trusted_proxies = ['127.0.0.0/8', '10.0.0.0/8']")
        .route("/ws", &backend.ws(), "origins = ['*']")
        .start();
    (gateway, backend)
}

/// What the backend is asked when this is the request, and the client that the access line names.
#[track_caller]
fn told(gateway: &Gateway, backend: &Backend, request: &Request) -> (Head, String) {
    let mut client = gateway.connect();
    client.send(request.encode());
    let (wire, asked) = backend.accept_websocket();
    assert_eq!(client.read_head().status(), 101);
    let lines = gateway.access_lines().len();
    drop((client, wire));
    let line = gateway.access_line_after(lines);
    (asked, line["client"].as_str().unwrap().to_owned())
}

#[test]
fn t082_the_backend_is_told_about_the_client_by_us_alone() {
    let rig = Rig::start();
    let request = Request::upgrade("/ws")
        .with("X-Forwarded-For", "10.1.2.3")
        .with("X-Forwarded-Proto", "https")
        .with("X-Forwarded-Host", "evil.test")
        .with("X-Forwarded-Port", "1")
        .with("X-Real-IP", "10.1.2.3")
        .with("Forwarded", "for=10.1.2.3");
    let (client, backend, asked) = rig.ask_ws(&request, "");
    let port = rig.gateway.address().port().to_string();
    for (name, value) in [
        ("X-Forwarded-For", Some("127.0.0.1")),
        ("X-Forwarded-Proto", Some("http")),
        ("X-Forwarded-Host", Some("gw.test")),
        ("X-Forwarded-Port", Some(port.as_str())),
        ("X-Real-IP", None),
        ("Forwarded", None),
    ] {
        assert_eq!(asked.field(name), value, "{name}");
    }
    drop((client, backend));
    rig.finish();
}

/// Of a chain the right-most address counts that is no proxy of ours: what stands further left may be invented.
#[test]
fn t083_the_client_behind_trusted_proxies() {
    let (gateway, backend) = behind_proxies();
    for (chain, client) in [
        ("1.2.3.4, 10.0.0.5", "1.2.3.4"),
        ("8.8.8.8, 1.2.3.4", "1.2.3.4"),
        ("10.0.0.7, 10.0.0.5", "10.0.0.7"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
    ] {
        let request = Request::upgrade("/ws").with("X-Forwarded-For", chain);
        let (asked, logged) = told(&gateway, &backend, &request);
        assert_eq!(logged, client, "{chain}");
        assert_eq!(asked.field("X-Forwarded-For"), Some(format!("{chain}, 127.0.0.1").as_str()));
    }
    // The chain may come in several fields.
    let request = Request::upgrade("/ws")
        .with("X-Forwarded-For", "8.8.8.8")
        .with("X-Forwarded-For", "1.2.3.4, 10.0.0.5");
    assert_eq!(told(&gateway, &backend, &request).1, "1.2.3.4");
    gateway.finish();
}

/// Fields that cannot be read are used in no part, not even when a trusted proxy passes them on.
#[test]
fn t084_fields_that_cannot_be_read() {
    let (gateway, backend) = behind_proxies();
    let long = format!("for={}", "a".repeat(7 << 10));
    for value in ["for=\"[::1]:80\";host=evil", "for=\"[::1", "for=;;,=", &long] {
        let (asked, logged) = told(&gateway, &backend, &Request::upgrade("/ws").with("Forwarded", value));
        assert_eq!(logged, "127.0.0.1", "{value:.20}");
        assert_eq!(asked.field("Forwarded"), None, "{value:.20}");
        assert_eq!(asked.field("X-Forwarded-For"), Some("127.0.0.1"));
        assert_eq!(
            (asked.field("Host"), asked.field("X-Forwarded-Host")),
            (Some("gw.test"), Some("gw.test"))
        );
    }
    for chain in ["1.2.3.4, unknown", "1.2.3.4, 10.0.0.5:x", "1.2.3.4,", "1.2.3.4 5.6.7.8"] {
        let request = Request::upgrade("/ws").with("X-Forwarded-For", chain);
        assert_eq!(told(&gateway, &backend, &request).1, "127.0.0.1", "{chain}");
    }
    let odd = Request::upgrade("/ws").with("X-Forwarded-Host", "a b").with("X-Forwarded-Proto", "gopher");
    let (asked, _) = told(&gateway, &backend, &odd);
    assert_eq!(
        (asked.field("X-Forwarded-Host"), asked.field("X-Forwarded-Proto")),
        (Some("gw.test"), Some("http"))
    );
    let request = Request::upgrade("/ws").with("Forwarded", "a".repeat(10 << 10));
    let mut client = gateway.connect();
    client.send(request.encode());
    assert_eq!(client.read_response().0.status(), 431);
    drop(client);
    backend.assert_untouched();
    gateway.finish();
}

/// What `Connection` names is taken from the client's set; ours is added behind that.
#[test]
fn t085_hop_by_hop_fields_end_at_the_gateway() {
    let rig = Rig::start();
    let request = Request::upgrade("/ws?token=1")
        .set(
            "Connection",
            "Upgrade, X-Secret, keep-alive, X-Real-IP, X-Forwarded-For, X-Forwarded-Proto, Cookie",
        )
        .with("X-Secret", "1")
        .with("X-Forwarded-For", "1.2.3.4")
        .with("X-Real-IP", "1.2.3.4")
        .with("Cookie", "session=1")
        .with("Keep-Alive", "timeout=5")
        .with("TE", "trailers")
        .with("Proxy-Authorization", "Basic x")
        .with("Authorization", "Basic y")
        .with("X-Custom", "kept");
    let (mut client, backend, asked) = rig.ask_ws(&request, "");
    for gone in ["X-Secret", "Keep-Alive", "TE", "Proxy-Authorization", "X-Real-IP", "Cookie"] {
        assert_eq!(asked.field(gone), None, "{gone}");
    }
    assert_eq!(asked.target(), "/ws?token=1");
    for (name, value) in [
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Proto", "http"),
        ("Authorization", "Basic y"),
        ("X-Custom", "kept"),
        ("Host", "gw.test"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
    ] {
        assert_eq!(asked.field(name), Some(value), "{name}");
    }
    assert_eq!(client.read_head().status(), 101);
    drop((client, backend));
    rig.finish();
}

/// Backends read more of the kind than we write. Nobody but a trusted proxy says any of it, and nobody at all says it in a
/// name that CGI takes for another.
#[test]
fn t015_t082_every_x_forwarded_field_is_a_trusted_proxy_s_or_nobody_s() {
    let names = ["User", "Prefix", "Ssl", "Uri", "Method", "Client-Cert", "Email", "Scheme"];
    let with_all = |request: Request| {
        names.iter().fold(request, |request, name| {
            request
                .with(&format!("X-Forwarded-{name}"), "root")
                .with(&format!("X_Forwarded_{}", name.replace('-', "_")), "root")
                .with(&format!("X.Forwarded-{name}"), "root")
        })
    };
    let request = with_all(Request::upgrade("/ws")).with("X_Real_IP", "1.2.3.4").with("X_Custom", "kept");
    let untrusting = Rig::start();
    let (client, wire, asked) = untrusting.ask_ws(&request, "");
    let (gateway, backend) = behind_proxies();
    let (trusting, _) = told(&gateway, &backend, &request);
    for name in names {
        assert_eq!(asked.field(&format!("X-Forwarded-{name}")), None, "{name}");
        assert_eq!(trusting.field(&format!("X-Forwarded-{name}")), Some("root"), "{name}");
    }
    for head in [&asked, &trusting] {
        assert_eq!(head.field("X_Custom"), Some("kept"));
        assert_eq!(head.field("X_Real_IP"), None);
        for name in names {
            assert_eq!(head.field(&format!("X_Forwarded_{}", name.replace('-', "_"))), None, "{name}");
            assert_eq!(head.field(&format!("X.Forwarded-{name}")), None, "{name}");
        }
    }
    drop((client, wire));
    untrusting.finish();
    gateway.finish();
}
