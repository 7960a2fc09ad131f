//! What the server is told: fields, credentials, and where they do not go; descriptions of rpc-frmwrk.

use std::path::Path;

use tidegate_testkit::{Backend, Connector, Head};

use crate::rig::{asked, listen, stdio};

/// What `tidegate connect stdio:` asks for with these flags and this in its environment.
#[track_caller]
fn request(client: impl FnOnce(Connector) -> Connector) -> Head {
    let server = Backend::bind();
    let client = client(stdio(&server.ws())).start();
    let head = server.accept().read_head();
    assert!(!client.arguments().contains("sesame"), "{}", client.arguments());
    assert!(!client.lines().join("\n").contains("sesame"));
    head
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn credentials_come_from_files_and_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "secret", "open-sesame\n");
    let basic = "Basic QWxhZGRpbjpvcGVuLXNlc2FtZQ==";
    let head = request(|client| client.arg("--user").arg("Aladdin").arg("--password-file").arg(&file));
    assert_eq!(head.field("Authorization"), Some(basic));
    let head = request(|client| client.arg("--user").arg("Aladdin").env("TIDEGATE_PASSWORD", "open-sesame"));
    assert_eq!(head.field("Authorization"), Some(basic));
    let head = request(|client| client.arg("--bearer-file").arg(&file));
    assert_eq!(head.field("Authorization"), Some("Bearer open-sesame"));
    let head = request(|client| client.env("TIDEGATE_BEARER", "open-sesame"));
    assert_eq!(head.field("Authorization"), Some("Bearer open-sesame"));
}

#[test]
fn further_fields_from_the_command_line_and_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let file =
        write(folder.path(), "fields", "Cookie: open=sesame\n\nX-B: 2\nAuthorization: Digest sesame\n");
    let head = request(|client| client.arg("--header").arg("X-A: 1").arg("--header").arg(format!("@{file}")));
    assert_eq!((head.field("X-A"), head.field("X-B")), (Some("1"), Some("2")));
    assert_eq!(
        (head.field("Cookie"), head.field("Authorization")),
        (Some("open=sesame"), Some("Digest sesame"))
    );
}

#[test]
fn fields_that_cannot_be_sent_are_refused() {
    for (field, part) in [
        ("no colon", "there is no colon in it"),
        ("A B: 1", "its name is no name"),
        ("A: 1\r\nB: 2", "its value has a character"),
        ("Host: elsewhere", "a part of the handshake"),
        ("Sec-WebSocket-Extensions: x", "a part of the handshake"),
        ("Authorization: Bearer sesame", "would show in the list of processes"),
        ("Cookie: sesame", "would show in the list of processes"),
        ("@/nonexistent", "/nonexistent"),
    ] {
        let ended = stdio("ws://127.0.0.1:1").arg("--header").arg(field).run(b"");
        assert_eq!(ended.status, Some(2), "{field:?}: {}", ended.diagnosis);
        assert!(ended.diagnosis.contains(part) && !ended.diagnosis.contains("sesame"), "{}", ended.diagnosis);
    }
    let ended = stdio("ws://127.0.0.1:1").arg("--user").arg("me").run(b"");
    assert_eq!(ended.status, Some(2));
    assert!(ended.diagnosis.contains("--password-file FILE, or TIDEGATE_PASSWORD"), "{}", ended.diagnosis);
}

#[test]
fn a_login_that_is_refused_is_told_apart_from_none() {
    let (client, mut server, _request) = asked(&[]);
    server.send("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\n\r\n");
    assert!(client.wait_for_all().diagnosis.contains("wants credentials (Bearer); give --user"));
    let server = Backend::bind();
    let client = stdio(&server.ws()).env("TIDEGATE_BEARER", "old").start();
    let mut wire = server.accept();
    wire.read_head();
    wire.send("HTTP/1.1 401 Unauthorized\r\n\r\n");
    assert!(client.wait_for_all().diagnosis.contains("does not take these credentials"));
}

