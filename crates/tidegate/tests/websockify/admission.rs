//! Auth plugins: who may connect, and from where.

use tidegate_testkit::{Backend, Gateway, Request};

use crate::rig::{ANY_PORT, Place, open, upgrade};

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
