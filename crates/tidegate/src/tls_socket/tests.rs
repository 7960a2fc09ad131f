use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;

/// A client of rustls, and a socket that serves it, with so many bytes of room between the two in each direction.
async fn pair(room: usize) -> (TlsStream<DuplexStream>, TlsSocket<DuplexStream>) {
    let own = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
    let mut roots = RootCertStore::empty();
    roots.add(own.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.into()], key);
    let mut server = server.unwrap();
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
    socket.incoming.capacity() + socket.opened.capacity() + socket.outgoing.capacity() == 0
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
