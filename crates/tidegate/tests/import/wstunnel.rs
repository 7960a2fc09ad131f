//! mod_wstunnel: keys, origins and the rest, translated and served.

use tidegate_testkit::{Backend, Frame, Gateway, Request, opcode};

use crate::run::{fixture, text};

#[test]
fn each_directive_is_accounted_for() {
    let import = fixture("wstunnel.conf");
    insta::assert_snapshot!(import.report);
    insta::assert_snapshot!(import.checked());
}

fn serve(backend: &Backend, lines: &str) -> Gateway {
    let port = backend.address().port();
    let host = format!("( ( \"host\" => \"127.0.0.1\", \"port\" => {port} ) )");
    text(&format!("server.port = 8080\nserver.bind = \"localhost\"\n{}", lines.replace("HOST", &host)))
        .served()
}

/// The status of an upgrade; where it is 101, the backend has its connection.
fn status(gateway: &Gateway, backend: &Backend, request: &Request) -> u16 {
    let mut client = gateway.connect();
    client.send(request.encode());
    let status = client.read_head().status();
    if status == 101 {
        drop(backend.accept());
    }
    status
}

/// A key is a prefix, wherever a segment ends, or a suffix of the path.
#[test]
fn keys() {
    let backend = Backend::bind();
    let gateway =
        serve(&backend, "wstunnel.server = ( \"/vnc\" => HOST, \"/sub/\" => HOST, \".ws\" => HOST )");
    for (path, expected) in [
        ("/vnc", 101),
        ("/vnc/1", 101),
        ("/vncs", 101),
        ("/sub/x", 101),
        ("/sub", 404),
        ("/any/room.ws", 101),
        ("/any/room.wss", 404),
        ("/", 404),
    ] {
        assert_eq!(status(&gateway, &backend, &Request::upgrade(path)), expected, "{path}");
    }
}

/// An entry is the whole origin, or what it ends with behind a dot.
#[test]
fn origins_at_the_boundary() {
    let backend = Backend::bind();
    let lines = "wstunnel.server = ( \"\" => HOST )\n\
                 wstunnel.origins = ( \"https://exact.test\", \"example.com\", \"port.test:8443\" )";
    let gateway = serve(&backend, lines);
    for (origin, expected) in [
        ("https://exact.test", 101),
        ("http://exact.test", 403),
        ("https://www.exact.test", 403),
        ("https://example.com", 403),
        ("https://evil-example.com", 403),
        ("https://a.example.com", 101),
        ("http://a.b.example.com", 101),
        ("https://x.example.com:8443", 403),
        ("https://x.port.test:8443", 101),
        ("https://x.port.test", 403),
        ("null", 403),
    ] {
        let request = Request::upgrade("/").set("Origin", origin);
        assert_eq!(status(&gateway, &backend, &request), expected, "{origin}");
    }
    assert_eq!(status(&gateway, &backend, &Request::upgrade("/").without("Origin")), 403);
}

#[test]
fn without_a_list_everybody_is_let_in() {
    let backend = Backend::bind();
    let gateway = serve(&backend, "wstunnel.server = ( \"\" => HOST )");
    for request in
        [Request::upgrade("/").without("Origin"), Request::upgrade("/").set("Origin", "https://any.test")]
    {
        assert_eq!(status(&gateway, &backend, &request), 101);
    }
}

#[test]
fn frame_types_and_the_subprotocol() {
    const FIELD: &str = "Sec-WebSocket-Protocol";
    for (frame_type, offer, answer, kind) in [
        ("binary", "base64", None, opcode::BINARY),
        ("BINARY", "base64, binary", Some("binary"), opcode::BINARY),
        ("text", "base64", None, opcode::TEXT),
        ("text", "base64, binary", Some("binary"), opcode::BINARY),
        ("x", "chat", None, opcode::TEXT),
    ] {
        let backend = Backend::bind();
        let lines = format!("wstunnel.server = ( \"\" => HOST )\nwstunnel.frame-type = \"{frame_type}\"");
        let gateway = serve(&backend, &lines);
        let mut client = gateway.connect();
        client.send(Request::upgrade("/").with(FIELD, offer).encode());
        let mut far = backend.accept();
        assert_eq!(client.read_head().field(FIELD), answer);
        far.send("bytes");
        let frame = client.read_frame();
        assert_eq!((frame.opcode, frame.payload.as_slice()), (kind, &b"bytes"[..]), "{frame_type}, {offer}");
        client.send_frame(&Frame::binary("back").masked());
        assert_eq!(far.read_exact(4), b"back");
    }
}

