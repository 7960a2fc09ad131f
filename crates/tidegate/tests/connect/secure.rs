//! TLS with the server: whom the client believes, and whom it tells what.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use tidegate_testkit::{Authority, Backend, Connecting, Frame, Gateway, Identity};

use crate::rig::{numbered, stdio, tcp};

/// A gateway with an echo over TLS, as this identity; its URL.
fn secure_echo(authority: &Authority, identity: &Identity) -> (Gateway, String) {
    let builder = Gateway::builder(env!("CARGO_BIN_EXE_tidegate"));
    let gateway = builder.secure(authority, identity).route("/echo", "echo:", "").start();
    let url = format!("wss://{}/echo", gateway.address());
    (gateway, url)
}

#[test]
fn c004_tls_comes_first_and_the_certificate_is_verified() {
    let authority = Authority::new();
    let (gateway, url) = secure_echo(&authority, &authority.issue("127.0.0.1"));
    let sent = numbered(2 << 20);
    let ended = stdio(&url).arg("--ca").arg(authority.file()).run(&sent);
    assert_eq!(ended.status, Some(0), "{}", ended.diagnosis);
    assert!(ended.output == sent, "{} bytes came back", ended.output.len());

    let stranger = Authority::new(); // who has the same name, as certificates that sign themselves often have
    let ended = stdio(&url).arg("--ca").arg(stranger.file()).run(b"secret");
    assert!(
        ended.diagnosis.contains("nobody who is trusted here (somebody of the same name is, with another key); name its authority with --ca FILE"),
        "{}",
        ended.diagnosis
    );
    for flags in [&["--ca", stranger.file().to_str().unwrap()][..], &[]] {
        let ended = flags.iter().fold(stdio(&url), |client, flag| client.arg(flag)).run(b"secret");
        assert_eq!(ended.status, Some(3), "{}", ended.diagnosis);
        assert!(ended.diagnosis.contains("no TLS with the server"), "{}", ended.diagnosis);
    }
    let ended = stdio(&url).arg("--insecure").run(b"x");
    assert_eq!((ended.status, &ended.output[..]), (Some(0), &b"x"[..]));
    assert!(ended.diagnosis.contains("can read and change everything"), "{}", ended.diagnosis);
    gateway.finish();
}

#[test]
fn c004_a_certificate_for_another_name_or_of_the_past_is_refused() {
    let authority = Authority::new();
    for (identity, said) in [
        (authority.issue("elsewhere.test"), "its certificate is not for 127.0.0.1, but for elsewhere.test"),
        (authority.issue_expired("127.0.0.1"), "its certificate has expired"),
    ] {
        let (_gateway, url) = secure_echo(&authority, &identity);
        let ended = stdio(&url).arg("--ca").arg(authority.file()).run(b"secret");
        assert_eq!(ended.status, Some(3), "{}", ended.diagnosis);
        assert!(ended.diagnosis.contains(said), "{}", ended.diagnosis);
    }
}

/// What `openssl req -x509` makes by itself is an authority, and no server's certificate.
#[test]
fn an_authority_that_stands_as_a_server_is_called_one() {
    let folder = tempfile::tempdir().unwrap();
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    let pair = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    fs::write(&cert, params.self_signed(&pair).unwrap().pem()).unwrap();
    fs::write(&key, pair.serialize_pem()).unwrap();
    let tls = format!("tls = {{ cert = '{}', key = '{}' }}", cert.display(), key.display());
    let builder = Gateway::builder(env!("CARGO_BIN_EXE_tidegate"));
    let gateway = builder.listener(&tls).route("/echo", "echo:", "").start();
    let ended = stdio(&format!("wss://{}/echo", gateway.address())).arg("--ca").arg(&cert).run(b"secret");
    assert_eq!(ended.status, Some(3), "{}", ended.diagnosis);
    assert!(ended.diagnosis.contains("that of an authority (CA:TRUE)"), "{}", ended.diagnosis);
    assert!(ended.diagnosis.contains("basicConstraints=critical,CA:FALSE"), "{}", ended.diagnosis);
}

/// Whoever names an authority believes that the way is encrypted.
#[test]
fn flags_of_tls_are_refused_where_there_is_none() {
    let authority = Authority::new();
    let ca = authority.file();
    let ca = ca.to_str().unwrap();
    for flags in [&["--ca", ca][..], &["--insecure"], &["--cert", "/no/file", "--key", "/no/file"]] {
        let ended =
            flags.iter().fold(stdio("ws://127.0.0.1:1/echo"), |client, flag| client.arg(flag)).run(b"");
        assert_eq!(ended.status, Some(2), "{}", ended.diagnosis);
        let said =
            format!("{} is for wss://, and ws://127.0.0.1:1/echo is not encrypted; write wss://", flags[0]);
        assert!(ended.diagnosis.contains(&said), "{}", ended.diagnosis);
    }
    // Where a redirect may lead to wss://, they are for that.
    let ended = stdio("ws://127.0.0.1:1/echo").arg("--follow").arg("--ca").arg(ca).run(b"");
    assert_eq!(ended.status, Some(3), "{}", ended.diagnosis);
}

