//! Listeners on Unix sockets: who may connect, what is said about those who do, and what becomes of the file.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};

use tidegate_testkit::{Backend, Builder, Head, PATIENCE, Request, eventually};

use crate::certificates::{Issued, ask, echo, read_frame, read_until};
use crate::rig::gateway;

/// A gateway that listens on this socket as well as on loopback.
fn listening_on(socket: &Path, keys: &str) -> Builder {
    gateway().top(&format!("[[listener]]\naddress = 'unix:{}'\n{keys}", socket.display()))
}

fn connect(socket: &Path) -> UnixStream {
    patient(UnixStream::connect(socket).unwrap())
}

fn patient(stream: UnixStream) -> UnixStream {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

#[test]
fn a_websocket_through_a_unix_socket_that_is_gone_after_the_drain() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("tidegate.sock");
    let mut gateway = listening_on(&socket, "").route("/echo", "echo:", "").start();
    gateway.diagnosis(&format!("listening on http://unix:{}", socket.display()));
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o7777, 0o660);
    let mut client = connect(&socket);
    echo(&mut client, "http://gw.test");

    gateway.terminate();
    // Gone only in the end: until then a connection lives that came through it.
    let close = read_frame(&mut client);
    assert!(socket.exists());
    client.write_all(&close.masked().encode()).unwrap();
    let line = gateway.access_line(|line| line["kind"] == "websocket");
    assert_eq!((&line["client"], &line["close_code"]), (&"unix:".into(), &1001.into()), "{line}");
    drop(client);
    assert_eq!(gateway.wait().code(), Some(0));
    assert!(!socket.exists());
}

#[test]
fn the_mode_is_what_the_file_says() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("tidegate.sock");
    let _gateway = listening_on(&socket, "socket_mode = '0606'").route("/echo", "echo:", "").start();
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o7777, 0o606);
}

#[test]
fn f38_the_socket_of_a_killed_gateway_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("tidegate.sock");
    let builder = listening_on(&socket, "").route("/echo", "echo:", "");
    drop(builder.start()); // killed
    assert!(socket.exists());
    let _gateway = builder.start();
    echo(&mut connect(&socket), "http://gw.test");
}

/// The diagnosis of a gateway that must not start on this path.
fn refused(path: &Path) -> String {
    let config = format!(
        "[[listener]]\naddress = 'unix:{}'\n[[route]]\npath = '/echo'\nbackend = 'echo:'\n",
        path.display()
    );
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(config.as_bytes()).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["serve", "-c"])
        .arg(file.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let status = eventually("the gateway gives up", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(1));
    let mut diagnosis = String::new();
    child.stderr.unwrap().read_to_string(&mut diagnosis).unwrap();
    diagnosis
}

#[test]
fn what_is_alive_or_no_socket_keeps_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let alive = folder.path().join("alive.sock");
    let _listener = UnixListener::bind(&alive).unwrap();
    let diagnosis = refused(&alive);
    assert!(diagnosis.contains(&format!("another process listens on {}", alive.display())), "{diagnosis}");
    connect(&alive);
    let file = folder.path().join("notes.txt");
    fs::write(&file, "worth keeping").unwrap();
    let diagnosis = refused(&file);
    assert!(
        diagnosis.contains(&format!("unix:{}\" is there already, and is no socket", file.display())),
        "{diagnosis}"
    );
    assert_eq!(fs::read(&file).unwrap(), b"worth keeping");
}

#[test]
fn an_abstract_name_needs_no_file() {
    let name = format!("tidegate-gateway-test-{}", std::process::id());
    let gateway =
        gateway().top(&format!("[[listener]]\naddress = 'unix:@{name}'")).route("/echo", "echo:", "").start();
    gateway.diagnosis(&format!("listening on http://unix:@{name}"));
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    echo(&mut patient(UnixStream::connect_addr(&address).unwrap()), "http://gw.test");
}

/// What nginx in front sends: the client's address and scheme, and the host that it was asked for.
fn from_nginx(target: &str, client: &str) -> Request {
    Request::upgrade(target)
        .with("X-Forwarded-For", client)
        .with("X-Forwarded-Proto", "https")
        .set("Origin", "https://gw.test")
}

