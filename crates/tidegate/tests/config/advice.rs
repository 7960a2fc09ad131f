//! What is said about a configuration that can be read, and about slips that nearly can.

use tidegate::config::{Overrides, parse};

use super::{found_in, lines, with_certificates};

/// A route with this backend and these keys, at a listener that nothing is said about.
fn found_about(backend: &str, keys: &str) -> String {
    let listener = "[[listener]]\naddress = \"192.0.2.1:80\"\n";
    found_in(&format!("{listener}[[route]]\npath = \"/\"\nbackend = \"{backend}\"\n{keys}\n"))
}

#[test]
fn keys_that_mean_nothing_to_a_backend_are_warned_about() {
    let websockets = ["origins = []", "max_message = 1000", "ping_interval = 5", "on_change = \"close\""];
    for (backend, keys) in [
        ("file:.", &websockets[..]),
        ("file:.", &["message = \"text\"", "compression = \"permessage-deflate\"", "upgrade_timeout = 5"]),
        ("tcp://a:1", &["backend_tls = { verify = false }", "upgrade_timeout = 5", "listing = true"]),
        ("ws://a:80", &["compression = \"permessage-deflate\"", "message = \"text\"", "backend_tls = {}"]),
        ("echo:", &["upgrade_timeout = 5", "accept = \"binary\""]),
    ] {
        for key in keys {
            let (name, _) = key.split_once(' ').unwrap();
            let found = found_about(backend, key);
            let begins = format!(
                "tidegate.toml:6:{}: warning: route \"/\": {name} has no effect on {backend}; leave it out",
                name.len() + 4
            );
            assert!(found.starts_with(&begins) && found.lines().count() == 1, "{backend} {key}: {found}");
        }
    }
    for (backend, key) in [
        ("tls://a:1", "backend_tls = { verify = true }"),
        ("wss://a", "backend_tls = { verify = true }"),
        ("http://a", "upgrade_timeout = 5"),
        ("http://a", "max_message = 2000000"),
        ("tcp://a:1", "compression = \"permessage-deflate\""),
        ("tcp://a:1", "message = \"text\""),
        ("echo:", "compression = \"permessage-deflate\""),
        ("ws://a", "compression = \"off\""),
        ("echo:", "listing = false"),
    ] {
        assert_eq!(found_about(backend, key), "", "{backend} {key}");
    }
}

