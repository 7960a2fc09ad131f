//! A guard stands before a path and a host, whatever way they are written.

use std::fs;

use tidegate_testkit::{Backend, Gateway, Request};

use crate::rig::gateway;

const GUARD: &str = "auth = { kind = 'basic', users = ['alice:$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'] }";

fn status(gateway: &Gateway, request: Request) -> u16 {
    let mut client = gateway.connect();
    client.send(request.with("Connection", "close").encode());
    let (head, body) = client.read_response();
    assert!(!body.contains("sesame"), "{body}");
    head.status()
}

/// Guarded routes with everything else open behind them, all of one folder.
#[test]
fn t055_a_guarded_path_has_one_form() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for name in ["private", "@team", "café", "a b"] {
        fs::create_dir(root.join(name)).unwrap();
        fs::write(root.join(name).join("t.txt"), "sesame").unwrap();
    }
    fs::write(root.join("admin.html"), "sesame").unwrap();
    fs::write(root.join("open.txt"), "for everybody").unwrap();
    let files = |name: &str| format!("file:{}", root.join(name).display());
    let gateway = gateway()
        .route("/private/*", &files("private"), GUARD)
        .route("/admin.html", &files(""), GUARD)
        .route("/@team/*", &files("@team"), GUARD)
        .route("/caf%c3%a9/*", &files("café"), GUARD)
        .route("~/a%20b/.*", &files(""), GUARD)
        .route("/*", &files(""), "")
        .start();
    for target in [
        "/private/t.txt",
        "//private/t.txt",
        "/private//t.txt",
        "///%70rivate///t.txt",
        "http://gw.test//private/t.txt",
        "/admin.html",
        "//admin.html",
        "/admin%2ehtml",
        "/@team/t.txt",
        "/%40team/t.txt",
        "/caf%C3%A9/t.txt",
        "/caf%c3%a9/t.txt",
        "/café/t.txt",
        "/c%61fé/t.txt",
        "/a%20b/t.txt",
        "//a%20b//t.txt",
    ] {
        assert_eq!(status(&gateway, Request::get(target)), 401, "{target}");
    }
    for (target, expected) in [
        ("/open.txt", 200),
        ("//open.txt", 200),
        ("/admin.html/", 404),
        ("/private/..;/t.txt", 400),
        ("/%2fprivate/t.txt", 400),
        ("/private%5ct.txt", 400),
    ] {
        assert_eq!(status(&gateway, Request::get(target)), expected, "{target}");
    }
    gateway.finish();
}

/// Servlets cut parameters off: who could be let past a guard by that is let in nowhere.
#[test]
fn t055_parameters_do_not_lead_past_a_guard() {
    let backend = Backend::bind();
    let http = backend.tcp().replace("tcp://", "http://");
    let gateway = gateway().route("/admin/*", &http, GUARD).route("/*", &http, "").start();
    for (target, expected) in [
        ("/admin/secret", 401),
        ("/admin/secret;x", 401),
        ("/admin;x/secret", 400),
        ("/admin%3bx/secret", 400),
        ("/admin;/secret", 400),
        ("/;x/admin/secret", 400),
        ("//;x//admin;y=z//secret", 400),
        ("/admin;x", 400),
    ] {
        assert_eq!(status(&gateway, Request::get(target)), expected, "{target}");
        let upgrade = Request::upgrade(target);
        let mut client = gateway.connect();
        client.send(upgrade.encode());
        assert_eq!(client.read_head().status(), expected, "{target}");
    }
    backend.assert_untouched();
    // Elsewhere they are the backend's, as everything is.
    let mut client = gateway.connect();
    client.send(Request::get("/shop;jsessionid=1/a;b").encode());
    let mut wire = backend.accept();
    assert_eq!(wire.read_head().target(), "/shop;jsessionid=1/a;b");
    wire.send("HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(client.read_head().status(), 204);
    drop((client, wire));
    gateway.finish();
}

/// What was matched is what a backend is asked for.
#[test]
fn t055_backends_are_asked_for_the_path_that_was_matched() {
    let backend = Backend::bind();
    let http = backend.tcp().replace("tcp://", "http://");
    let gateway =
        gateway().route("/ws/*", &backend.ws(), "").route("/base/*", &format!("{http}/b"), "").start();
    for (target, asked) in [("//ws//é?a=//", "/ws/%C3%A9?a=//"), ("/ws/%40%3b%3D%7e%7C", "/ws/@;=~%7C")] {
        let mut client = gateway.connect();
        client.send(Request::upgrade(target).encode());
        let (wire, head) = backend.accept_websocket();
        assert_eq!(head.target(), asked);
        assert_eq!(client.read_head().status(), 101);
        drop((client, wire));
    }
    let mut client = gateway.connect();
    client.send(Request::get("//base///{x}/").encode());
    let mut wire = backend.accept();
    assert_eq!(wire.read_head().target(), "/b/%7Bx%7D/");
    wire.send("HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(client.read_head().status(), 204);
    drop((client, wire));
    gateway.finish();
}

/// A dot behind the name makes another text and no other host.
#[test]
fn t078_a_host_with_a_dot_at_its_end_is_the_same_host() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.txt"), "sesame").unwrap();
    let files = format!("file:{}", folder.path().display());
    let gateway = gateway()
        .listener("server_names = ['admin.test', 'desk.admin.test', 'gw.test']")
        .route("/*", &files, &format!("host = 'admin.test'\n{GUARD}"))
        .route("/*", &files, &format!("host = '*.admin.test'\n{GUARD}"))
        .route("/echo", "echo:", "")
        .route("/none/*", &files, "")
        .start();
    for host in ["admin.test", "admin.test.", "ADMIN.Test.:80", "desk.admin.test", "desk.admin.test."] {
        assert_eq!(status(&gateway, Request::get("/t.txt").set("Host", host)), 401, "{host}");
        let absolute = format!("GET http://{host}/t.txt HTTP/1.1");
        assert_eq!(status(&gateway, Request::get("/").line(&absolute)), 401, "{absolute}");
    }
    for host in ["admin.test..", ".", "..", ".:80"] {
        assert_eq!(status(&gateway, Request::get("/t.txt").set("Host", host)), 400, "{host}");
    }
    // A page that was itself asked for with the dot.
    let mut client = gateway.connect();
    client.send(Request::upgrade("/echo").set("Host", "gw.test.").set("Origin", "http://gw.test.").encode());
    assert_eq!(client.read_head().status(), 101);
    drop(client);
    gateway.finish();
}
