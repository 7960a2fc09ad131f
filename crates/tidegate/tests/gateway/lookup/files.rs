//! Tokens in files: `file`, `read-only-file`, `directory` and `unix-directory`.

use std::fs;
use std::os::unix::net::UnixListener;

use tidegate_testkit::{Backend, Gateway, Request, eventually};

use super::{ask, leads_to, refused, route, send};
use crate::rig::gateway;
use crate::timing;

/// A gateway with a route that looks tokens up in `source` below this folder.
fn looking(folder: &tempfile::TempDir, kind: &str, source: &str, more: &str) -> Gateway {
    let source = folder.path().join(source);
    gateway().tables(&route(&format!("kind = '{kind}', source = {source:?}{more}"))).start()
}

#[test]
fn f42_a_file_is_read_anew_for_each_look_up() {
    let (first, second) = (Backend::bind(), Backend::bind());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens");
    fs::write(&path, format!("# rooms\none: {}\n", first.address())).unwrap();
    let gateway = looking(&folder, "file", "tokens", "");
    leads_to(&gateway, "token=one", &first);
    refused(ask(&gateway, "token=two"), 403);
    fs::write(&path, format!("one: {}\nt wo:x: {}\n", second.address(), first.address())).unwrap();
    leads_to(&gateway, "token=one", &second);
    leads_to(&gateway, "path=x&token=t%20wo%3Ax", &first);
    fs::remove_file(&path).unwrap();
    refused(ask(&gateway, "token=one"), 502);
    gateway.finish();
}

#[test]
fn a_folder_is_all_files_in_it_and_a_read_only_file_is_read_once() {
    let (first, second) = (Backend::bind(), Backend::bind());
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    fs::create_dir_all(tokens.join("below")).unwrap();
    fs::write(tokens.join("a"), format!("one: {}\n", first.address())).unwrap();
    fs::write(tokens.join("b"), format!("two: {}\n", second.address())).unwrap();
    fs::write(tokens.join("below/c"), format!("three: {}\n", second.address())).unwrap();
    let (anew, once) =
        (looking(&folder, "file", "tokens", ""), looking(&folder, "read-only-file", "tokens", ""));
    fs::write(tokens.join("b"), format!("two: {}\n", first.address())).unwrap();
    for (gateway, two) in [(anew, &first), (once, &second)] {
        leads_to(&gateway, "token=one", &first);
        leads_to(&gateway, "token=two", two);
        refused(ask(&gateway, "token=three"), 403);
        gateway.finish();
    }
}

#[test]
fn t233_a_bad_line_is_passed_over_and_named_once() {
    let backend = Backend::bind();
    let folder = tempfile::tempdir().unwrap();
    let text = format!("secret-token:{0}\none: {0}\nempty:\nnowhere: not-a-target\n", backend.address());
    fs::write(folder.path().join("tokens"), text).unwrap();
    let gateway = looking(&folder, "file", "tokens", "");
    leads_to(&gateway, "token=one", &backend);
    refused(ask(&gateway, "token=secret-token"), 403);
    refused(ask(&gateway, "token=nowhere"), 502);
    assert!(!gateway.diagnosis("tokens:1: is not TOKEN").contains("secret-token"));
    gateway.finish();
}

/// Each of these is answered as a wrong token is, and no file outside of the folder is read.
#[test]
fn t231_hostile_tokens() {
    let backend = Backend::bind();
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("tokens/below")).unwrap();
    fs::write(folder.path().join("outside"), backend.address().to_string()).unwrap();
    fs::write(folder.path().join("tokens/inside"), backend.address().to_string()).unwrap();
    fs::write(folder.path().join("list"), format!("inside: {}\n", backend.address())).unwrap();
    let long = format!("token={}", "a".repeat(7000));
    for (kind, source) in [("directory", "tokens"), ("file", "list"), ("unix-directory", "tokens")] {
        let gateway = looking(&folder, kind, source, "");
        for query in [
            "token=..%2Foutside",
            "token=../../etc/shadow",
            "token=..%2f..%2f..%2f..%2fetc%2fshadow",
            "token=a%0Ab:%20host:22",
            "token=below",
            "token=",
            "token",
            "",
            "Token=inside",
            "token=%FF%FE",
            "token=*",
            "token=in*",
            "token=inside%00",
            "token=.",
            "token=..",
            "token=%2F",
            &long,
        ] {
            let (head, body) = refused(ask(&gateway, query), 403);
            assert_eq!(body, "403 Forbidden: nothing is served for the token of this request\n", "{query}");
            assert_eq!(head.status(), 403);
        }
        refused(ask(&gateway, &format!("token={}", "a".repeat(10_000))), 414);
        backend.assert_untouched();
        gateway.finish();
    }
    let gateway = looking(&folder, "directory", "tokens", "");
    leads_to(&gateway, "token=inside", &backend);
    gateway.finish();
}

#[test]
fn a_directory_of_unix_sockets() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("vnc/alice")).unwrap();
    let listening = UnixListener::bind(folder.path().join("vnc/alice/0")).unwrap();
    let _outside = UnixListener::bind(folder.path().join("outside")).unwrap();
    std::os::unix::fs::symlink("../outside", folder.path().join("vnc/escape")).unwrap();
    let gateway = looking(&folder, "unix-directory", "vnc", "");
    let mut client = ask(&gateway, "token=alice/0");
    assert_eq!(client.read_head().status(), 101);
    listening.accept().unwrap();
    drop(client);
    for query in ["token=escape", "token=..%2Foutside", "token=alice", "token=alice/1"] {
        refused(ask(&gateway, query), 403);
    }
    gateway.finish();
}

