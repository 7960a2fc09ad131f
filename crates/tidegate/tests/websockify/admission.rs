//! Auth plugins: who may connect, and from where.

use tidegate_testkit::{Authority, Backend, Gateway, Identity, Request};

use crate::rig::{ANY_PORT, Place, ask, open, talk, upgrade};

/// The status of an upgrade from this site.
#[track_caller]
fn from(gateway: &Gateway, backend: &Backend, origin: Option<&str>) -> u16 {
    let request = upgrade("/").without("Origin");
    let request = origin.into_iter().fold(request, |request, origin| request.with("Origin", origin));
    status(gateway, backend, &request)
}

#[track_caller]
fn status(gateway: &Gateway, backend: &Backend, request: &Request) -> u16 {
    let mut client = gateway.connect();
    client.send(request.encode());
    let status = client.read_head().status();
    if status == 101 {
        drop(backend.accept());
    }
    backend.assert_untouched();
    status
}

#[test]
fn expect_origin_lets_these_sites_in_and_nobody_without_one() {
    let (place, backend) = (Place::new(), Backend::bind());
    let target = backend.address().to_string();
    let sites = "http://a.test https://b.test:8443";
    let words = ["--auth-plugin", "ExpectOrigin", "--auth-source", sites, ANY_PORT, &target];
    let gateway = Gateway::run(place.with_words(words));
    for (origin, expected) in [
        (Some("http://a.test"), 101),
        (Some("https://b.test:8443"), 101),
        (Some("https://b.test"), 403),
        (Some("http://evil-a.test"), 403),
        (None, 403),
    ] {
        assert_eq!(from(&gateway, &backend, origin), expected, "{origin:?}");
    }
}

#[test]
fn without_a_plugin_every_site_is_let_in() {
    let (place, backend) = (Place::new(), Backend::bind());
    let gateway = place.start(&format!("{ANY_PORT} {}", backend.address()));
    for origin in [Some("https://anywhere.test"), Some("null"), None] {
        assert_eq!(from(&gateway, &backend, origin), 101);
    }
    drop(open(gateway.connect(), &upgrade("/"), &backend));
}

/// `user:pass:word` and `user:other`.
const RIGHT: &str = "Basic dXNlcjpwYXNzOndvcmQ=";
const WRONG: &str = "Basic dXNlcjpvdGhlcg==";

#[test]
fn basic_http_auth_is_exactly_this_pair() {
    let (place, backend) = (Place::new(), Backend::bind());
    place.write("vnc.html", "<p>vnc");
    let line = format!("--auth-plugin BasicHTTPAuth --auth-source user:pass:word --web . {ANY_PORT}");
    for (web_auth, page) in [("", 200), ("--web-auth", 401)] {
        let gateway = place.start(&format!("{line} {} {web_auth}", backend.address()));
        let credentials = |value| upgrade("/").with("Authorization", value);
        assert_eq!(status(&gateway, &backend, &credentials(RIGHT)), 101);
        assert_eq!(status(&gateway, &backend, &credentials(WRONG)), 401);
        let mut client = gateway.connect();
        client.send(upgrade("/").encode());
        let (head, _) = client.read_response();
        assert_eq!(head.status(), 401);
        let challenge = head.field("WWW-Authenticate").unwrap();
        assert!(challenge.starts_with("Basic realm=\"Websockify\""), "{challenge}");
        let get = Request::get("/vnc.html");
        assert_eq!(ask(&gateway, &get).0.status(), page, "{web_auth}");
        assert_eq!(ask(&gateway, &get.with("Authorization", RIGHT)).1, "<p>vnc");
    }
}

#[test]
fn basic_http_auth_needs_a_pair() {
    let (status, said) =
        Place::new().ended(&format!("--auth-plugin BasicHTTPAuth --auth-source user {ANY_PORT} 127.0.0.1:1"));
    assert_eq!(status, 1);
    assert!(said.contains("--auth-source: it has no colon"), "{said}");
}

/// A gateway with a certificate of this authority, which asks clients for theirs; options may have blanks.
fn asking<'a>(place: &Place, authority: &Authority, target: &'a str, options: &[&'a str]) -> Gateway {
    let identity = authority.issue("127.0.0.1");
    let read = |path| std::fs::read(path).unwrap();
    place.write("cert.pem", read(identity.cert()));
    place.write("key.pem", read(identity.key()));
    place.write("ca.pem", read(&authority.file()));
    let files = ["--cert", "cert.pem", "--key", "key.pem", "--verify-client", "--cafile", "ca.pem"];
    let words = files.into_iter().chain(options.iter().copied()).chain([ANY_PORT, target]);
    Gateway::run(place.with_words(words))
}

#[test]
fn verify_client_wants_a_certificate_of_its_authorities() {
    let (place, backend, authority) = (Place::new(), Backend::bind(), Authority::new());
    let target = backend.address().to_string();
    let gateway = asking(&place, &authority, &target, &["--ssl-only"]);
    let connect = |identity: &Identity| {
        gateway.connect().secured_as_client(&authority.client_as(identity), "127.0.0.1")
    };
    let (mut client, mut far) = open(connect(&authority.issue_to("alice")), &upgrade("/"), &backend);
    talk(&mut client, &mut far);
    connect(&Authority::new().issue_to("alice")).expect_alert();
    gateway.connect().secured_as_client(&authority.client(), "127.0.0.1").expect_alert();
    backend.assert_untouched();
}

#[test]
fn verify_client_needs_tls() {
    let (status, said) = Place::new().ended(&format!("--verify-client {ANY_PORT} 127.0.0.1:1"));
    assert_eq!(status, 1);
    assert!(said.contains("--verify-client is not supported: without TLS"), "{said}");
}

#[test]
fn client_cert_cn_auth_wants_one_of_these_names() {
    let (place, backend, authority) = (Place::new(), Backend::bind(), Authority::new());
    let target = backend.address().to_string();
    let options = ["--auth-plugin", "ClientCertCNAuth", "--auth-source", "alice bob"];
    let gateway = asking(&place, &authority, &target, &options);
    let named = ["alice", "bob", "mallory"].map(|name| authority.issue_to(name));
    let alternatively = authority.issue_to_all(&["mallory"], "alice");
    let twice = authority.issue_to_all(&["mallory", "alice"], "mallory");
    let [alice, bob, mallory] = &named;
    for (name, identity, expected) in [
        ("alice", alice, 101),
        ("bob", bob, 101),
        ("mallory", mallory, 403),
        ("mallory, alternatively alice", &alternatively, 403),
        ("mallory and alice", &twice, 403),
    ] {
        let mut client = gateway.connect().secured_as_client(&authority.client_as(identity), "127.0.0.1");
        client.send(upgrade("/").encode());
        let status = client.read_head().status();
        if status == 101 {
            drop(backend.accept());
        }
        assert_eq!(status, expected, "{name}");
    }
    assert_eq!(status(&gateway, &backend, &upgrade("/")), 403, "plain connections have no certificate");
}
