//! Who may ask what.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;

use tidegate_testkit::{Authority, Frame, Request, Wire, eventually};

use super::{ADMIN, address, ask, get, request, status};
use crate::rig::{Rig, gateway};

#[test]
fn it_says_whether_it_lives_and_whether_it_takes_connections() {
    let mut gateway = gateway().top(ADMIN).top("drain = '10m'").route("/echo", "echo:", "").start();
    assert_eq!(ask(&gateway, &request("GET", "/healthz")).1, "ok\n");
    assert_eq!(ask(&gateway, &request("GET", "/readyz")).1, "ready\n");
    let mut client = gateway.open("/echo");
    gateway.terminate();
    client.expect_close_frame(1001);
    let (head, body) = ask(&gateway, &request("GET", "/readyz"));
    assert_eq!(
        (head.status(), body.as_str()),
        (503, "draining\n"),
        "while it drains there is still somebody to ask"
    );
    assert_eq!(status(&gateway, &request("GET", "/healthz")), 200);
    assert_eq!(super::scrape(&gateway).value("tidegate_draining"), 1.0);
    client.send_frame(&Frame::close(1001, "").masked());
    assert_eq!(gateway.wait().code(), Some(0));
}

#[test]
fn t239_a_page_whose_name_points_here_is_not_let_in() {
    let gateway =
        gateway().top(ADMIN).top("admin_names = ['Ops.example.com']").route("/echo", "echo:", "").start();
    let port = address(&gateway).port();
    let called = |host: &str| status(&gateway, &request("GET", "/readyz").set("Host", host));
    for host in ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "10.0.0.1", "ops.example.com"] {
        assert_eq!([called(host), called(&format!("{host}:{port}"))], [200, 200], "{host}");
    }
    for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "example.com", "", "a b"]
    {
        assert!([421, 400].contains(&called(host)), "{host}");
    }
    assert_eq!(status(&gateway, &request("GET", "/readyz").without("Host")), 421);
    assert_eq!(called("evil.example"), 421);
    let elsewhere = request("GET", "/readyz").line("GET http://evil.example/readyz HTTP/1.1");
    assert_eq!(status(&gateway, &elsewhere), 421, "what is asked for counts, not the field");
}

#[test]
fn paths_and_methods_that_are_not_there_say_so() {
    let gateway = gateway().top(ADMIN).route("/echo", "echo:", "").start();
    for path in ["/", "/metrics/", "/Metrics", "/../metrics", "/routes/x"] {
        assert_eq!(status(&gateway, &request("GET", path)), 404, "{path}");
    }
    let (head, body) = ask(&gateway, &request("POST", "/metrics"));
    assert_eq!((head.status(), head.field("Allow")), (405, Some("GET, HEAD")), "{body}");
    for method in ["OPTIONS", "PUT", "TRACE", "BREW"] {
        let (head, _) = ask(&gateway, &request(method, "/metrics"));
        assert_eq!(head.status(), 405, "{method}");
        assert_eq!(head.field("Access-Control-Allow-Origin"), None, "nobody else's page may ask");
    }
    assert_eq!(
        status(&gateway, &request("GET", "/metrics?page=1")),
        400,
        "what is not understood is not ignored"
    );
    let mut wire = Wire::connect(address(&gateway));
    wire.send(request("HEAD", "/metrics").with("Connection", "close").encode());
    let head = wire.read_head();
    assert_eq!(head.status(), 200);
    assert!(head.field("Content-Length").unwrap().parse::<usize>().unwrap() > 1000);
    assert_eq!(wire.read_to_fin(), b"");
}

#[test]
fn a_token_is_asked_for_everywhere_but_for_health() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "correct-horse-battery\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let token = format!("admin_token_file = {:?}", file.display().to_string());
    let gateway = gateway().top("admin = '0.0.0.0:0'").top(&token).route("/echo", "echo:", "").start();
    let port = address(&gateway).port();
    let ask = |request: &Request| {
        let mut wire = Wire::connect(([127, 0, 0, 1], port).into());
        wire.send(request.clone().with("Connection", "close").encode());
        wire.read_response().0
    };
    let with = |value: &str| request("GET", "/metrics").with("Authorization", value);
    assert_eq!(ask(&with("Bearer correct-horse-battery")).status(), 200);
    assert_eq!(ask(&with("bearer  correct-horse-battery")).status(), 200);
    for wrong in [
        "Bearer correct-horse-batter",
        "Bearer correct-horse-batteryy",
        "Bearer ",
        "Bearer",
        "Basic correct-horse-battery",
        "correct-horse-battery",
        "",
    ] {
        let head = ask(&with(wrong));
        assert_eq!(head.status(), 401, "{wrong:?}");
        assert_eq!(head.field("WWW-Authenticate"), Some("Bearer realm=\"tidegate admin\""));
    }
    for path in ["/metrics", "/routes", "/openapi.json", "/", "/no-such-path"] {
        assert_eq!(ask(&request("GET", path)).status(), 401, "{path}");
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(ask(&request("GET", path)).status(), 200, "{path}");
    }
}

