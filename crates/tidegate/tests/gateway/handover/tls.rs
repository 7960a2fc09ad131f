//! WebSockets over TLS 1.3 that move, with `tls_hand_over`.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::{self, cipher_suite};
use rustls::pki_types::ServerName;
use rustls::{
    ClientConfig, ClientConnection, ConnectionTrafficSecrets, RootCertStore, StreamOwned,
    SupportedCipherSuite,
};
use tidegate_testkit::{Authority, Backend, Frame, Gateway, Request};

use super::{cut_at_any_byte, fake, hold_what_is_owed, tidegate, upgrade};
use crate::certificates::{Issued, ask, connect, read_frame};
use crate::rig::{EVERY_FAR, Far, Rig, assert_same, gateway};

/// A rig whose clients speak TLS and whose backends do not. The files of the authority are read by every new process.
fn rig() -> (Rig, Authority) {
    let authority = Authority::new();
    let from_anywhere = "origins = ['http://gw.test']";
    let builder =
        gateway().secure(&authority, &authority.issue("127.0.0.1")).listener("tls_hand_over = true");
    (Rig::of(builder, Backend::bind(), Backend::bind(), from_anywhere, ""), authority)
}

#[test]
fn f60_any_byte_from_a_client_over_tls() {
    for far in EVERY_FAR {
        let (rig, _authority) = rig();
        cut_at_any_byte(rig, far, 2);
    }
}

#[test]
fn f60_any_byte_of_a_backend_to_a_client_over_tls() {
    let frames = [Frame::text("half a ").unfinished(), Frame::ping("!"), Frame::continuation("message")];
    let wire: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
    let (mut rig, _authority) = rig();
    let mut sessions: Vec<_> = (0..wire.len()).map(|_| rig.open(Far::Ws)).collect();
    for (cut, session) in sessions.iter_mut().enumerate() {
        session.backend().send(&wire[..cut]);
    }
    upgrade(&mut rig.gateway, wire.len());
    for (cut, session) in sessions.iter_mut().enumerate() {
        session.backend().send(&wire[cut..]);
        assert_same(&session.client.read_exact(wire.len()), &wire);
    }
    drop(sessions);
    rig.finish();
}

#[test]
fn f60_what_a_stopped_reader_over_tls_is_owed_moves_along() {
    for far in EVERY_FAR {
        let (rig, _authority) = rig();
        hold_what_is_owed(rig, far);
    }
}

type Client = StreamOwned<ClientConnection, TcpStream>;

/// A gateway with a certificate for `gw.test`, and these lines at the top and in its listener.
fn issued(top: &str, listener: &str) -> (Issued, Gateway) {
    let issued = Issued::to(&["gw.test"]);
    let listener = format!("tls = {}\n{listener}", issued.tls());
    let gateway =
        gateway().env("TIDEGATE_LOG", "trace").top(top).listener(&listener).route("/echo", "echo:", "");
    (issued, gateway.start())
}