/// A pipe would hold up whoever opens it.
#[test]
fn t224_what_is_no_file_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    fs::create_dir(&tokens).unwrap();
    let pipe = std::process::Command::new("mkfifo").arg(tokens.join("pipe")).status().unwrap();
    assert!(pipe.success());
    std::os::unix::fs::symlink("/dev/zero", tokens.join("zero")).unwrap();
    for kind in ["directory", "file"] {
        let gateway = looking(&folder, kind, "tokens", "");
        for token in ["pipe", "zero"] {
            refused(ask(&gateway, &format!("token={token}")), 403);
        }
        gateway.finish();
    }
}

#[test]
fn the_token_may_be_the_host_or_a_field() {
    let backend = Backend::bind();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tokens"), format!("room.test: {}\n", backend.address())).unwrap();
    let by_host = looking(&folder, "file", "tokens", ", key = 'host'");
    let mut client =
        send(&by_host, &Request::upgrade("/vnc").set("Host", "room.test:8080").without("Origin"));
    let _far = backend.accept();
    assert_eq!(client.read_head().status(), 101);
    refused(ask(&by_host, "token=room.test"), 403);
    let by_field = looking(&folder, "file", "tokens", ", key = 'header:X-Room'");
    let mut client = send(&by_field, &Request::upgrade("/vnc").set("X-Room", "room.test"));
    let _far = backend.accept();
    assert_eq!(client.read_head().status(), 101);
    refused(send(&by_field, &Request::upgrade("/vnc").set("X-Room", "room.test\r\nX-Room: room.test")), 403);
}

/// Neither what the operator reads nor what the client is told has the token, wherever it stood.
#[test]
fn t235_no_log_has_a_token() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tokens"), "s3cr3t: 127.0.0.1:0\ns3cr3t.test: 127.0.0.1:0\n").unwrap();
    let by_query = looking(&folder, "file", "tokens", "");
    let by_host = looking(&folder, "file", "tokens", ", key = 'host'");
    let requests = [
        (&by_query, Request::upgrade("/vnc?token=s3cr3t")),
        (&by_host, Request::upgrade("/vnc").set("Host", "s3cr3t.test").without("Origin")),
    ];
    for (gateway, request) in requests {
        let (_, body) = refused(send(gateway, &request), 502);
        assert!(!body.contains("s3cr3t"), "{body}");
        let line = gateway.access_line(|line| line["status"] == 502);
        assert!(!line.to_string().contains("s3cr3t"), "{line}");
        assert_eq!(line["route"], "vnc");
        assert_eq!(line["reason"], "the look-up answers with something that is no target");
    }
    let (_, body) = refused(ask(&by_query, "token=unkn0wn"), 403);
    assert!(!body.contains("unkn0wn"), "{body}");
    let line = by_query.access_line(|line| line["status"] == 403);
    assert!(!line.to_string().contains("unkn0wn"), "{line}");
}

/// A token that is wrong in its last byte, and one that is wrong in its first.
#[test]
fn t234_near_misses_cannot_be_told_by_time() {
    let folder = tempfile::tempdir().unwrap();
    let lines: String =
        (0..1000).map(|number| format!("aaaaaaaaaaaaaaaaaaaaaaaaaaaa{number:04}: x:1\n")).collect();
    fs::write(folder.path().join("tokens"), lines).unwrap();
    let gateway = looking(&folder, "file", "tokens", "");
    let ask = |token: &str| drop(refused(ask(&gateway, &format!("token={token}")), 403));
    timing::cannot_be_told_apart(ask, "aaaaaaaaaaaaaaaaaaaaaaaaaaaa9999", "zaaaaaaaaaaaaaaaaaaaaaaaaaaa9999");
    gateway.finish();
}

/// A page of another site has nothing looked up.
#[test]
fn the_origin_is_judged_before_the_token() {
    let backend = Backend::bind();
    let folder = tempfile::tempdir().unwrap();
    let gateway = looking(&folder, "file", ".", "");
    fs::write(folder.path().join("tokens"), format!("one: {}\n", backend.address())).unwrap();
    let request = Request::upgrade("/vnc?token=one").set("Origin", "https://evil.test");
    let (_, body) = refused(send(&gateway, &request), 403);
    assert!(body.contains("origin"), "{body}");
    backend.assert_untouched();
    gateway.finish();
}

/// Bytes that a gateway has read so far, from files and sockets.
fn bytes_read(gateway: &Gateway) -> u64 {
    let counts = fs::read_to_string(format!("/proc/{}/io", gateway.pid())).unwrap();
    counts.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
}

/// Whoever guesses tokens must not have a large file read for each of them. What is changed counts all the same.
#[test]
fn t061_a_file_that_has_not_changed_is_not_read_again() {
    let (first, second) = (Backend::bind(), Backend::bind());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens");
    let others: String = (0..50_000).map(|number| format!("token{number}: 192.0.2.1:5900\n")).collect();
    fs::write(&path, format!("{others}one: {}\n", first.address())).unwrap();
    let mut gateway = looking(&folder, "file", "tokens", "");
    eventually("a wrong token is looked up in what was read", || {
        let before = bytes_read(&gateway);
        refused(ask(&gateway, "token=wrong"), 403);
        (bytes_read(&gateway) - before < others.len() as u64 / 2).then_some(())
    });
    leads_to(&gateway, "token=one", &first);
    for backend in [&second, &first, &second] {
        // In place, and at once, as nobody should.
        fs::write(&path, format!("{others}one: {}\n", backend.address())).unwrap();
        leads_to(&gateway, "token=one", backend);
    }
    gateway.expect_kept(8 * others.len() as u64); // the table, and the one before it
    gateway.finish();
}