/// Nobody has to be sent away for it: what stands in the file counts, unless it is no token.
#[test]
fn a_token_that_changes_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let write = |token: &str| {
        let new = folder.path().join("new");
        std::fs::write(&new, token).unwrap();
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::rename(new, &file).unwrap();
    };
    write("the-first-token-of-all");
    let token = format!("admin_token_file = {:?}", file.display().to_string());
    let gateway = gateway().top(ADMIN).top(&token).route("/echo", "echo:", "").start();
    let with = |token: &str| {
        status(&gateway, &request("GET", "/routes").with("Authorization", format!("Bearer {token}")))
    };
    assert_eq!(with("the-first-token-of-all"), 200);
    write("a-second-token-after-it");
    eventually("the second counts", || (with("a-second-token-after-it") == 200).then_some(()));
    assert_eq!(with("the-first-token-of-all"), 401);
    write("short");
    eventually("it is looked at", || {
        assert_eq!(with("a-second-token-after-it"), 200);
        gateway.diagnosis_so_far().iter().any(|line| line.contains("holds no token")).then_some(())
    });
    assert_eq!(with("short"), 401);
    assert!(!gateway.diagnosis_so_far().iter().any(|line| line.contains("second-token")), "it is a secret");
}

#[test]
fn a_unix_socket_is_its_owner_s_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let mut gateway =
        gateway().top(&format!("admin = 'unix:{}'", path.display())).route("/echo", "echo:", "").start();
    gateway.diagnosis("admin listener on unix:");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let mut socket = UnixStream::connect(&path).unwrap();
    socket.write_all(b"GET /readyz HTTP/1.1\r\nHost: anything\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nready\n"), "{answer}");
    gateway.terminate();
    assert_eq!(gateway.wait().code(), Some(0));
    assert!(!path.exists(), "it takes its file along");
}

#[test]
fn a_client_certificate_is_asked_for_in_the_handshake() {
    let authority = Authority::new();
    let identity = authority.issue("127.0.0.1");
    let top = format!(
        "admin = '0.0.0.0:0'\nadmin_tls = {{ cert = {:?}, key = {:?} }}\nadmin_client_ca = {:?}",
        identity.cert(),
        identity.key(),
        authority.file()
    );
    let gateway = gateway().top(&top).route("/echo", "echo:", "").start();
    let address = ([127, 0, 0, 1], address(&gateway).port()).into();
    let ask = |config| {
        let mut wire = Wire::connect(address).secured_as_client(&config, "127.0.0.1");
        wire.send(request("GET", "/readyz").with("Connection", "close").encode());
        wire
    };
    let known = authority.client_as(&authority.issue("operator"));
    assert_eq!(ask(known).read_head().status(), 200);
    ask(authority.client()).expect_alert();
}

/// What others can reach asks for something, or is not served at all.
#[test]
fn t239_an_address_that_others_can_reach_needs_a_guard() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:9090", "unix:@tidegate-admin"] {
        let said = gateway().top(&format!("admin = '{address}'")).route("/echo", "echo:", "").refused();
        assert!(
            said.contains("can be reached by others, and asks for nothing; set admin_token_file"),
            "{said}"
        );
    }
}

/// The admin interface has one door: none of its paths is known to the listeners of clients.
#[test]
fn t239_the_admin_interface_is_not_reached_through_the_gateway() {
    let rig = Rig::with_top(ADMIN, "");
    for path in ["/metrics", "/healthz", "/readyz", "/routes", "/openapi.json"] {
        assert_eq!(rig.refused(&Request::get(path).set("Host", "127.0.0.1")).status(), 404, "{path}");
    }
}

/// Whoever holds connections open keeps others out for a bounded time, and the gateway's clients not at all.
#[test]
fn t239_connections_to_the_admin_listener_are_bounded() {
    let gateway = gateway().top(ADMIN).route("/echo", "echo:", "").start();
    let held: Vec<Wire> = (0..80).map(|_| Wire::connect(address(&gateway))).collect();
    let sockets = || gateway.sockets();
    eventually("64 of them are taken, and one is in hand", || (sockets() >= 64).then_some(()));
    assert!(sockets() < 64 + 20, "{}", sockets());
    let mut client = gateway.open("/echo");
    client.send_frame(&Frame::text("a").masked());
    assert_eq!(client.read_message().1, b"a");
    drop(held);
    assert_eq!(get(&gateway, "/routes")["routes"][0]["websockets_open"], 1);
}

/// Whoever reaches the admin listener can connect, and say nothing or only half of it: that keeps no probe and no operator
/// out, and not for a moment who is there and is served.
#[test]
fn t061_silent_connections_do_not_shut_the_admin_listener() {
    let gateway = gateway().top(ADMIN).route("/echo", "echo:", "").start();
    let mut served = Wire::connect(address(&gateway));
    let mut silent = Vec::new();
    for round in 0..10 {
        silent.extend((0..40).map(|number| {
            let mut wire = Wire::connect(address(&gateway));
            if number % 2 == 0 {
                wire.send("GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n");
            }
            wire
        }));
        assert_eq!(status(&gateway, &request("GET", "/readyz")), 200);
        served.send(request("GET", "/healthz").encode());
        assert_eq!(served.read_head().status(), 200, "round {round}");
        assert_eq!(served.read_exact("ok\n".len()), b"ok\n");
    }
    silent[0].read_to_end();
    drop((silent, served));
    gateway.finish();
}