/// A WebSocket of a client that speaks these cipher suites alone, and gives away its keys.
fn open(gateway: &Gateway, issued: &Issued, suites: &[SupportedCipherSuite]) -> Client {
    let mut roots = RootCertStore::empty();
    roots.add(issued.der().clone()).unwrap();
    let mut provider = aws_lc_rs::default_provider();
    if !suites.is_empty() {
        provider.cipher_suites = suites.to_vec();
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.enable_secret_extraction = true;
    let connection = ClientConnection::new(Arc::new(config), ServerName::try_from("gw.test").unwrap());
    let mut client = StreamOwned::new(connection.unwrap(), connect(gateway));
    let head = ask(&mut client, &Request::upgrade("/echo").set("Origin", "https://gw.test"));
    assert_eq!(head.status(), 101, "{head:?}");
    client
}

/// Sends a message and has it back.
#[track_caller]
fn echo(client: &mut Client, said: &str) {
    client.write_all(&Frame::text(said).masked().encode()).unwrap();
    assert_eq!(read_frame(client).payload, said.as_bytes());
}

/// A session for each byte of a record, cut there; all of them move at once.
#[test]
fn f60_any_byte_of_a_record() {
    const SAID: &str = "in one record";
    let (issued, mut gateway) = issued("", "tls_hand_over = true");
    let mut cut = 0;
    let mut cut_off = Vec::new();
    loop {
        let mut client = open(&gateway, &issued, &[]);
        client.conn.writer().write_all(&Frame::text(SAID).masked().encode()).unwrap();
        let mut record = Vec::new();
        client.conn.write_tls(&mut record).unwrap();
        client.sock.write_all(&record[..cut]).unwrap();
        let is_whole = cut == record.len();
        cut_off.push((client, record.split_off(cut)));
        if is_whole {
            break;
        }
        cut += 1;
    }
    upgrade(&mut gateway, cut_off.len());
    for (client, rest) in &mut cut_off {
        client.sock.write_all(rest).unwrap();
        assert_eq!(read_frame(client).payload, SAID.as_bytes());
        echo(client, "and another");
    }
    drop(cut_off);
    gateway.finish();
}

/// Both sides say that they are done, as if there had been one process all the time.
#[test]
fn f60_close_notify_of_either_side_behind_a_hand_over() {
    let (issued, mut gateway) = issued("", "tls_hand_over = true");
    let (mut first, mut second) = (open(&gateway, &issued, &[]), open(&gateway, &issued, &[]));
    upgrade(&mut gateway, 2);
    first.conn.send_close_notify();
    first.flush().unwrap();
    let line = gateway.access_line_of(first.sock.local_addr().unwrap());
    assert_eq!(line["end"], "client_ended", "and not lost: {line}");
    second.write_all(&Frame::close(1000, "").masked().encode()).unwrap();
    assert_eq!(read_frame(&mut second).close_code(), Some(1000));
    assert_eq!(second.read(&mut [0]).unwrap(), 0, "the end, and not one that came unexpectedly");
    drop((first, second));
    gateway.finish();
}

/// Keys may change behind a hand-over, several of them too; a session that has come to the last of its keys is told to
/// come back, and both sides have had all that was said.
#[test]
fn f60_keys_change_behind_a_hand_over() {
    let (issued, mut gateway) = issued("", "tls_hand_over = true");
    let mut client = open(&gateway, &issued, &[]);
    for round in 1..=3 {
        client.conn.refresh_traffic_keys().unwrap();
        echo(&mut client, &format!("new keys before hand-over {round}"));
        upgrade(&mut gateway, 1);
        echo(&mut client, &format!("behind hand-over {round}"));
    }
    // The first update was before the first hand-over, two were behind it, and two are left.
    client.conn.refresh_traffic_keys().unwrap();
    echo(&mut client, "one is left");
    client.conn.refresh_traffic_keys().unwrap();
    client.flush().unwrap();
    let close = read_frame(&mut client);
    assert_eq!(
        (close.close_code(), &close.payload[2..]),
        (Some(1001), &b"please reconnect for new keys"[..])
    );
    client.write_all(&close.masked().encode()).unwrap();
    assert_eq!(client.read(&mut [0]).unwrap(), 0, "close_notify");
    let line = gateway.access_line_of(client.sock.local_addr().unwrap());
    assert_eq!((&line["end"], &line["close_code"]), (&"keys_spent".into(), &1001.into()), "{line}");
    drop(client);
    gateway.finish();
}

/// What cannot move stays, goes on, and is counted: another version, a cipher suite with short keys, and everything where
/// nobody has asked for it.
#[test]
fn f60_what_stays_over_tls() {
    const MOVES: SupportedCipherSuite = cipher_suite::TLS13_AES_256_GCM_SHA384;
    for (listener, suites, moved) in [
        ("", &[MOVES][..], 0),
        ("tls_hand_over = true", &[cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384], 0),
        ("tls_hand_over = true", &[cipher_suite::TLS13_AES_128_GCM_SHA256], 0),
        ("tls_hand_over = true", &[cipher_suite::TLS13_CHACHA20_POLY1305_SHA256], 1),
        // What the client would rather have, and what is better able to move.
        ("tls_hand_over = true", &[cipher_suite::TLS13_AES_128_GCM_SHA256, MOVES], 1),
    ] {
        let (issued, mut gateway) = issued("drain = '1s'", listener);
        let mut client = open(&gateway, &issued, suites);
        echo(&mut client, "before");
        let said = gateway.upgrade();
        let staying = "told to reconnect (1012) within 0.8 s: ";
        let staying = format!("{staying}{}", if moved == 0 { "1 (1 TLS)" } else { "0" });
        assert!(said.contains(&format!("WebSockets moved: {moved}")) && said.contains(&staying), "{said}");
        if moved == 0 {
            assert_eq!(read_frame(&mut client).close_code(), Some(1012));
        } else {
            echo(&mut client, "behind");
        }
        drop(client);
        gateway.finish();
    }
}

/// Whoever does not say that it goes on with TLS is sent no keys, and with whom it comes to nothing has none that count:
/// the session goes on where it is, and moves another time.
#[test]
fn f60_a_new_process_that_takes_no_tls_or_fails_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin.sock");
    let (issued, mut gateway) =
        issued(&format!("admin = 'unix:{}'", socket.display()), "tls_hand_over = true");
    let mut client = open(&gateway, &issued, &[]);
    for (part, why) in [
        ("knows no TLS", "ended before it is alone"),
        ("dies with a session", "ended before it has all sessions"),
        ("dies when it is to serve", "ended before it serves"),
    ] {
        let binary = fake::binary(folder.path(), part);
        let said = tidegate(&socket, &["upgrade", "--binary", binary.to_str().unwrap()]);
        assert!(said.contains("422") && said.contains(why), "{part}: {said}");
        gateway.diagnosis(why); // or it would be taken for the word of the next one
        echo(&mut client, part);
        client.conn.refresh_traffic_keys().unwrap();
        echo(&mut client, "with new keys");
    }
    upgrade(&mut gateway, 1);
    echo(&mut client, "and there it goes");
    drop(client);
    gateway.finish();
}

