//! Certificates as clients meet them, and what keeps a gateway from starting.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tidegate_testkit::{Frame, Gateway, Head, PATIENCE, Request, eventually};

use crate::admin::{ADMIN, scrape};
use crate::rig::gateway;

/// A certificate for these names, and its key, beside each other in a folder.
pub(crate) struct Issued {
    folder: tempfile::TempDir,
    der: CertificateDer<'static>,
}

impl Issued {
    pub(crate) fn to(names: &[&str]) -> Self {
        Self::with(names, |_| {})
    }

    pub(crate) fn with(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let certificate = params.self_signed(&key).unwrap();
        fs::write(folder.path().join("cert.pem"), certificate.pem()).unwrap();
        fs::write(folder.path().join("key.pem"), key.serialize_pem()).unwrap();
        Self { folder, der: certificate.der().clone() }
    }

    pub(crate) const fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// As a value of `tls`.
    pub(crate) fn tls(&self) -> String {
        let [cert, key] = ["cert.pem", "key.pem"].map(|name| self.folder().join(name).display().to_string());
        format!("{{ cert = '{cert}', key = '{key}' }}")
    }

    /// TLS on a connection, by a client that believes this certificate and asks for `name`.
    pub(crate) fn secure<S: Read + Write>(&self, socket: S, name: &str) -> StreamOwned<ClientConnection, S> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), socket)
    }
}

/// A connection of which no read or write waits for ever.
pub(crate) fn connect(gateway: &Gateway) -> TcpStream {
    let socket = TcpStream::connect(gateway.address()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Bytes of the stream up to where `is_whole` says that they are.
pub(crate) fn read_until(stream: &mut impl Read, is_whole: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !is_whole(&bytes) {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "the end after {}", bytes.escape_ascii());
        bytes.extend(byte);
    }
    bytes
}

/// The head of the answer to a request.
pub(crate) fn ask(stream: &mut (impl Read + Write), request: &Request) -> Head {
    stream.write_all(&request.encode()).unwrap();
    Head::parse(&read_until(stream, |bytes| bytes.ends_with(b"\r\n\r\n")))
}

/// The next frame.
pub(crate) fn read_frame(stream: &mut impl Read) -> Frame {
    let bytes = read_until(stream, |bytes| Frame::parse(bytes).is_some());
    Frame::parse(&bytes).unwrap().0
}

/// Opens a WebSocket on `/echo` and has a message sent back.
pub(crate) fn echo(stream: &mut (impl Read + Write), origin: &str) {
    let head = ask(stream, &Request::upgrade("/echo").set("Origin", origin));
    assert_eq!(head.status(), 101, "{head:?}");
    stream.write_all(&Frame::text("ahoy").masked().encode()).unwrap();
    assert_eq!(read_frame(stream).payload, b"ahoy");
}

/// The certificate that a client is shown which asks for `name`, whatever it thinks of it.
pub(crate) fn shown(gateway: &Gateway, believed: &Issued, name: &str) -> Option<CertificateDer<'static>> {
    let mut stream = believed.secure(connect(gateway), name);
    let _refused = stream.conn.complete_io(&mut stream.sock);
    stream.conn.peer_certificates().map(|chain| chain[0].clone().into_owned())
}

#[test]
fn t205_the_certificate_for_the_name_or_the_first() {
    let (first, second) = (Issued::to(&["first.test"]), Issued::to(&["second.test", "*.second.test"]));
    let gateway = gateway()
        .listener(&format!("tls = [{}, {}]", first.tls(), second.tls()))
        .route("/echo", "echo:", "")
        .start();
    echo(&mut first.secure(connect(&gateway), "first.test"), "https://gw.test");
    for name in ["second.test", "a.second.test"] {
        echo(&mut second.secure(connect(&gateway), name), "https://gw.test");
    }
    assert_eq!(shown(&gateway, &first, "first.test"), Some(first.der));
}