/// The head with which a `ws://` backend is asked, and the client's address in the access line.
fn passed_on(keys: &str, request: &Request) -> (Head, String) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("tidegate.sock");
    let backend = Backend::bind();
    let gateway = listening_on(&socket, keys).route("/ws", &backend.ws(), "").start();
    let mut client = connect(&socket);
    client.write_all(&request.encode()).unwrap();
    let (wire, head) = backend.accept_websocket();
    read_until(&mut client, |bytes| bytes.ends_with(b"\r\n\r\n"));
    drop((client, wire));
    let line = gateway.access_line(|line| line["kind"] == "websocket");
    (head, line["client"].as_str().unwrap().to_owned())
}

#[test]
fn t082_a_trusted_proxy_behind_a_unix_socket_names_the_client() {
    let request = from_nginx("/ws", "198.51.100.9, 192.0.2.7");
    let (head, client) = passed_on("trusted_proxies = ['unix:']", &request);
    assert_eq!(client, "192.0.2.7", "the right-most address, which the proxy has written itself");
    assert_eq!(head.field("X-Forwarded-For"), Some("198.51.100.9, 192.0.2.7"));
    assert_eq!(head.field("X-Forwarded-Proto"), Some("https"));
    assert_eq!(head.field("X-Forwarded-Port"), Some("443"));
}

#[test]
fn t082_an_untrusted_peer_behind_a_unix_socket_has_no_address_at_all() {
    let request = from_nginx("/ws", "192.0.2.7").set("Origin", "http://gw.test");
    let (head, client) = passed_on("trusted_proxies = ['0.0.0.0/0', '::/0']", &request);
    assert_eq!(client, "unix:");
    assert_eq!(head.all("X-Forwarded-For"), Vec::<&str>::new());
    assert_eq!((head.field("X-Forwarded-Proto"), head.field("X-Forwarded-Port")), (Some("http"), Some("80")));
}

/// The status of an upgrade, and the connection for as long as it is kept.
fn status(socket: &Path, fields: &[(&str, &str)]) -> (u16, UnixStream) {
    let mut stream = connect(socket);
    let request =
        fields.iter().fold(Request::upgrade("/echo"), |request, (name, value)| request.with(name, value));
    (ask(&mut stream, &request).status(), stream)
}

#[test]
fn t243_only_clients_with_an_address_have_a_quota() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("tidegate.sock");
    let _gateway = gateway()
        .top("max_connections_per_client = 1")
        .top(&format!("[[listener]]\naddress = 'unix:{}'\ntrusted_proxies = ['unix:']", socket.display()))
        .route("/echo", "echo:", "")
        .start();
    let unnamed: Vec<_> = (0..3).map(|_| status(&socket, &[])).collect();
    assert!(unnamed.iter().all(|(status, _)| *status == 101));
    let named = [("X-Forwarded-For", "192.0.2.1")];
    let (first, _first) = status(&socket, &named);
    let (second, _second) = status(&socket, &named);
    assert_eq!([first, second], [101, 503]);
}

#[test]
fn tls_through_a_unix_socket() {
    let issued = Issued::to(&["gw.test"]);
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("tidegate.sock");
    let start = |keys: &str| listening_on(&socket, keys).route("/echo", "echo:", "").start();

    let gateway = start(&format!("tls = {}", issued.tls()));
    gateway.diagnosis("listening on https://unix:");
    echo(&mut issued.secure(connect(&socket), "gw.test"), "https://gw.test");
    drop(gateway);

    let [cert, key] = ["cert.pem", "key.pem"].map(|name| issued.folder().join(name).display().to_string());
    let gateway = start(&format!("tls = 'auto'\ncert = '{cert}'\nkey = '{key}'"));
    gateway.diagnosis("listening on http+https://unix:");
    echo(&mut issued.secure(connect(&socket), "gw.test"), "https://gw.test");
    echo(&mut connect(&socket), "http://gw.test");
}