#[test]
fn redirects_are_followed_if_asked_for_and_credentials_stay_at_home() {
    let (home, away) = (Backend::bind(), Backend::bind());
    let folder = tempfile::tempdir().unwrap();
    let fields = write(folder.path(), "fields", "Cookie: c\nX-A: 1\n");
    let client = stdio(&format!("{}/a", home.ws()))
        .arg("--follow")
        .arg("--header")
        .arg(format!("@{fields}"))
        .env("TIDEGATE_BEARER", "t")
        .start();
    let redirect = |server: &Backend, target: &str, to: &str| {
        let mut wire = server.accept();
        let head = wire.read_head();
        assert_eq!(head.target(), target);
        wire.send(format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"));
        (head.field("Authorization").is_some(), head.field("Cookie").is_some(), head.field("X-A").is_some())
    };
    assert_eq!(redirect(&home, "/a", "/b?c"), (true, true, true));
    assert_eq!(redirect(&home, "/b?c", &format!("http://{}/d", away.address())), (true, true, true));
    assert_eq!(redirect(&away, "/d", "/e"), (false, false, false));
    assert_eq!(redirect(&away, "/e", &format!("{}/chosen-away", home.ws())), (false, false, false));
    let (mut wire, head) = home.accept_websocket();
    assert_eq!(head.target(), "/chosen-away");
    for name in ["Authorization", "Cookie", "X-A"] {
        assert_eq!(head.field(name), None, "{name}, where a stranger has led to");
    }
    drop(client);
    wire.finish();
}

#[test]
fn redirects_have_an_end() {
    let server = Backend::bind();
    let client = stdio(&server.ws()).arg("--follow").start();
    for _ in 0..6 {
        let mut wire = server.accept();
        wire.read_head();
        wire.send("HTTP/1.1 302 Found\r\nLocation: /again\r\n\r\n");
    }
    let ended = client.wait_for_all();
    assert_eq!(ended.status, Some(4), "{}", ended.diagnosis);
    assert!(ended.diagnosis.contains("more than 5 times"), "{}", ended.diagnosis);
}

#[test]
fn a_description_of_rpc_frmwrk_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let server = Backend::bind();
    let object = |url: &str, ssl: &str| {
        format!(
            r#"{{ "ServerName": "s", "Objects": [
                {{ "ObjectName": "Other", "IpAddress": "127.0.0.1" }},
                {{ "ObjectName": "Echo", "EnableSSL": "{ssl}", "EnableWS": "true", "Compression": "true",
                   "DestURL": "{url}", "IpAddress": "192.0.2.1", "PortNumber": "4132" }} ] }}"#
        )
    };
    let good = object(&format!("http://{}/chat", server.address()), "false");
    let file = write(folder.path(), "echodesc.json", &good);
    let desc = |file: &str| listen("stdio:").arg("--desc").arg(file);
    let client = desc(&file).start();
    let head = server.accept().read_head();
    assert_eq!((head.target(), head.field("Sec-WebSocket-Protocol")), ("/chat", Some("chat")));
    drop(client);
    let client = desc(&file).arg("--object").arg("Echo").arg("--subprotocol").arg("other").start();
    assert_eq!(server.accept().read_head().field("Sec-WebSocket-Protocol"), Some("other"));
    drop(client);

    let contradiction = write(folder.path(), "bad.json", &object("https://server.test/chat", "false"));
    let ended = desc(&contradiction).run(b"");
    assert_eq!(ended.status, Some(2));
    assert!(
        ended.diagnosis.contains("EnableSSL false, but its DestURL begins with https://"),
        "{}",
        ended.diagnosis
    );
    let ended = desc(&file).arg("--object").arg("Other").run(b"");
    assert!(ended.diagnosis.contains("not reached by WebSocket"), "{}", ended.diagnosis);
}
