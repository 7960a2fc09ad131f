//! `kind = "basic"`.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tidegate_testkit::{Request, within};

use super::House;
use crate::rig::gateway;
use crate::timing;

/// Costs next to nothing.
const BCRYPT_COST: u32 = 4;

fn authorization(credentials: impl AsRef<[u8]>) -> String {
    format!("Basic {}", STANDARD.encode(credentials))
}

fn with(credentials: &str) -> impl Fn(Request) -> Request {
    let value = authorization(credentials);
    move |request| request.set("Authorization", &value)
}

fn house() -> House {
    let hash = bcrypt::hash("password", BCRYPT_COST).unwrap();
    House::guarded(&format!("kind = 'basic', realm = 'Desktops', users = ['alice:{hash}']"))
}

/// Wrong in length, in its last byte, in everything: one answer, which says how to come in.
#[test]
fn t057_wrong_credentials_are_401_with_a_challenge() {
    let house = house();
    for credentials in [
        "alice:",
        "alice:p",
        "alice:passwor",
        "alice:passwore",
        "alice:password ",
        "alice:passwordpassword",
        "alice:Password",
        "alic:password",
        "alicf:password",
        "Alice:password",
        ":password",
        "bob:password",
        ":",
        "alice",
        "",
    ] {
        for (head, body) in house.keeps_out(401, with(credentials)) {
            let challenge = head.field("WWW-Authenticate");
            assert_eq!(challenge, Some("Basic realm=\"Desktops\", charset=\"UTF-8\""), "{credentials}");
            assert_eq!(body, "401 Unauthorized: credentials are needed here\n", "{credentials}");
        }
    }
    house.lets_in(with("alice:password"));
    house.finish();
}

/// A password that is wrong in its last byte, one that is wrong in length, and a name that nobody has.
#[test]
fn t057_near_misses_cannot_be_told_by_time() {
    let house = house();
    let mut client = house.gateway.connect();
    let mut ask = |credentials: &str| {
        client.send(with(credentials)(Request::get("/files/word")).encode());
        let head = client.read_head();
        assert_eq!(head.status(), 401);
        client.read_exact(head.field("Content-Length").unwrap().parse().unwrap());
    };
    timing::cannot_be_told_apart(&mut ask, "alice:passwore", "alice:p");
    timing::cannot_be_told_apart(&mut ask, "alice:passwore", "bobby:passwore");
    drop(client);
    house.finish();
}

#[test]
fn t057_what_is_no_credentials_is_401_as_well() {
    let house = house();
    let good = authorization("alice:password");
    house.keeps_out(401, |request| request);
    for value in
        ["Basic", "Basic ", "Basic !!!!", "Bearer abc", &good.replace(' ', ""), &format!("{good},{good}")]
    {
        house.keeps_out(401, |request| request.set("Authorization", value));
    }
    house.keeps_out(401, |request| request.with("Authorization", &good).with("Authorization", &good));
    house.keeps_out(401, |request| request.with("Authorization", b"Basic \xff\xfe"));
    house.finish();
}

/// The scheme of a field is a token in any case (RFC 9110 §11.1), and what was right once is right again.
#[test]
fn right_credentials_come_in_each_time() {
    let house = house();
    let good = authorization("alice:password");
    for _ in 0..3 {
        house.lets_in(with("alice:password"));
        house.lets_in(|request| request.set("Authorization", good.replace("Basic", "bAsIC")));
        house.keeps_out(401, with("alice:passwore"));
    }
    house.finish();
}

#[test]
fn users_of_a_file_with_each_kind_of_hash() {
    let folder = tempfile::tempdir().unwrap();
    let users = folder.path().join("users");
    let sha512 = std::process::Command::new("openssl")
        .args(["passwd", "-6", "-salt", "tidegate", "third:password"])
        .output()
        .unwrap();
    let lines = [
        "# who may come in".to_owned(),
        format!("first:{}", bcrypt::hash("first:password", BCRYPT_COST).unwrap()),
        format!("third:{}", String::from_utf8(sha512.stdout).unwrap().trim()),
    ];
    fs::write(&users, lines.join("\n")).unwrap();
    let house = House::guarded(&format!("kind = 'basic', users = {users:?}"));
    for name in ["first", "third"] {
        house.lets_in(with(&format!("{name}:{name}:password")));
        house.keeps_out(401, with(&format!("{name}:password")));
    }
    house.finish();
}