/// Keys are not in anything that anybody gets to see.
#[test]
fn f60_keys_are_shown_to_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin.sock");
    let (issued, mut gateway) =
        issued(&format!("admin = 'unix:{}'", socket.display()), "tls_hand_over = true");
    let mut client = open(&gateway, &issued, &[]);
    upgrade(&mut gateway, 1);
    upgrade(&mut gateway, 1);
    echo(&mut client, "over there");
    let mut seen = gateway.diagnosis_so_far().join("\n");
    for asked in [&["status", "--json"][..], &["connections", "--json"], &["status"], &["connections"]] {
        seen += &tidegate(&socket, asked);
    }
    client.conn.send_close_notify();
    client.flush().unwrap();
    write!(seen, "{}", gateway.access_line_of(client.sock.local_addr().unwrap())).unwrap();
    assert!(seen.contains("took over") && seen.contains("client_ended") && seen.contains("/echo"), "{seen}");
    let secrets = client.conn.dangerous_extract_secrets().unwrap();
    for (_, secret) in [secrets.tx, secrets.rx] {
        let ConnectionTrafficSecrets::Aes256Gcm { key, .. } = secret else {
            panic!("it is what is preferred")
        };
        for form in forms(key.as_ref()) {
            assert!(!seen.contains(&form), "{form} is in: {seen}");
        }
    }
    gateway.finish();
}

/// The beginning of these bytes as they might be shown.
fn forms(bytes: &[u8]) -> [String; 3] {
    use base64::Engine as _;
    let bytes = &bytes[..12];
    let hex = bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let list = format!("{bytes:?}");
    [hex, list[1..list.len() - 1].to_owned(), base64::engine::general_purpose::STANDARD.encode(bytes)]
}