#[test]
fn the_other_scheme_is_named_where_it_is_the_other_one() {
    let plain = Gateway::builder(env!("CARGO_BIN_EXE_tidegate")).route("/echo", "echo:", "").start();
    let ended = stdio(&format!("wss://{}/echo", plain.address())).arg("--insecure").run(b"secret");
    assert_eq!(ended.status, Some(3), "{}", ended.diagnosis);
    assert!(ended.diagnosis.contains("it does not speak TLS there; write ws://"), "{}", ended.diagnosis);
    let line = plain.access_line_after(0);
    assert_eq!(
        (&line["status"], &line["reason"]),
        (&400.into(), &"TLS on a port without it".into()),
        "{line}"
    );

    let authority = Authority::new();
    let (_gateway, url) = secure_echo(&authority, &authority.issue("127.0.0.1"));
    let ended = stdio(&url.replace("wss://", "ws://")).run(b"secret");
    assert_eq!(ended.status, Some(4), "{}", ended.diagnosis);
    assert!(ended.diagnosis.contains("answered in TLS: write wss://"), "{}", ended.diagnosis);
}

#[test]
fn a_key_is_no_authority() {
    let authority = Authority::new();
    let key = authority.issue("a.test").key().to_owned();
    let ended = stdio("wss://127.0.0.1:1").arg("--ca").arg(&key).run(b"");
    assert_eq!(ended.status, Some(2), "{}", ended.diagnosis);
    assert!(ended.diagnosis.contains("--ca: there is no certificate in "), "{}", ended.diagnosis);
}

#[test]
fn c004_the_name_of_the_url_is_the_name_that_is_asked_for() {
    let authority = Authority::new();
    let (gateway, url) = secure_echo(&authority, &authority.issue("server.test"));
    let url = url.replace("127.0.0.1", "server.test");
    let at = gateway.address().to_string();
    let ended = stdio(&url).arg("--ca").arg(authority.file()).arg("--connect-to").arg(at).run(b"x");
    assert_eq!((ended.status, &ended.output[..]), (Some(0), &b"x"[..]), "{}", ended.diagnosis);
    assert!(gateway.access_line_after(0)["host"].as_str().unwrap().starts_with("server.test"));
}

#[test]
fn what_is_no_tls_is_not_spoken_to() {
    let server = Backend::bind();
    let client: Connecting = stdio(&format!("wss://{}/", server.address())).arg("--insecure").start();
    let mut wire = server.accept();
    assert_eq!(wire.read_exact(1), [22], "a TLS handshake, and no request");
    wire.send("HTTP/1.1 400 Bad Request\r\n\r\n");
    wire.finish();
    let ended = client.wait_for_all();
    assert_eq!(ended.status, Some(3), "{}", ended.diagnosis);
}

#[test]
fn a_file_that_has_no_authorities_is_said_to_have_none() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    for flags in [["--ca", path], ["--ca", "/nonexistent"]] {
        let ended = flags.iter().fold(stdio("wss://127.0.0.1:1"), |client, flag| client.arg(flag)).run(b"");
        assert_eq!(ended.status, Some(2), "{}", ended.diagnosis);
        assert!(ended.diagnosis.contains(flags[1]), "{}", ended.diagnosis);
    }
}

#[test]
fn c032_frames_are_masked_over_tls_too() {
    let authority = Authority::new();
    let server = Backend::bind_secure(authority.issue("127.0.0.1"));
    let client = tcp(&server.ws()).arg("--ca").arg(authority.file()).start();
    let mut local = client.connect();
    local.send(b"x");
    let (mut wire, _request) = server.accept_websocket();
    assert!(wire.read_frame().mask.is_some());
    wire.send_frame(&Frame::binary("y"));
    assert_eq!(local.read_exact(1), b"y");
    wire.send_frame(&Frame::close(1000, ""));
    assert!(wire.expect_close_frame(1000).mask.is_some());
    wire.finish();
    local.expect_fin();
}

#[test]
fn our_own_certificate_is_shown_to_a_server_that_asks_and_to_no_other() {
    let authority = Authority::new();
    let ours = authority.issue("client.test");
    let flags = |server: &Backend| {
        tcp(&server.ws())
            .arg("--ca")
            .arg(authority.file())
            .arg("--cert")
            .arg(ours.cert())
            .arg("--key")
            .arg(ours.key())
            .arg("--follow")
    };
    let server = Backend::bind_secure(authority.issue("127.0.0.1").demanding(&authority));
    let client = flags(&server).start();
    let mut local = client.connect();
    let (mut wire, _request) = server.accept_websocket();
    wire.send_frame(&Frame::binary("x"));
    assert_eq!(local.read_exact(1), b"x");

    let elsewhere = Backend::bind_secure(authority.issue("127.0.0.1"));
    let server = Backend::bind_secure(authority.issue("127.0.0.1"));
    let client = flags(&server).start();
    let mut local = client.connect();
    let mut wire = server.accept();
    wire.read_head();
    wire.send(format!("HTTP/1.1 302 Found\r\nLocation: {}/\r\n\r\n", elsewhere.ws()));
    client.diagnosis("is not shown our client certificate");
    local.read_to_end();
    elsewhere.assert_untouched();
}

#[test]
fn a_key_that_does_not_belong_to_the_certificate_is_found_at_once() {
    let authority = Authority::new();
    let (one, other) = (authority.issue("a.test"), authority.issue("b.test"));
    let client = stdio("wss://127.0.0.1:1").arg("--ca").arg(authority.file());
    let ended = client.arg("--cert").arg(one.cert()).arg("--key").arg(other.key()).run(b"");
    assert_eq!(ended.status, Some(2));
    assert!(ended.diagnosis.contains("is not the key of the first certificate"), "{}", ended.diagnosis);
}
