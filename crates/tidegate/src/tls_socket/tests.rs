use std::io::Write as _;
use std::pin::pin;
use std::task::Waker;

use rustls::crypto::aws_lc_rs::cipher_suite::{
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384,
    TLS13_CHACHA20_POLY1305_SHA256,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, SupportedCipherSuite};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;

/// A client of rustls, and a socket that serves it, with so many bytes of room between the two in each direction.
async fn pair(room: usize) -> (TlsStream<DuplexStream>, TlsSocket<DuplexStream>) {
    pair_with(room, &[]).await
}

/// With one of these cipher suites, if there are any, and keys that can be taken out.
async fn pair_with(
    room: usize,
    suites: &[SupportedCipherSuite],
) -> (TlsStream<DuplexStream>, TlsSocket<DuplexStream>) {
    let own = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
    let mut roots = RootCertStore::empty();
    roots.add(own.cert.der().clone()).unwrap();
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    if !suites.is_empty() {
        provider.cipher_suites = suites.to_vec();
    }
    let provider = Arc::new(provider);
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.into()], key);
    let mut server = server.unwrap();
    server.enable_secret_extraction = !suites.is_empty();
    if room < 500 {
        server.send_tls13_tickets = 0; // nobody reads them before both have taken the handshake
    }
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (near, far) = duplex(room);
    let connector = TlsConnector::from(Arc::new(client));
    let connecting = connector.connect("a.test".try_into().unwrap(), far);
    let (client, socket) = tokio::join!(connecting, TlsSocket::accept(near, Arc::new(server)));
    (client.unwrap(), socket.unwrap())
}

fn holds_nothing<S>(socket: &TlsSocket<S>) -> bool {
    let Held { incoming, opened, outgoing, .. } = &socket.held;
    incoming.capacity() + opened.capacity() + outgoing.capacity() == 0
}

