//! What is served: every path upgrades, the same paths are files, with and without TLS on one port.

use std::process::Command;

use tidegate_testkit::{Backend, Frame, Gateway, Request, opcode};

use crate::rig::{ANY_PORT, Place, ask, open, talk, upgrade};

#[test]
fn any_path_from_any_site_reaches_the_target() {
    let (place, backend) = (Place::new(), Backend::bind());
    let gateway = place.start(&format!("{ANY_PORT} {}", backend.address()));
    for target in ["/", "/websockify", "/a/b?token=x"] {
        let (mut client, mut far) = open(gateway.connect(), &upgrade(target), &backend);
        talk(&mut client, &mut far);
        client.send_frame(&Frame::close(1000, "").masked());
        far.expect_fin();
        far.finish();
        client.expect_close(1000);
    }
    let without_origin = upgrade("/").without("Origin");
    drop(open(gateway.connect(), &without_origin, &backend));
}

#[test]
fn the_subcommand_does_the_same() {
    let backend = Backend::bind();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["websockify", "-v", ANY_PORT, &backend.address().to_string()]);
    let gateway = Gateway::run(command);
    let (mut client, mut far) = open(gateway.connect(), &upgrade("/"), &backend);
    talk(&mut client, &mut far);
}

#[test]
fn a_target_that_is_down_is_a_502_and_no_open_websocket() {
    let place = Place::new();
    let gateway = place.start(&format!("{ANY_PORT} {}", Backend::refusing()));
    assert_eq!(
        ask(&gateway, &upgrade("/").without("Connection").with("Connection", "Upgrade")).0.status(),
        502
    );
}

#[test]
fn a_frame_may_have_any_size() {
    let (place, backend) = (Place::new(), Backend::bind());
    let gateway = place.start(&format!("{ANY_PORT} {}", backend.address()));
    let (mut client, mut far) = open(gateway.connect(), &upgrade("/"), &backend);
    let payload = vec![7; 3 << 20];
    let frame = Frame::binary(&payload).masked().encode();
    std::thread::scope(|scope| {
        scope.spawn(|| client.send(frame));
        assert!(far.read_exact(payload.len()) == payload, "not what was sent");
    });
}

#[test]
fn web_serves_files_and_lists_folders_on_the_same_port() {
    let (place, backend) = (Place::new(), Backend::bind());
    std::fs::create_dir_all(place.path().join("web/sub")).unwrap();
    place.write("web/vnc.html", "<p>vnc");
    for (options, listing) in [("--web web", 200), ("--web=web --file-only", 404)] {
        let gateway = place.start(&format!("{options} {ANY_PORT} {}", backend.address()));
        let (head, body) = ask(&gateway, &Request::get("/vnc.html"));
        assert_eq!((head.status(), body.as_str()), (200, "<p>vnc"));
        assert_eq!(ask(&gateway, &Request::get("/sub/")).0.status(), listing, "{options}");
        let post = Request::get("/vnc.html").line("POST /vnc.html HTTP/1.1").with("Content-Length", "0");
        assert_eq!(ask(&gateway, &post).0.status(), 405);
        let (mut client, mut far) = open(gateway.connect(), &upgrade("/vnc.html"), &backend);
        talk(&mut client, &mut far);
    }
}

/// As plain requests for the same paths are.
#[test]
fn an_upgrade_is_not_redirected_or_compressed() {
    let (place, backend) = (Place::new(), Backend::bind());
    std::fs::create_dir_all(place.path().join("web/sub")).unwrap();
    place.write("web/page.html", "plain");
    place.write("web/page.html.gz", "packed");
    let gateway = place.start(&format!("--web web {ANY_PORT} {}", backend.address()));
    let packed = |request: Request| request.with("Accept-Encoding", "gzip, br");
    assert_eq!(ask(&gateway, &packed(Request::get("/sub"))).0.status(), 307);
    let head = ask(&gateway, &packed(Request::get("/page.html"))).0;
    assert_eq!(head.field("Content-Encoding"), Some("gzip"));
    for path in ["/sub", "/page.html"] {
        let mut client = gateway.connect();
        client.send(packed(upgrade(path)).encode());
        let mut far = backend.accept();
        let head = client.read_head();
        let fields = ["Location", "Content-Encoding", "Content-Length"].map(|name| head.field(name));
        assert_eq!((head.status(), fields), (101, [None; 3]), "{path}");
        talk(&mut client, &mut far);
    }
}

#[test]
fn a_certificate_that_is_missing_means_plain_connections_only() {
    let (place, backend) = (Place::new(), Backend::bind());
    let gateway = place.start(&format!("--cert none.pem {ANY_PORT} {}", backend.address()));
    gateway.diagnosis("listening on http://");
    drop(open(gateway.connect(), &upgrade("/"), &backend));
}

#[test]
fn without_web_no_page_is_served() {
    let (place, backend) = (Place::new(), Backend::bind());
    let gateway = place.start(&format!("{ANY_PORT} {}", backend.address()));
    let (head, _) = ask(&gateway, &Request::get("/"));
    assert_eq!((head.status(), head.field("Allow")), (405, Some("")));
    backend.assert_untouched();
}

#[test]
fn versions_of_drafts_are_told_which_one_is_served() {
    let (place, backend) = (Place::new(), Backend::bind());
    let gateway = place.start(&format!("{ANY_PORT} {}", backend.address()));
    for version in ["7", "8", "6"] {
        let mut client = gateway.connect();
        client.send(upgrade("/").set("Sec-WebSocket-Version", version).encode());
        let (head, _) = client.read_response();
        assert_eq!((head.status(), head.field("Sec-WebSocket-Version")), (426, Some("13")), "{version}");
    }
    backend.assert_untouched();
}

#[test]
fn a_heartbeat_is_a_ping_that_needs_no_answer() {
    let (place, backend) = (Place::new(), Backend::bind());
    let gateway = place.start(&format!("--heartbeat 1 {ANY_PORT} {}", backend.address()));
    let (mut client, mut far) = open(gateway.connect(), &upgrade("/"), &backend);
    for _ in 0..2 {
        assert_eq!(client.read_frame().opcode, opcode::PING);
    }
    talk(&mut client, &mut far);
}

#[test]
fn text_is_refused_with_1003_and_nothing_of_it_reaches_the_target() {
    let (place, backend) = (Place::new(), Backend::bind());
    let gateway = place.start(&format!("{ANY_PORT} {}", backend.address()));
    let (mut client, mut far) = open(gateway.connect(), &upgrade("/"), &backend);
    let frames = [Frame::binary("good"), Frame::text("bad"), Frame::binary("late")];
    client.send(frames.map(|frame| frame.masked().encode()).concat());
    client.expect_close_frame(1003);
    assert_eq!(far.read_to_fin(), b"good");
}

#[test]
fn what_is_not_done_is_said() {
    let (place, backend) = (Place::new(), Backend::bind());
    let options = "--libserver --ssl-ciphers ALL --ssl-version tlsv1_2";
    let gateway = place.start(&format!("{options} {ANY_PORT} {}", backend.address()));
    for option in ["--libserver has no meaning", "--ssl-ciphers is not used"] {
        gateway.diagnosis(option);
    }
    let (mut client, mut far) = open(gateway.connect(), &upgrade("/"), &backend);
    talk(&mut client, &mut far);
}
