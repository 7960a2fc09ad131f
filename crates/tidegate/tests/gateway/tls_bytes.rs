//! TLS that is none, or not what it should be: an alert or an end, and never HTTP.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use tidegate_testkit::{Authority, Gateway, PATIENCE, Request, Wire, within};

use crate::certificates::{Issued, connect, echo};
use crate::rig::gateway;

/// Content types of records (RFC 8446 §5.1).
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const HEARTBEAT: u8 = 24;

fn issued() -> (Issued, Gateway) {
    let issued = Issued::to(&["gw.test"]);
    let listener = format!("tls = {}\ntls_timeout = '2s'", issued.tls());
    let gateway = gateway().listener(&listener).route("/echo", "echo:", "").start();
    (issued, gateway)
}

/// A good ClientHello, as one record.
fn hello() -> Vec<u8> {
    let name = ServerName::try_from("gw.test").unwrap();
    let mut client = ClientConnection::new(Authority::new().client(), name).unwrap();
    let mut record = Vec::new();
    client.write_tls(&mut record).unwrap();
    record
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind, 3, 1], &len[..], body].concat()
}

/// A ClientHello of old: this version, these cipher suites and ways of compression, and no extension.
fn old_hello(version: u16, suites: &[u16], compression: &[u8]) -> Vec<u8> {
    let suites: Vec<u8> = suites.iter().flat_map(|suite| suite.to_be_bytes()).collect();
    let mut body = [&version.to_be_bytes()[..], &[7; 32], &[0]].concat();
    body.extend(u16::try_from(suites.len()).unwrap().to_be_bytes());
    body.extend(suites);
    body.push(u8::try_from(compression.len()).unwrap());
    body.extend(compression);
    let len = u32::try_from(body.len()).unwrap().to_be_bytes();
    record(HANDSHAKE, &[&[1], &len[1..], &body[..]].concat())
}

/// What the gateway answers to these bytes, down to the end that it makes.
#[track_caller]
fn answer(gateway: &Gateway, bytes: &[u8]) -> Vec<u8> {
    let mut client = gateway.connect_bare();
    drop(client.try_send(bytes)); // it may have ended before the last of them
    let mut answer = Vec::new();
    while let Some(more) = client.read_some_or_end() {
        answer.extend(more);
    }
    answer
}

/// That they are refused with an alert before anything else; which.
#[track_caller]
fn alert(gateway: &Gateway, bytes: &[u8]) -> u8 {
    let answer = answer(gateway, bytes);
    assert_eq!(answer.first(), Some(&ALERT), "{}", answer.escape_ascii());
    answer[6]
}

/// That nothing comes of these bytes but an end, with an alert or without.
#[track_caller]
fn nothing(gateway: &Gateway, bytes: &[u8]) {
    let answer = answer(gateway, bytes);
    assert!(matches!(answer.first(), None | Some(&ALERT)), "{}", answer.escape_ascii());
}

#[test]
fn t199_versions_of_old_are_refused_with_an_alert() {
    const HANDSHAKE_FAILURE: u8 = 40;
    const PROTOCOL_VERSION: u8 = 70;
    let (issued, gateway) = issued();
    for version in [0x0300, 0x0301, 0x0302] {
        let alert = alert(&gateway, &old_hello(version, &[0xc013, 0x002f], &[0]));
        assert!(matches!(alert, PROTOCOL_VERSION | HANDSHAKE_FAILURE), "{version:x}: {alert}");
    }
    // The form that SSL 2 had is not even a record.
    let ssl2 = [&[0x80, 0x1c, 1, 0, 2, 0, 3, 0, 0, 0, 16, 1, 0, 0x80][..], &[7; 16]].concat();
    assert!(!answer(&gateway, &ssl2).contains(&HANDSHAKE));
    echo(&mut issued.secure(connect(&gateway), "gw.test"), "https://gw.test");
    gateway.finish();
}

