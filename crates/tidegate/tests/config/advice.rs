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
    let websockets = [
        "origins = []",
        "max_message = 1000",
        "ping_interval = 5",
        "on_change = \"close\"",
        "max_pending = 9",
    ];
    for (backend, keys) in [
        ("file:.", &websockets[..]),
        ("file:.", &["message = \"text\"", "compression = \"permessage-deflate\"", "upgrade_timeout = 5"]),
        (
            "tcp://a:1",
            &[
                "backend_tls = { verify = false }",
                "upgrade_timeout = 5",
                "body_timeout = 5",
                "listing = true",
            ],
        ),
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
        ("file:.", "max_pending = 9\nauth = { kind = \"forward\", url = \"http://a/\" }"),
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

/// Of each kind of number: a word, a sign, a fraction, a power, too much, and another type.
#[test]
fn a_number_that_is_none_is_answered_with_what_is_allowed_and_an_example() {
    let found = |value: &str| {
        let route = format!(
            "ping_interval = {value}\nmax_frame = {value}\nmax_message = \"1TiB\"\nmax_fragments = {value}"
        );
        found_about("echo:", &route)
    };
    insta::assert_snapshot!(
        ["\"ten\"", "-1", "1e9", "3.5", "99999999999999999999999", "true"].map(found).concat(),
        @r#"
    tidegate.toml:6:17: error: route "/": ping_interval "ten" is no duration; write a whole number and a unit, ms, s, m or h, such as "250ms" or "30s"
    tidegate.toml:7:13: error: route "/": max_frame "ten" is no size; write a whole number and a unit, KiB, MiB or GiB (or kB, MB, GB), such as "64KiB"
    tidegate.toml:9:17: error: route "/": max_fragments is the string "ten"; write a whole number from 1 to 1000000000, such as 1024
    tidegate.toml:6:17: error: route "/": ping_interval is the integer -1; write a duration from 10ms to 24h, or 0 for off, such as "20s"
    tidegate.toml:7:13: error: route "/": max_frame is the integer -1; write a size from 125 to 1TiB, such as "1MiB"
    tidegate.toml:9:17: error: route "/": max_fragments is the integer -1; write a whole number from 1 to 1000000000, such as 1024
    tidegate.toml:6:17: error: route "/": ping_interval is the float 1e9; write a duration from 10ms to 24h, or 0 for off, such as "20s"
    tidegate.toml:7:13: error: route "/": max_frame is the float 1e9; write a size from 125 to 1TiB, such as "1MiB"
    tidegate.toml:9:17: error: route "/": max_fragments is the float 1e9; write a whole number from 1 to 1000000000, such as 1024
    tidegate.toml:6:17: error: route "/": ping_interval is the float 3.5; write a duration from 10ms to 24h, or 0 for off, such as "20s"
    tidegate.toml:7:13: error: route "/": max_frame is the float 3.5; write a size from 125 to 1TiB, such as "1MiB"
    tidegate.toml:9:17: error: route "/": max_fragments is the float 3.5; write a whole number from 1 to 1000000000, such as 1024
    tidegate.toml:6:17: error: route "/": ping_interval 99999999999999999999999 is out of bounds; write a duration from 10ms to 24h, or 0 for off, such as "20s"
    tidegate.toml:7:13: error: route "/": max_frame 99999999999999999999999 is out of bounds; write a size from 125 to 1TiB, such as "1MiB"
    tidegate.toml:9:17: error: route "/": max_fragments 99999999999999999999999 is out of bounds; write a whole number from 1 to 1000000000, such as 1024
    tidegate.toml:6:17: error: route "/": ping_interval is the boolean true; write a duration from 10ms to 24h, or 0 for off, such as "20s"
    tidegate.toml:7:13: error: route "/": max_frame is the boolean true; write a size from 125 to 1TiB, such as "1MiB"
    tidegate.toml:9:17: error: route "/": max_fragments is the boolean true; write a whole number from 1 to 1000000000, such as 1024
    "#);
    insta::assert_snapshot!(
        found_in("workers = \"4\"\nmax_connections = \"5000\"\nmax_handshakes = \"0\"\nmax_buffered = 1\nroute = [{ path = '/', backend = 'echo:', origins = [] }]"),
        @r#"
    tidegate.toml:1:11: error: workers is the string "4"; write 4, without quotes
    tidegate.toml:2:19: error: max_connections is the string "5000"; write 5000, without quotes
    tidegate.toml:3:18: error: max_handshakes is the string "0"; write a whole number from 1 to 100000000, such as 1000
    tidegate.toml:4:16: error: max_buffered 1 is out of bounds; write a size from 1MiB to 1TiB, such as "64MiB"
    "#);
}

#[test]
fn keys_that_another_one_leaves_without_effect_are_warned_about() {
    let of_routes = [
        found_about("echo:", "ping_interval = 0\nping_timeout = 5"),
        found_about("tcp://a:1", "balance = \"hash\"\ndisable_time = \"5s\""),
        found_about("echo:", "connect_timeout = 5\nmax_pending = 5\nsend_proxy = \"v1\""),
        found_about("file:.", "subprotocols = [\"a\"]\nsubprotocol_required = true"),
        found_in("[[route]]\npath = '~app/.*'\nbackend = 'echo:'\norigins = []"),
        found_about("ws://a", "auth = { kind = 'forward', url = 'http://a/', realm = 'x', timeout = 5 }"),
        found_about("ws://a", "auth = { kind = 'client-cert', realm = 'x', timeout = 5 }"),
    ];
    insta::assert_snapshot!(of_routes.concat(), @r#"
    tidegate.toml:7:16: warning: route "/": ping_timeout has no effect with ping_interval = 0: nothing is sent that could be answered; set ping_interval, such as "20s", or leave it out
    tidegate.toml:6:11: warning: route "/": balance has no effect with one backend; name several, as backend = ["URL", "URL"], or leave it out
    tidegate.toml:7:16: warning: route "/": disable_time has no effect with one backend; name several, as backend = ["URL", "URL"], or leave it out
    tidegate.toml:6:19: warning: route "/": connect_timeout has no effect on echo:; leave it out: it is for backends that are connected
    tidegate.toml:7:15: warning: route "/": max_pending has no effect on echo:; leave it out: it is for backends that are connected
    tidegate.toml:8:14: warning: route "/": send_proxy has no effect on echo:; leave it out: it begins connections to backends
    tidegate.toml:6:16: warning: route "/": subprotocols has no effect on file:.; leave it out: it is for WebSockets, and here are none
    tidegate.toml:7:24: warning: route "/": subprotocol_required has no effect on file:.; leave it out: it is for WebSockets, and here are none
    tidegate.toml:2:8: warning: route "~app/.*": path "~app/.*" matches no path: each begins with /; write "~/app/.*", or "~.*app/.*"
    tidegate.toml:6:55: warning: route "/": auth: realm has no effect beside kind = "forward": the answer of the server is passed on; leave it out
    tidegate.toml:3:1: warning: route "/" lets in who shows a certificate, and no listener asks for any: all get 403; add client_cert = "optional" and client_ca = "FILE" to a listener with tls
    tidegate.toml:6:40: warning: route "/": auth: realm has no effect beside kind = "client-cert"; leave it out
    tidegate.toml:6:55: warning: route "/": auth: timeout has no effect beside kind = "client-cert": it was shown in the handshake of TLS; leave it out
    "#);
    let lookup = |keys: &str| found_in(&format!("[[route]]\npath = '/'\norigins = []\n{keys}"));
    let of_lookups = [
        lookup("lookup = { kind = 'unix-directory', source = '.', tls = true }\nbalance = 'sticky'"),
        lookup(
            "lookup = { kind = 'directory', source = '.', targets = ['10.1.2.3/8:5900', 'fd00::1/8:1-9', '10.0.0.1:1'] }",
        ),
    ];
    insta::assert_snapshot!(of_lookups.concat(), @r#"
    tidegate.toml:4:57: warning: route "/": lookup: tls has no effect beside kind = "unix-directory", which leads to Unix sockets; leave it out
    tidegate.toml:5:11: warning: route "/": balance has no effect beside lookup: it leads to one backend; leave it out
    tidegate.toml:4:57: warning: route "/": lookup: targets "10.1.2.3/8:5900" is read as the network 10.0.0.0/8; write 10.0.0.0/8 there, or 10.1.2.3 if only that address is meant
    tidegate.toml:4:76: warning: route "/": lookup: targets "fd00::1/8:1-9" is read as the network fd00::/8; write fd00::/8 there, or fd00::1 if only that address is meant
    "#);
    let listener = |top: &str, keys: &str| {
        found_in(&format!(
            "{top}[[listener]]\naddress = '192.0.2.1:80'\n{keys}\n[[route]]\npath = '/'\nbackend = 'echo:'\norigins = []"
        ))
    };
    let of_listeners = [
        listener("", "tls_timeout = 5"),
        listener("", "server_names = []"),
        listener("", "trusted_proxies = ['10.0.0.0/8', '10.1.2.3/8', '::1', 'fd00::5/64', 'unix:']"),
        listener("max_connections = 100\nmax_connections_per_client = 200\nmax_handshakes = 300\n", ""),
    ];
    insta::assert_snapshot!(of_listeners.concat(), @r#"
    tidegate.toml:3:15: warning: listener "192.0.2.1:80": tls_timeout has no effect without tls; set tls, or leave it out
    tidegate.toml:3:16: warning: listener "192.0.2.1:80": server_names is an empty list: every request is answered with 421; name the hosts that are served, or leave it out for any
    tidegate.toml:3:34: warning: listener "192.0.2.1:80": trusted_proxies "10.1.2.3/8" is read as the network 10.0.0.0/8; write 10.0.0.0/8 there, or 10.1.2.3 if only that address is meant
    tidegate.toml:3:55: warning: listener "192.0.2.1:80": trusted_proxies "fd00::5/64" is read as the network fd00::/64; write fd00::/64 there, or fd00::5 if only that address is meant
    tidegate.toml:2:30: warning: max_connections_per_client 200 has no effect: max_connections is 100; write less than 100, or raise max_connections
    tidegate.toml:3:18: warning: max_handshakes 300 has no effect: max_connections is 100; write less than 100, or raise max_connections
    "#);
    for (backend, keys) in [
        ("echo:", "ping_interval = 0\nping_timeout = 0"),
        ("echo:", "ping_interval = 0"),
        ("ws://a", "auth = { kind = 'forward', url = 'http://a/', timeout = 5 }"),
        ("handoff:unix:/a", "connect_timeout = 5\nmax_pending = 5"),
    ] {
        assert_eq!(found_about(backend, keys), "", "{backend} {keys}");
    }
    let several = "backend = ['tcp://a:1', 'tcp://b:1']\nbalance = 'hash'\ndisable_time = 5";
    assert_eq!(found_in(&format!("[[route]]\npath = '/'\norigins = []\n{several}")), "");
}

#[test]
fn a_route_for_a_host_that_every_listener_refuses_is_warned_about() {
    let found = |names: &[&str], host: &str| {
        let listener = |(port, names): (usize, &&str)| {
            format!("[[listener]]\naddress = '192.0.2.1:{port}'\n{names}\n", port = port + 1)
        };
        let listeners: String = names.iter().enumerate().map(listener).collect();
        found_in(&format!(
            "{listeners}[[route]]\nhost = '{host}'\npath = '/'\nbackend = 'echo:'\norigins = []\n"
        ))
    };
    let own = "server_names = ['A.test', 'b.test']";
    insta::assert_snapshot!(
        [found(&[own], "c.test"), found(&[own, own], "*.a.test")].concat(),
        @r#"
    tidegate.toml:4:1: warning: route "/" can never be reached: no listener has its host, c.test, in server_names; add it there, or correct host
    tidegate.toml:7:1: warning: route "/" can never be reached: no listener has its host, *.a.test, in server_names; add it there, or correct host
    "#);
    for (names, host) in [(&[own][..], "B.test"), (&[own], "*.test"), (&[own, ""], "c.test")] {
        assert_eq!(found(names, host), "", "{names:?} {host}");
    }
}
