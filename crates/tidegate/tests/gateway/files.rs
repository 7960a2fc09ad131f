//! Static files, as far as they are decided here.

use tidegate_testkit::{Gateway, Head, Request};

use crate::rig::gateway;

fn ask(gateway: &Gateway, request: Request) -> (Head, Vec<u8>) {
    let mut client = gateway.connect();
    client.send(request.with("Connection", "close").encode());
    (client.read_head(), client.read_to_end().0)
}

#[test]
fn t223_t224_t225_t226_t230_files_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::write(root.join("a.txt"), "0123456789").unwrap();
    std::fs::create_dir(root.join("sub")).unwrap();
    std::fs::write(root.join("sub/index.html"), "<p>sub").unwrap();
    std::fs::write(root.join(".htpasswd"), "secret").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", root.join("passwd")).unwrap();
    let gateway = gateway().route("/files/*", &format!("file:{}", root.display()), "").start();
    let get = |path: &str| ask(&gateway, Request::get(path));

    let (head, body) = get("/files/a.txt");
    assert_eq!((head.status(), &body[..]), (200, &b"0123456789"[..]));
    assert_eq!(get("/files/sub/").1, b"<p>sub");
    let (head, _) = get("/files/sub");
    assert_eq!((head.status(), head.field("Location")), (307, Some("/files/sub/")));
    for path in ["/files/.htpasswd", "/files/passwd", "/files/none", "/files/a.txt/x", "/files/"] {
        assert_eq!(get(path).0.status(), 404, "{path}");
    }
    for path in ["/files/../a.txt", "/files/%2e%2e/a", "/files/..%2fa", "/files/%5c..", "/files/%00"] {
        assert_eq!(get(path).0.status(), 400, "{path}");
    }
    let delete = Request::get("/files/a.txt").line("DELETE /files/a.txt HTTP/1.1");
    let (head, _) = ask(&gateway, delete);
    assert_eq!((head.status(), head.field("Allow")), (405, Some("GET, HEAD")));
    gateway.finish();
}

/// A range is served of one range only, and never of a file that may be another by now.
#[test]
fn t228_ranges() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.txt"), "0123456789").unwrap();
    let gateway = gateway().route("/*", &format!("file:{}", folder.path().display()), "").start();
    let get = |fields: &[(&str, &str)]| {
        ask(
            &gateway,
            fields.iter().fold(Request::get("/a.txt"), |request, (name, value)| request.with(name, value)),
        )
    };
    let (head, body) = get(&[("Range", "bytes=2-4")]);
    assert_eq!(
        (head.status(), &body[..], head.field("Content-Range")),
        (206, &b"234"[..], Some("bytes 2-4/10"))
    );
    let (head, _) = get(&[("Range", "bytes=20-")]);
    assert_eq!((head.status(), head.field("Content-Range")), (416, Some("bytes */10")));
    for fields in [
        &[("Range", "bytes=0-1,4-5")][..],
        &[("Range", "bytes=2-4"), ("If-Range", "\"another\"")],
        &[("Range", "bytes=2-4"), ("If-Range", "Thu, 01 Jan 1970 00:00:00 GMT")],
    ] {
        let (head, body) = get(fields);
        assert_eq!((head.status(), &body[..]), (200, &b"0123456789"[..]), "{fields:?}");
    }
    let (head, _) = get(&[]);
    let since = head.field("Last-Modified").unwrap().to_owned();
    let (head, body) = get(&[("If-Modified-Since", &since)]);
    assert_eq!((head.status(), &body[..], head.field("Vary")), (304, &b""[..], Some("accept-encoding")));
    gateway.finish();
}