#[test]
fn t200_renegotiation_is_refused() {
    let (_issued, gateway) = issued();
    let mut client = Command::new("openssl")
        .args(["s_client", "-tls1_2", "-legacy_renegotiation", "-connect", &gateway.address().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut keys = client.stdin.take().unwrap();
    keys.write_all(b"R\n").unwrap();
    let ended = within(PATIENCE, || client.try_wait().unwrap());
    drop(client.kill()); // it has ended, if all is well
    let output = client.wait_with_output().unwrap();
    let said =
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    assert!(ended.is_some() && said.contains("RENEGOTIATING"), "{said}");
    assert!(said.contains("alert") || said.contains("renegotiation") && said.contains("error"), "{said}");
    drop(keys);
    gateway.finish();
}

#[test]
fn t201_a_hello_in_records_of_one_byte() {
    let (_issued, gateway) = issued();
    let pieces: Vec<u8> = hello()[5..].iter().flat_map(|byte| record(HANDSHAKE, &[*byte])).collect();
    let mut client = gateway.connect_bare();
    client.send(pieces);
    assert_eq!(client.read_exact(1), [HANDSHAKE], "a ServerHello");
    drop(client);
    gateway.finish();
}

#[test]
fn t202_a_client_that_says_goodbye_in_its_handshake() {
    let (_issued, gateway) = issued();
    let goodbye = record(ALERT, &[1, 0]);
    for end in [true, false] {
        let mut client = gateway.connect_bare();
        client.send([hello(), goodbye.clone()].concat());
        if end {
            client.finish();
        }
        while client.read_some_or_end().is_some() {}
    }
    gateway.finish();
}

#[test]
fn t203_a_thousand_halves_of_a_hello_are_given_up() {
    let (issued, gateway) = issued();
    let mut secure = issued.secure(connect(&gateway), "gw.test");
    echo(&mut secure, "https://gw.test");
    let half = &hello()[..100];
    let before = gateway.cpu();
    let halves: Vec<Wire> = (0..1000)
        .map(|_| {
            let mut client = gateway.connect_bare();
            client.send(half);
            client
        })
        .collect();
    echo(&mut issued.secure(connect(&gateway), "gw.test"), "https://gw.test");
    for mut client in halves {
        while client.read_some_or_end().is_some() {}
    }
    let spent = gateway.cpu() - before;
    assert!(spent < Duration::from_secs(2), "{spent:?} for a thousand connections that say nothing");
    drop(secure);
    gateway.finish();
}

#[test]
fn t206_protocols_within_tls() {
    let authority = Authority::new();
    let gateway = gateway()
        .secure(&authority, &authority.issue("127.0.0.1"))
        .route("/echo", "echo:", "origins = ['http://gw.test']")
        .start();
    let client = |protocols: &[&[u8]]| {
        let mut config = ClientConfig::clone(&authority.client());
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Arc::new(config)
    };
    for protocols in [&[][..], &[&b"http/1.1"[..]], &[&b"foo"[..], b"http/1.1"]] {
        let mut wire = gateway.connect_bare().secured_as_client(&client(protocols), "127.0.0.1");
        wire.send(Request::upgrade("/echo").encode());
        assert_eq!(wire.read_head().status(), 101);
    }
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut connection = ClientConnection::new(client(&[b"foo"]), name).unwrap();
    let error = connection.complete_io(&mut connect(&gateway)).unwrap_err();
    assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
    gateway.finish();
}

/// The ticket of a listener that asks nobody for a certificate, at one that does.
#[test]
fn t207_a_ticket_opens_no_other_listener() {
    let authority = Authority::new();
    let identity = authority.issue("127.0.0.1");
    let tls = format!("tls = {{ cert = {:?}, key = {:?} }}", identity.cert(), identity.key());
    let demanding = format!("client_cert = 'required'\nclient_ca = {:?}", authority.file());
    let gateway = gateway()
        .secure(&authority, &identity)
        .tables(&format!("[[listener]]\naddress = '127.0.0.1:0'\n{tls}\n{demanding}"))
        .route("/echo", "echo:", "origins = ['http://gw.test']")
        .start();
    let guarded = gateway.other_address();
    let config = authority.client(); // it keeps tickets, by the name of the server
    let open = |config| {
        let mut wire = gateway.connect_bare().secured_as_client(config, "127.0.0.1");
        wire.send(Request::upgrade("/echo").encode());
        assert_eq!(wire.read_head().status(), 101);
    };
    open(&config);
    open(&config);
    Wire::connect(guarded).secured_as_client(&config, "127.0.0.1").expect_alert();
    gateway.finish();
}

#[test]
fn t209_records_beyond_their_bounds() {
    let (issued, gateway) = issued();
    let mut canary = issued.secure(connect(&gateway), "gw.test");
    echo(&mut canary, "https://gw.test");
    let (memory, before) = (gateway.memory(), gateway.cpu());
    nothing(&gateway, &[&[HANDSHAKE, 3, 1, 0x41, 1][..], &[0; 0x4101]].concat());
    nothing(&gateway, &record(HANDSHAKE, b"").repeat(100_000));

    let mut updating = issued.secure(connect(&gateway), "gw.test");
    echo(&mut updating, "https://gw.test");
    let is_given_up = (0..10_000).any(|_| {
        updating.conn.refresh_traffic_keys().is_err() || updating.conn.write_tls(&mut updating.sock).is_err()
    });
    assert!(is_given_up, "ten thousand new keys without a byte of data");
    let (grown, spent) = (gateway.memory().saturating_sub(memory), gateway.cpu() - before);
    assert!(grown < 4 << 20, "{grown} bytes");
    assert!(spent < Duration::from_secs(5), "{spent:?}");
    drop((canary, updating));
    gateway.finish();
}

/// Ciphers, compression and extensions that were broken long ago, and a hello that is cut or altered.
#[test]
fn t211_nothing_that_was_broken_is_spoken() {
    let (issued, gateway) = issued();
    for suites in [&[0x0005, 0x0004][..], &[0x000a], &[0x0000, 0x0001], &[0x0003, 0x0008], &[0x002f, 0x009c]]
    {
        nothing(&gateway, &old_hello(0x0303, suites, &[0]));
    }
    nothing(&gateway, &old_hello(0x0303, &[0xc02f, 0xc02b], &[1])); // compression only, as CRIME would have it
    nothing(&gateway, &record(HEARTBEAT, &[1, 0x40, 0]));
    nothing(&gateway, &record(HANDSHAKE, &[1, 0xff, 0xff, 0xff])); // 16 MiB of hello to come
    let good = hello();
    for at in (5..good.len()).step_by(7) {
        let mut altered = good.clone();
        altered[at] ^= 0xff;
        let mut client = gateway.connect_bare();
        client.send(altered);
        client.finish();
        while let Some(answer) = client.read_some_or_end() {
            assert!(matches!(answer[0], ALERT | HANDSHAKE | 20 | 23), "{}", answer.escape_ascii());
        }
    }
    echo(&mut issued.secure(connect(&gateway), "gw.test"), "https://gw.test");
    gateway.finish();
}