/// A later block that is true as well wins, directive by directive.
#[test]
fn blocks_that_overlap() {
    let backend = Backend::bind();
    let lines = "wstunnel.server = ( \"\" => HOST )\n\
                 wstunnel.origins = ( \"https://one.test\" )\n\
                 $HTTP[\"host\"] == \"a.test\" { wstunnel.origins = ( \"https://two.test\" ) }\n\
                 $HTTP[\"url\"] =~ \"^/guest\" { wstunnel.origins = ( \"https://three.test\" ) }";
    let gateway = serve(&backend, lines);
    for (host, path, origin) in [
        ("b.test", "/", "https://one.test"),
        ("a.test", "/", "https://two.test"),
        ("b.test", "/guest", "https://three.test"),
        ("a.test", "/guest", "https://three.test"),
    ] {
        for (other, expected) in ["https://one.test", "https://two.test", "https://three.test"]
            .map(|other| (other, if other == origin { 101 } else { 403 }))
        {
            let request = Request::upgrade(path).set("Host", host).set("Origin", other);
            assert_eq!(status(&gateway, &backend, &request), expected, "{host} {path} {other}");
        }
    }
}

#[test]
fn balancing() {
    let hosts = "( ( \"host\" => \"127.0.0.1\", \"port\" => 1, \"disable-time\" => 5 ), \
                 ( \"host\" => \"127.0.0.1\", \"port\" => 2 ) )";
    for (rule, kept) in [
        ("least-connection", "least-connections"),
        ("fair", "least-connections"),
        ("round-robin", "round-robin"),
        ("hash", "hash"),
        ("sticky", "sticky"),
        ("anything", "least-connections"),
    ] {
        let server = format!("wstunnel.server = ( \"\" => {hosts} )");
        let import = text(&format!("server.port = 8080\n{server}\nwstunnel.balance = \"{rule}\""));
        import.checked();
        for line in [&format!("balance = \"{kept}\""), "disable_time = \"5s\""] {
            assert!(import.text.lines().any(|found| found == line), "{rule}: {line}\n{}", import.text);
        }
        let verdict = if rule == "anything" { "translated, with a note" } else { "translated" };
        assert!(import.line("lighttpd.conf:3: wstunnel.balance").contains(verdict));
    }
}

#[test]
fn pings_and_silence() {
    for (lines, kept) in [
        ("", ["ping_interval = 0", "idle_timeout = \"60s\""]),
        ("server.max-read-idle = 0", ["ping_interval = 0", "idle_timeout = 0"]),
        ("wstunnel.ping-interval = 20", ["ping_interval = \"20s\"", "ping_timeout = \"60s\""]),
        ("wstunnel.ping-interval = 90", ["ping_interval = 0", "idle_timeout = \"60s\""]),
    ] {
        let server = "wstunnel.server = ( \"\" => ( ( \"host\" => \"127.0.0.1\", \"port\" => 1 ) ) )";
        let import = text(&format!("server.port = 8080\n{server}\n{lines}"));
        import.checked();
        for line in kept {
            assert!(import.text.lines().any(|found| found == line), "{lines}: {line}\n{}", import.text);
        }
    }
}

#[test]
fn options_that_are_forced_or_have_no_equivalent() {
    let options = "\"check-local\" => \"enable\", \"upgrade\" => 0, \"tcp-fin-propagate\" => 0,\n\"read-timeout\" => 0,\n\"write-timeout\" => 9";
    let import = text(&format!(
        "server.port = 8080\nwstunnel.server = ( \"\" => ( ( \"host\" => \"127.0.0.1\", \"port\" => 1, {options} ) ) )"
    ));
    import.checked();
    assert!(import.report.contains("a backend may be silent for as long as it likes"), "{}", import.report);
    for quiet in ["check-local", "\"upgrade\"", "tcp-fin-propagate", "read-timeout"] {
        assert!(!import.report.contains(quiet), "{quiet}: {}", import.report);
    }
}
