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
    for range in ["lines=0-1", "bytes=4-2", "bytes=a-b", "bytes"] {
        assert_eq!(get(&[("Range", range)]).0.status(), 200, "{range}");
    }
    assert_eq!(get(&[("Range", "bytes=2-4"), ("Range", "bytes=5-6")]).0.status(), 200, "which of the two");
    for (range, part, told) in [
        ("bytes=2-99999999999999999999", "23456789", "bytes 2-9/10"),
        ("bytes=2-100", "23456789", "bytes 2-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=-100", "0123456789", "bytes 0-9/10"),
        ("bytes=-99999999999999999999", "0123456789", "bytes 0-9/10"),
        ("Bytes=0-0", "0", "bytes 0-0/10"),
    ] {
        let (head, body) = get(&[("Range", range)]);
        assert_eq!((head.status(), &body[..]), (206, part.as_bytes()), "{range}");
        assert_eq!(head.field("Content-Range"), Some(told), "{range}");
    }
    for range in ["bytes=-0", "bytes=99999999999999999999-"] {
        let (head, _) = get(&[("Range", range)]);
        assert_eq!((head.status(), head.field("Content-Range")), (416, Some("bytes */10")), "{range}");
    }
    std::fs::write(folder.path().join("empty"), "").unwrap();
    for range in ["bytes=0-", "bytes=0-5", "bytes=-5"] {
        let (head, body) = ask(&gateway, Request::get("/empty").with("Range", range));
        assert_eq!((head.status(), body.len(), head.field("Content-Range")), (200, 0, None), "{range}");
    }
    let (head, _) = get(&[]);
    let since = head.field("Last-Modified").unwrap().to_owned();
    let (head, body) = get(&[("If-Modified-Since", &since)]);
    assert_eq!((head.status(), &body[..], head.field("Vary")), (304, &b""[..], Some("accept-encoding")));
    gateway.finish();
}

/// What lies packed beside a file is served in its place, and so has to be what the file has to be.
#[test]
fn t224_packed_files_lie_below_the_folder_too() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for name in ["good.txt", "linked.txt", "piped.txt", "index.html"] {
        std::fs::write(root.join(name), "plain").unwrap();
    }
    std::fs::write(root.join("good.txt.gz"), "packed").unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret"), root.join("linked.txt.gz")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret"), root.join("linked.txt.br")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret"), root.join("index.html.br")).unwrap();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, root.join("piped.txt.gz"), mode).unwrap();
    let gateway = gateway().route("/*", &format!("file:{}", root.display()), "").start();
    let get = |path: &str| ask(&gateway, Request::get(path).with("Accept-Encoding", "br, gzip"));
    let (head, body) = get("/good.txt");
    assert_eq!((head.field("Content-Encoding"), &body[..]), (Some("gzip"), &b"packed"[..]));
    assert_eq!(head.field("Vary").map(str::to_ascii_lowercase).as_deref(), Some("accept-encoding"));
    for path in ["/linked.txt", "/piped.txt", "/"] {
        let (head, body) = get(path);
        let answer = (head.status(), head.field("Content-Encoding"), &body[..]);
        assert_eq!(answer, (200, None, &b"plain"[..]), "{path}");
    }
    gateway.finish();
}

/// Conditions that nobody can read are none: the file is served.
#[test]
fn t229_conditions_that_cannot_be_read_are_ignored() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.txt"), "0123456789").unwrap();
    let gateway = gateway().route("/files/*", &format!("file:{}", folder.path().display()), "").start();
    let long = "x".repeat(8_000);
    for name in ["If-Modified-Since", "If-Unmodified-Since", "If-Range"] {
        for value in [&long, "", "yesterday", "Thu, 99 Nov 9999 99:99:99 GMT", "-1"] {
            let (head, body) = ask(&gateway, Request::get("/files/a.txt").with(name, value));
            assert_eq!((head.status(), &body[..]), (200, &b"0123456789"[..]), "{name}: {value}");
        }
    }
    let (head, _) = ask(&gateway, Request::get("/files/a.txt").with("If-None-Match", &long));
    assert_eq!(head.status(), 200);
    gateway.finish();
}