fn payload(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

#[tokio::test]
async fn whatever_the_pieces_everything_arrives_and_nothing_is_kept() {
    for (room, piece) in [(1 << 20, 1 << 20), (1 << 20, 1000), (100, 1 << 20), (100, 7), (20_000, 16_384)] {
        let (mut client, mut socket) = pair(room).await;
        let sent = payload(100_000);
        let mut received = Vec::new();
        let send = async {
            client.write_all(&sent).await.unwrap();
            client.shutdown().await.unwrap();
        };
        let receive = async {
            let mut into = vec![0; piece];
            loop {
                match socket.read(&mut into).await.unwrap() {
                    0 => break,
                    read => received.extend_from_slice(&into[..read]),
                }
            }
        };
        tokio::join!(send, receive);
        assert!(received == sent, "{room} {piece}");
        assert!(holds_nothing(&socket), "{room} {piece}");
    }
}

#[tokio::test]
async fn a_slow_peer_gets_everything_and_then_the_end() {
    let (mut client, mut socket) = pair(500).await;
    let sent = payload(600_000);
    let mut received = Vec::new();
    let send = async {
        socket.write_all(&sent).await.unwrap();
        socket.shutdown().await.unwrap();
    };
    let (_, read) = tokio::join!(send, client.read_to_end(&mut received));
    assert_eq!((read.unwrap(), received == sent), (sent.len(), true), "and no UnexpectedEof");
    assert!(holds_nothing(&socket));
    assert_eq!(socket.write(b"x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn what_comes_after_our_end_is_still_read() {
    let (mut client, mut socket) = pair(1 << 16).await;
    socket.shutdown().await.unwrap();
    client.write_all(b"late").await.unwrap();
    client.flush().await.unwrap();
    let mut into = [0; 10];
    assert_eq!(socket.read(&mut into).await.unwrap(), 4);
}

#[tokio::test]
async fn keys_may_change_in_both_directions() {
    let (mut client, mut socket) = pair(1 << 16).await;
    let mut into = [0; 100];
    for round in 0..5_u8 {
        client.get_mut().1.refresh_traffic_keys().unwrap(); // which asks for the same of us
        client.write_all(&[round; 9]).await.unwrap();
        client.flush().await.unwrap();
        assert_eq!((socket.read(&mut into).await.unwrap(), into[8]), (9, round));
        socket.write_all(&into[..9]).await.unwrap();
        socket.flush().await.unwrap();
        assert_eq!((client.read(&mut into).await.unwrap(), into[8]), (9, round));
    }
    assert!(holds_nothing(&socket));
}

#[tokio::test]
async fn an_end_without_close_notify_is_told_from_one_with_it() {
    let (client, mut socket) = pair(1 << 16).await;
    drop(client.into_inner().0);
    assert_eq!(socket.read(&mut [0; 10]).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn what_is_no_tls_is_refused_with_an_alert() {
    let (mut client, mut socket) = pair(1 << 16).await;
    client.get_mut().0.write_all(b"\x17\x03\x03\x00\x20this was sealed by nobody, or so").await.unwrap();
    assert_eq!(socket.read(&mut [0; 10]).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    let alert = client.read(&mut [0; 10]).await.unwrap_err();
    assert!(alert.to_string().contains("BadRecordMac"), "{alert}");
}

/// Another socket in the place of this one, as another process makes it of what is written down.
fn moved(mut socket: TlsSocket<DuplexStream>) -> TlsSocket<DuplexStream> {
    assert!(socket.may_move());
    socket.free_keys().unwrap();
    let written = serde_json::to_vec(&socket.write_down().unwrap()).unwrap();
    TlsSocket::take_up(socket.socket, serde_json::from_slice(&written).unwrap()).unwrap()
}

const MOVABLE: [SupportedCipherSuite; 2] = [TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256];

/// Records of every length are cut at every byte, and what is sent is cut by a socket that takes little.
#[tokio::test]
async fn f60_it_goes_on_elsewhere_after_any_byte() {
    for suite in MOVABLE {
        let (mut client, mut socket) = pair_with(1 << 16, &[suite]).await;
        for round in 0..150 {
            let sent = payload(1 + round % 70);
            client.get_mut().1.writer().write_all(&sent).unwrap();
            let mut record = Vec::new();
            client.get_mut().1.write_tls(&mut record).unwrap();
            let (first, rest) = record.split_at(round * 7 % record.len());
            client.get_mut().0.write_all(first).await.unwrap();
            let mut into = [0; 100];
            let is_early =
                pin!(socket.read(&mut into)).poll(&mut Context::from_waker(Waker::noop())).is_ready();
            assert!(!is_early, "the record is cut");
            socket = moved(socket);
            client.get_mut().0.write_all(rest).await.unwrap();
            let read = socket.read(&mut into[..50]).await.unwrap();
            socket = moved(socket); // with what did not fit
            let more = if sent.len() > read { socket.read(&mut into[read..]).await.unwrap() } else { 0 };
            assert_eq!(&into[..read + more], sent);
            socket.write_all(&sent).await.unwrap();
            socket.flush().await.unwrap();
            client.read_exact(&mut into[..sent.len()]).await.unwrap();
            assert_eq!(&into[..sent.len()], sent);
        }
        assert!(holds_nothing(&socket));
        socket.shutdown().await.unwrap();
        assert_eq!(client.read(&mut [0; 10]).await.unwrap(), 0, "close_notify, and nothing wrong before it");
        client.shutdown().await.unwrap();
        assert_eq!(moved(socket).read(&mut [0; 10]).await.unwrap(), 0, "and the other way");
    }
}

#[tokio::test]
async fn f60_what_the_socket_has_not_taken_moves_along() {
    let (mut client, mut socket) = pair_with(1_000, &MOVABLE).await;
    let sent = payload(400_000);
    let mut received = Vec::new();
    let send = async {
        let mut gone = 0;
        while gone < sent.len() {
            gone += socket.write(&sent[gone..]).await.unwrap();
            socket = moved(socket);
        }
        socket.shutdown().await.unwrap();
    };
    let (_, read) = tokio::join!(send, client.read_to_end(&mut received));
    assert_eq!((read.unwrap(), received == sent), (sent.len(), true));
}

/// The keys that come after those in use travel along: they may change, in both directions, before and behind the move.
/// With the last of them it says that it is spent, and goes on all the same.
#[tokio::test]
async fn f60_keys_may_change_a_few_times_elsewhere() {
    for suite in MOVABLE {
        let (mut client, mut socket) = pair_with(1 << 16, &[suite]).await;
        let mut into = [0; 100];
        for round in 0..7_u8 {
            if round > 0 {
                client.get_mut().1.refresh_traffic_keys().unwrap(); // which asks for the same of us
            }
            client.write_all(&[round; 9]).await.unwrap();
            client.flush().await.unwrap();
            if round == 7 - 1 {
                assert_eq!(socket.read(&mut into).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
                let alert = client.read(&mut into).await.unwrap_err().to_string();
                assert!(alert.contains("InternalError"), "{alert}");
                break;
            }
            assert_eq!((socket.read(&mut into).await.unwrap(), into[8]), (9, round));
            socket.write_all(&into[..9]).await.unwrap();
            socket.flush().await.unwrap();
            assert_eq!((client.read(&mut into).await.unwrap(), into[8]), (9, round));
            assert_eq!(socket.is_spent(), round == 5, "{round}");
            if round > 0 {
                socket = moved(socket); // the first time with keys that are not the first
            }
        }
    }
}

/// Before so many records are sealed with a key that it could be attacked, the next one is taken.
#[tokio::test]
async fn a_key_is_used_for_so_many_records_only() {
    const RECORDS_MAX: u64 = 1 << 24;
    let (mut client, mut socket) = pair_with(1 << 16, &MOVABLE[..1]).await;
    socket.free_keys().unwrap();
    let mut written = socket.write_down().unwrap();
    let spare = written.sealing.secrets.len();
    written.sealing.seq = RECORDS_MAX - 2;
    let mut socket = TlsSocket::take_up(socket.socket, written).unwrap();
    socket.write_all(b"one").await.unwrap();
    socket.write_all(b"another").await.unwrap();
    let written = socket.write_down().unwrap();
    assert_eq!((written.sealing.seq, written.sealing.secrets.len()), (1, spare - 1));
    drop(socket);
    // The client has read no such number of records, so all that it sees is one that it cannot open.
    assert!(client.read(&mut [0; 10]).await.is_err());
}

#[tokio::test]
async fn what_stays_says_so() {
    for (suite, moves) in [
        (TLS13_AES_256_GCM_SHA384, true),
        (TLS13_CHACHA20_POLY1305_SHA256, true),
        (TLS13_AES_128_GCM_SHA256, false),
        (TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, false),
    ] {
        let (_client, socket) = pair_with(1 << 16, &[suite]).await;
        assert_eq!(socket.may_move(), moves, "{suite:?}");
        assert!(socket.write_down().is_none());
    }
    let (_client, socket) = pair(1 << 16).await;
    assert!(!socket.may_move(), "nobody has switched it on");
}

/// What is wrong is refused by an alert, as before.
#[tokio::test]
async fn what_is_no_record_is_refused_elsewhere_too() {
    let long = [&b"\x17\x03\x03\x7f\xff"[..], &[0; 40]].concat();
    for (bytes, alert) in [
        (&b"\x17\x03\x03\0\x20this was sealed by nobody, or so"[..], "BadRecordMac"),
        (b"\x17\x03\x03\0\0", "BadRecordMac"),
        (b"\x15\x03\x03\0\x02\x01\0", "UnexpectedMessage"),
        (b"GET / HTTP/1.1\r\n", "UnexpectedMessage"),
        (&long, "RecordOverflow"),
    ] {
        let (mut client, socket) = pair_with(1 << 16, &MOVABLE).await;
        let mut socket = moved(socket);
        client.get_mut().0.write_all(bytes).await.unwrap();
        assert_eq!(socket.read(&mut [0; 10]).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        let said = client.read(&mut [0; 10]).await.unwrap_err().to_string();
        assert!(said.contains(alert), "{said}");
    }
}

#[tokio::test]
async fn nothing_of_the_keys_is_shown() {
    let (_client, mut socket) = pair_with(1 << 16, &MOVABLE).await;
    socket.free_keys().unwrap();
    let written = socket.write_down().unwrap();
    let key = written.opening.secrets[0].key();
    let shown = format!("{written:?} {socket:?}");
    assert!(shown.contains("secret") && !shown.contains(&format!("{key:?}")), "{shown}");
    let text = serde_json::to_value(&written.opening.secrets[0]).unwrap();
    assert!(!shown.contains(text.as_str().unwrap()));
}

#[tokio::test]
async fn what_no_socket_could_have_written_is_declined() {
    let (_client, mut socket) = pair_with(1 << 16, &MOVABLE).await;
    socket.free_keys().unwrap();
    let good = socket.write_down().unwrap();
    let declined = |written| TlsSocket::take_up(duplex(1).0, written).map(drop).unwrap_err();
    let mut suite = good.clone();
    suite.suite = 0x1301;
    assert!(declined(suite).contains("cipher suite"));
    let mut keys = good.clone();
    keys.opening.secrets.clear();
    assert!(declined(keys).contains("keys"));
    let mut held = good;
    held.incoming.0 = vec![0; 3 * RECORDS_BYTES];
    assert!(declined(held).contains("holds more"));
}