#[test]
fn f44_an_expired_certificate_is_served_and_the_operator_is_told() {
    let expired = Issued::with(&["gw.test"], |params| {
        params.not_before = date_time_ymd(1999, 1, 1);
        params.not_after = date_time_ymd(2000, 1, 1);
    });
    let gateway = gateway().listener(&format!("tls = {}", expired.tls())).route("/echo", "echo:", "").start();
    let line = gateway.diagnosis("has expired");
    assert!(line.contains("warning: listener \"127.0.0.1:0\": tls: cert \""), "{line}");
    assert!(line.contains("has expired, at 2000-01-01 00:00 UTC; renew it"), "{line}");
    // Served: it is the client that refuses.
    let mut stream = expired.secure(connect(&gateway), "gw.test");
    let error = stream.write_all(b"x").unwrap_err();
    assert!(error.to_string().to_lowercase().contains("expired"), "{error}");
}

/// When the certificate that is served ends can be told from the metrics, before clients tell it.
#[test]
fn f44_when_certificates_end_is_counted() {
    let until = |year| {
        Issued::with(&["gw.test"], |params| {
            params.not_before = date_time_ymd(1999, 1, 1);
            params.not_after = date_time_ymd(year, 1, 1);
        })
    };
    let (ending, renewed) = (until(2000), until(2100));
    let gateway =
        gateway().top(ADMIN).listener(&format!("tls = {}", ending.tls())).route("/echo", "echo:", "").start();
    let file = ending.folder().join("cert.pem");
    let sample = format!(
        "tidegate_certificate_expiry_timestamp_seconds{{listener=\"127.0.0.1:0\",file=\"{}\"}}",
        file.display()
    );
    for (end, then) in [(946_684_800.0, &ending), (4_102_444_800.0, &renewed)] {
        for name in ["cert.pem", "key.pem"] {
            let text = fs::read(then.folder().join(name)).unwrap();
            fs::write(ending.folder().join(name), text).unwrap();
        }
        eventually("the metrics tell the end of what is served", || {
            (scrape(&gateway).find(&sample) == Some(end)).then_some(())
        });
    }
}

/// What the command makes of a listener with TLS. It must end by itself, with an error.
fn refused(command: &str, issued: &Issued) -> Output {
    let config = issued.folder().join("tidegate.toml");
    let text = "[[listener]]\naddress = '127.0.0.1:0'\ntls = { cert = 'cert.pem', key = 'key.pem' }\n\
                [[route]]\npath = '/echo'\nbackend = 'echo:'\n";
    fs::write(&config, text).unwrap();
    Command::new(env!("CARGO_BIN_EXE_tidegate")).args([command, "-c"]).arg(config).output().unwrap()
}

type Spoil = dyn Fn(&Issued);

#[test]
fn f43_f44_files_that_are_no_pair_or_not_whole_keep_it_from_starting() {
    let key_of_another = |issued: &Issued| {
        fs::copy(Issued::to(&["gw.test"]).folder().join("key.pem"), issued.folder().join("key.pem")).unwrap();
    };
    let half = |name: &'static str| {
        move |issued: &Issued| {
            let path = issued.folder().join(name);
            let text = fs::read(&path).unwrap();
            fs::write(path, &text[..text.len() / 2]).unwrap();
        }
    };
    let empty = |issued: &Issued| fs::write(issued.folder().join("cert.pem"), "").unwrap();
    let missing = |issued: &Issued| fs::remove_file(issued.folder().join("key.pem")).unwrap();
    let cases: [(&Spoil, &str); 5] = [
        (&key_of_another, "key \"key.pem\" is not the key of the first certificate in "),
        (&half("cert.pem"), "cert \"cert.pem\" breaks off in the middle of a block"),
        (&half("key.pem"), "key \"key.pem\" breaks off in the middle of a block"),
        (&empty, "cert \"cert.pem\" is empty"),
        (&missing, "key \"key.pem\" cannot be read: No such file"),
    ];
    for (spoil, said) in cases {
        let issued = Issued::to(&["gw.test"]);
        spoil(&issued);
        for command in ["check", "serve"] {
            let output = refused(command, &issued);
            let diagnosis = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{diagnosis}");
            assert!(diagnosis.contains(said), "{diagnosis}");
            assert!(diagnosis.contains("tidegate.toml:3:"), "with its place: {diagnosis}");
        }
    }
}
