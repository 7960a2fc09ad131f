//! What keeps a gateway from starting, and what a new word changes for whoever comes next.

use std::fs;
use std::net::TcpListener;

use tidegate_testkit::{Authority, Backend, Request, Wire};

use super::expect_echo;
use crate::rig::gateway;

/// Nothing is half started: a listener that could be had is given back.
#[test]
fn f56_f57_what_cannot_be_had_keeps_it_from_starting() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (taken_at, free) = (taken.local_addr().unwrap(), Backend::refusing());
    let folder = tempfile::tempdir().unwrap();
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    for (listener, said) in [
        (
            format!("address = '{taken_at}'"),
            format!("cannot listen on {taken_at} (is it taken by another process?)"),
        ),
        ("address = '192.0.2.1:4711'".to_owned(), "cannot listen on 192.0.2.1:4711".to_owned()),
        (
            "address = '127.0.0.1:0'\ntls = { cert = 'none.pem', key = 'none.key' }".to_owned(),
            "none.pem".to_owned(),
        ),
        (format!("address = 'unix:{}/none/socket'", closed.display()), "none/socket".to_owned()),
    ] {
        let route = "[[route]]\npath = '/echo'\nbackend = 'echo:'\n";
        let text = format!("[[listener]]\naddress = '{free}'\n[[listener]]\n{listener}\n{route}");
        let diagnosis = gateway().whole(&text).refused();
        assert!(diagnosis.contains(&said), "{diagnosis}");
        drop(TcpListener::bind(free).expect("nobody listens there"));
    }
}

/// An origin that is taken off the list is refused from the next request on; whoever is there stays.
#[test]
fn f42_an_origin_that_is_taken_back_is_refused_at_once() {
    let with = |origins: &str| gateway().route("/echo", "echo:", &format!("origins = [{origins}]"));
    let gateway = with("'https://a.test', 'https://b.test'").start();
    let ask = |origin: &str| {
        let mut client = gateway.connect();
        client.send(Request::upgrade("/echo").set("Origin", origin).encode());
        (client.read_head().status(), client)
    };
    let (status, mut before) = ask("https://b.test");
    assert_eq!(status, 101);
    gateway.reload(&with("'https://a.test'"));
    assert_eq!(ask("https://b.test").0, 403);
    assert_eq!(ask("https://a.test").0, 101);
    expect_echo(&mut before);
    drop(before);
    gateway.finish();
}

/// Authorities of clients whose file is spoilt stay those that they were, and strangers stay outside.
#[test]
fn f45_authorities_that_are_spoilt_later_stay_what_they_were() {
    let (authority, strangers) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clients.pem");
    let good = fs::read(authority.file()).unwrap();
    fs::write(&file, &good).unwrap();
    let builder = gateway()
        .secure(&authority, &authority.issue("127.0.0.1"))
        .listener(&format!("client_cert = 'required'\nclient_ca = {file:?}"))
        .route("/echo", "echo:", "origins = ['http://gw.test']");
    let gateway = builder.start();
    let connect = |of: &Authority| -> Wire {
        let config = authority.client_as(&of.issue_to("alice"));
        gateway.connect_bare().secured_as_client(&config, "127.0.0.1")
    };
    let expect_guarded = || {
        let mut client = connect(&authority);
        client.send(Request::upgrade("/echo").encode());
        assert_eq!(client.read_head().status(), 101);
        connect(&strangers).expect_alert();
    };
    expect_guarded();
    for spoilt in [&good[..good.len() / 2], b"", b"no certificate"] {
        fs::write(&file, spoilt).unwrap();
        let said = gateway.reload(&builder);
        assert!(said.contains("not reloaded") && said.contains("client_ca"), "{said}");
        expect_guarded();
    }
    gateway.diagnosis("but the one before stays in use");
    gateway.finish();
}
