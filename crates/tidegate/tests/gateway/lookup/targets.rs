//! Where a look-up may lead.

use std::fs;

use tidegate_testkit::{Authority, Backend, Gateway};

use super::{ask, leads_to, refused, route};
use crate::rig::gateway;

/// A gateway with these tokens, one a line, and more keys in its look-up and in its route.
fn with_tokens(folder: &tempfile::TempDir, tokens: &str, lookup: &str, more: &str) -> Gateway {
    let path = folder.path().join("tokens");
    fs::write(&path, tokens).unwrap();
    gateway()
        .tables(&format!("{}{more}\n", route(&format!("kind = 'file', source = {path:?}, {lookup}"))))
        .start()
}

/// What is not listed is refused, however it is written: addresses are judged after names are resolved.
#[test]
fn t232_targets_that_are_not_listed() {
    let backend = Backend::bind();
    let port = backend.address().port();
    let folder = tempfile::tempdir().unwrap();
    let targets = [
        format!("127.0.0.1:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("0x7f000001:{port}"),
        format!("2130706433:{port}"),
        format!("localhost:{port}"),
        "169.254.169.254:80".to_owned(),
        "127.0.0.1:22".to_owned(),
    ];
    let lines: String = targets.iter().enumerate().map(|(at, target)| format!("t{at}: {target}\n")).collect();
    let elsewhere = with_tokens(&folder, &lines, "targets = ['10.0.0.0/8:1-65535']", "");
    for at in 0..targets.len() {
        let (_, body) = refused(ask(&elsewhere, &format!("token=t{at}")), 403);
        assert!(body.contains("nothing is served for the token"), "{body}");
    }
    // Whether this name is known depends on the resolver; either way nothing is connected.
    let absolute =
        with_tokens(&folder, &format!("a: localhost.:{port}\n"), "targets = ['10.0.0.0/8:1-65535']", "");
    let status = ask(&absolute, "token=a").read_head().status();
    assert!([403, 502].contains(&status), "{status}");
    backend.assert_untouched();
    elsewhere.finish();
    let there = with_tokens(&folder, &lines, &format!("targets = ['127.0.0.0/8:{port}']"), "");
    for at in 0..=4 {
        leads_to(&there, &format!("token=t{at}"), &backend);
    }
    for at in [5, 6] {
        refused(ask(&there, &format!("token=t{at}")), 403);
    }
    there.finish();
}

#[test]
fn t232_port_0_is_no_target() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = with_tokens(&folder, "a: 127.0.0.1:0\nb: 127.0.0.1\nc: 127.0.0.1:99999\n", "", "");
    for token in ["a", "b", "c"] {
        refused(ask(&gateway, &format!("token={token}")), 502);
    }
    gateway.finish();
}

#[test]
fn unix_sockets_have_to_be_listed_by_the_place_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    for name in ["vnc", "other"] {
        fs::create_dir(root.join(name)).unwrap();
    }
    let listening = std::os::unix::net::UnixListener::bind(root.join("vnc/a")).unwrap();
    let _other = std::os::unix::net::UnixListener::bind(root.join("other/b")).unwrap();
    std::os::unix::fs::symlink("../other/b", root.join("vnc/escape")).unwrap();
    let show = root.display();
    let tokens = format!(
        "a: unix_socket:{show}/vnc/a\nb: unix_socket:{show}/other/b\nc: unix_socket:{show}/vnc/escape\nd: 127.0.0.1:1\n"
    );
    let gateway = with_tokens(&folder, &tokens, &format!("targets = ['unix:{show}/vnc/*']"), "");
    let mut client = ask(&gateway, "token=a");
    assert_eq!(client.read_head().status(), 101);
    listening.accept().unwrap();
    drop(client);
    for token in ["b", "c", "d"] {
        refused(ask(&gateway, &format!("token={token}")), 403);
    }
    gateway.finish();
}

#[test]
fn tls_to_the_target_is_checked_against_its_name() {
    let authority = Authority::new();
    let backend = Backend::bind_secure(authority.issue("127.0.0.1"));
    let folder = tempfile::tempdir().unwrap();
    let trust = format!("backend_tls = {{ ca = {:?} }}", authority.file());
    let port = backend.address().port();
    let tokens = format!("right: 127.0.0.1:{port}\nwrong: localhost:{port}\n");
    let gateway = with_tokens(&folder, &tokens, "tls = true", &trust);
    leads_to(&gateway, "token=right", &backend);
    let client = ask(&gateway, "token=wrong");
    let wire = backend.accept_bare();
    assert!(wire.secured_as_server(&authority.issue("127.0.0.1")).is_err());
    refused(client, 502);
    gateway.finish();
}

#[test]
fn a_target_where_nobody_listens_is_502() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = with_tokens(&folder, &format!("a: {}\n", Backend::refusing()), "", "");
    refused(ask(&gateway, "token=a"), 502);
    gateway.finish();
}