#[test]
fn a_client_that_may_take_every_handshake_is_warned_about() {
    let listener = "[[listener]]\naddress = \"192.0.2.1:80\"\n";
    let found_with =
        |top: &str| found_in(&format!("{top}\n{listener}[[route]]\npath = \"/\"\nbackend = \"echo:\"\n"));
    insta::assert_snapshot!(
        [
            found_with("max_connections_per_client = 1000"),
            found_with("max_connections_per_client = 60\nmax_handshakes = 50"),
        ].concat(),
        @r#"
    tidegate.toml:1:30: warning: max_connections_per_client 1000 is not below max_handshakes, which is 1000: one client may keep all others out; raise max_handshakes above 1000, or write a smaller number
    tidegate.toml:1:30: warning: max_connections_per_client 60 is not below max_handshakes, which is 50: one client may keep all others out; raise max_handshakes above 60, or write a smaller number
    "#);
    for fine in ["max_connections_per_client = 999", "max_connections_per_client = 0", "max_handshakes = 1"] {
        assert_eq!(found_with(fine), "", "{fine}");
    }
}

#[test]
fn messages_by_subprotocol_need_the_subprotocol_that_decides() {
    let keys = |more: &str| format!("message = \"by-subprotocol\"\n{more}");
    insta::assert_snapshot!(
        [
            found_about("tcp://a:1", &keys("subprotocols = [\"chat\"]")),
            found_about("tcp://a:1", &keys("legacy = \"hybi-00\"")),
        ].concat(),
        @r#"
    tidegate.toml:6:11: warning: route "/": message "by-subprotocol" is text for everybody: subprotocols does not list "binary"; list it there, or write message = "text"
    tidegate.toml:6:11: error: route "/": message "by-subprotocol" stands beside legacy, whose clients have text alone; write message = "text" or "binary", or leave legacy out
    "#);
    for fine in ["subprotocols = [\"chat\", \"binary\"]", ""] {
        assert_eq!(found_about("tcp://a:1", &keys(fine)), "", "{fine}");
    }
}

#[test]
fn a_frame_that_no_message_may_have_is_warned_about() {
    insta::assert_snapshot!(
        [
            found_about("ws://a", "max_frame = \"4MiB\""),
            found_about("tcp://a:1", "max_frame = \"4MiB\"\nmax_message = \"64KiB\""),
        ].concat(),
        @r#"
    tidegate.toml:6:13: warning: route "/": max_frame 4MiB is above max_message, which is 1MiB; raise max_message to 4MiB, or leave max_frame out
    tidegate.toml:6:13: warning: route "/": max_frame 4MiB is above max_message, which is 64KiB; raise max_message to 4MiB, or leave max_frame out
    "#);
    assert_eq!(found_about("tcp://a:1", "max_frame = \"4MiB\""), "", "messages have no limit there");
    assert_eq!(found_about("ws://a", "max_frame = \"4MiB\"\nmax_message = \"4MiB\""), "");
}

#[test]
fn passwords_in_the_clear_are_warned_about() {
    let folder = with_certificates();
    let found = |listener: &str| {
        let text = format!(
            "[[listener]]\n{listener}\n[[route]]\npath = \"/\"\nbackend = \"echo:\"\norigins = []\n\
             auth = {{ kind = \"basic\", users = [\"alice:$2y$05$.....................................................\"] }}\n"
        );
        lines(&parse(&text, &folder.path().join("tidegate.toml"), &Overrides::default()))
            .replace(&format!("{}/", folder.path().display()), "")
    };
    insta::assert_snapshot!(
        found("address = \"192.0.2.1:80\""),
        @r#"tidegate.toml:2:11: warning: listener "192.0.2.1:80" takes the passwords of route "/" unencrypted; write tls = { cert = "FILE", key = "FILE" }, or listen on 127.0.0.1 behind a proxy that speaks TLS"#
    );
    for safe in [
        "address = \"127.0.0.1:80\"",
        "address = \"unix:/run/a.sock\"",
        "address = \"192.0.2.1:443\"\ntls = { cert = \"cert.pem\", key = \"key.pem\" }",
        "address = \"192.0.2.1:80\"\ntrusted_proxies = [\"192.0.2.2\"]",
    ] {
        assert_eq!(found(safe), "", "{safe}");
    }
}

#[test]
fn slips_of_the_pen_are_understood() {
    let echo = "[[route]]\npath = \"/\"\nbackend = \"echo:\"\norigins = []\n";
    let texts = [
        format!("{echo}idle_timeout = 10m"),
        format!("{echo}max_message = 64KiB"),
        format!("[[listener]]\naddress = 127.0.0.1:8080\n{echo}"),
        format!("[[listener]]\naddress = \"*:8080\"\n{echo}"),
        format!("[[listener]]\naddress = \"unix:///tmp/x.sock\"\n{echo}"),
        format!(
            "[[listener]]\naddress = \"192.0.2.1:80\"\nserver_names = [\"http://Example.com:80/\"]\n{echo}"
        ),
        "[[route]]\npath = \"/\"\nbackend = \"https//example.com\"".to_owned(),
        format!("listen = \"127.0.0.1:80\"\n{echo}"),
        "[[route]]\npath = \"/\"\nupstream = \"echo:\"".to_owned(),
    ];
    let all: Vec<_> = texts.iter().map(|text| found_in(text)).collect();
    insta::assert_snapshot!(all.concat(), @r#"
    tidegate.toml:5:16: error: a string without quotes: 10m; write "10m"
    tidegate.toml:5:15: error: a string without quotes: 64KiB; write "64KiB"
    tidegate.toml:2:11: error: a string without quotes: 127.0.0.1:8080; write "127.0.0.1:8080"
    tidegate.toml:2:11: error: listener "*:8080": address "*:8080" is no IP address with a port; write 0.0.0.0:8080 for all of IPv4, or [::]:8080 for all of IPv6
    tidegate.toml:2:11: error: listener "unix:///tmp/x.sock": address "unix:///tmp/x.sock" is no path but a URL; write unix:/tmp/x.sock
    tidegate.toml:3:17: error: listener "192.0.2.1:80": server_names "http://Example.com:80/" is a URL; write "example.com": hosts are compared without scheme and port
    tidegate.toml:3:11: error: route "/": backend "https//example.com" has no colon after its scheme; write https://example.com
    tidegate.toml:1:1: error: unknown key "listen"; write [[listener]] with address = "127.0.0.1:8080" below it
    tidegate.toml:1:1: error: route "/": backend is missing; write backend = "tcp://HOST:PORT", or another of its kinds, or lookup
    tidegate.toml:3:1: error: route "/": unknown key "upstream"; did you mean backend?
    "#);
}

#[test]
fn what_cannot_listen_side_by_side_is_found_before_it_is_tried() {
    let found = |admin: &str, addresses: &[&str]| {
        let listeners: String = addresses
            .iter()
            .map(|address| format!("[[listener]]\naddress = '{address}'\nserver_names = ['a']\n"))
            .collect();
        found_in(&format!("{admin}\n{listeners}[[route]]\npath = '/'\nbackend = 'echo:'\norigins = []\n"))
    };
    let all = [
        found("", &["0.0.0.0:8090", "127.0.0.1:8090"]),
        found("admin = '127.0.0.1:8080'", &["0.0.0.0:8080"]),
        found("admin = '127.0.0.1:8080'", &[]),
    ];
    insta::assert_snapshot!(all.concat(), @r#"
    tidegate.toml:6:11: error: listener "127.0.0.1:8090" cannot listen beside 0.0.0.0:8090, which takes its port on all addresses or one of them; keep one, or give the other a port of its own
    tidegate.toml:3:11: error: listener "0.0.0.0:8080" has the address of admin; give one of them a port of its own
    tidegate.toml:1:9: error: admin "127.0.0.1:8080" is where the gateway listens if there is no [[listener]]; give one of them a port of its own
    "#);
    for apart in
        [["0.0.0.0:8090", "[::]:8090"], ["127.0.0.1:8090", "127.0.0.2:8090"], ["0.0.0.0:0", "127.0.0.1:0"]]
    {
        assert_eq!(found("", &apart), "", "{apart:?}");
    }
}

/// Of two that have no name, the second is called by the one that logs will give it.
#[test]
fn a_route_that_stands_twice_is_told_apart_from_itself() {
    let echo = "[[route]]\npath = '/vnc'\nbackend = 'echo:'\norigins = []\n";
    insta::assert_snapshot!(
        found_in(&echo.repeat(2)),
        @r#"tidegate.toml:5:1: warning: route "/vnc#2" can never be reached: route "/vnc" stands before it (line 1) and takes all that it would; put it first, or remove it"#
    );
}