/// An origin that may not connect is not asked for a password, and no log has one.
#[test]
fn the_origin_is_judged_first_and_no_log_has_a_password() {
    let house = house();
    let mut client = house.gateway.connect();
    client.send(with("alice:hunter2")(Request::upgrade("/ws").set("Origin", "https://evil.test")).encode());
    let (head, _) = client.read_response();
    assert_eq!((head.status(), head.field("WWW-Authenticate")), (403, None));
    house.keeps_out(401, with("alice:hunter2"));
    let line = house.gateway.access_line(|line| line["status"] == 401);
    assert_eq!((&line["reason"], &line["route"]), (&"the credentials are wrong".into(), &"/ws".into()));
    for line in house.gateway.access_lines() {
        let line = line.to_string();
        assert!(!line.contains("hunter2") && !line.contains(&STANDARD.encode("alice:hunter2")), "{line}");
    }
    house.finish();
}

/// Passwords are compared beside the connections, not in their way: while many wait, others are served.
#[test]
fn many_wrong_passwords_do_not_hold_up_others() {
    let hash = bcrypt::hash("password", 10).unwrap();
    let house = House::guarded(&format!("kind = 'basic', timeout = '2s', users = ['alice:{hash}']"));
    let mut clients: Vec<_> = (0..64)
        .map(|number| {
            let mut client = house.gateway.connect();
            client.send(with(&format!("alice:wrong{number}"))(Request::upgrade("/ws")).encode());
            client
        })
        .collect();
    house.gateway.open("/open");
    let statuses: Vec<_> = clients.iter_mut().map(|client| client.read_head().status()).collect();
    assert!(statuses.iter().all(|status| [401, 503].contains(status)), "{statuses:?}");
    let patience = tidegate_testkit::PATIENCE;
    drop(clients);
    let came_in = within(patience, || {
        let mut client = house.gateway.connect();
        client.send(with("alice:password")(Request::upgrade("/ws")).encode());
        (client.read_head().status() == 101).then(|| house.backend.accept())
    });
    assert!(came_in.is_some());
    drop(came_in);
    house.finish();
}

/// Whoever waits has a place among the handshakes: those with passwords come to hold few of them.
#[test]
fn t061_few_wait_for_their_passwords_to_be_compared() {
    const PENDING: usize = 3;
    const CLIENTS: usize = 24;
    let hash = bcrypt::hash("password", 11).unwrap();
    let auth = format!("auth = {{ kind = 'basic', timeout = '1m', users = ['alice:{hash}'] }}");
    let gateway = gateway().route("/echo", "echo:", &format!("max_pending = {PENDING}\n{auth}")).start();
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| gateway.connect()).collect();
    for client in &mut clients {
        client.send(with("alice:wrong")(Request::upgrade("/echo")).encode());
    }
    let statuses: Vec<_> = clients.iter_mut().map(|client| client.read_head().status()).collect();
    let count = |status| statuses.iter().filter(|found| **found == status).count();
    assert!(count(401) >= PENDING && count(503) > 0, "{statuses:?}");
    assert_eq!(count(401) + count(503), CLIENTS, "{statuses:?}");
    let line = gateway.access_line(|line| line["status"] == 503);
    assert_eq!(line["reason"], "too many passwords are being compared");
    drop(clients);
    gateway.finish();
}

/// A password that is right, and longer than any that is hashed, is refused all the same: what a hash costs is not for
/// clients to choose.
#[test]
fn t057_a_password_of_more_than_256_bytes_is_not_hashed() {
    let long = |len: usize| format!("alice:{}", "p".repeat(len));
    // bcrypt looks at the first 72 bytes alone.
    let hash = bcrypt::hash("p".repeat(72), BCRYPT_COST).unwrap();
    let house = House::guarded(&format!("kind = 'basic', users = ['alice:{hash}']"));
    house.lets_in(with(&long(256)));
    for len in [257, 5_900] {
        house.keeps_out(401, with(&long(len)));
    }
    house.finish();
}
