//! Where it listens, and where it connects to.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Stdio;

use tidegate_testkit::{Authority, Backend, Frame, Gateway, Head, PATIENCE, eventually};

use crate::rig::{ANY_PORT, Place, Process, ask, open, talk, upgrade};

#[test]
fn a_port_alone_is_every_address_of_ipv4() {
    let (place, backend) = (Place::new(), Backend::bind());
    let gateway = place.start(&format!("0 {}", backend.address()));
    assert_eq!(gateway.address().ip().to_string(), "0.0.0.0");
    drop(open(gateway.connect(), &upgrade("/"), &backend));
}

#[test]
fn brackets_are_for_ipv6() {
    let (place, backend) = (Place::new(), Backend::bind());
    for listen in ["[::1]:0", "::1:0"] {
        let gateway = place.start(&format!("{listen} {}", backend.address()));
        assert_eq!(gateway.address().ip().to_string(), "::1");
        drop(open(gateway.connect(), &upgrade("/"), &backend));
    }
}

#[test]
fn a_socket_of_a_superserver_is_standard_input() {
    let (place, backend) = (Place::new(), Backend::bind());
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let mut command = place.command(&format!("--inetd {}", backend.address()));
    command.stdin(Stdio::from(OwnedFd::from(socket)));
    let gateway = Gateway::run(command);
    assert_eq!(gateway.address(), address);
    let (mut client, mut far) = open(gateway.connect(), &upgrade("/"), &backend);
    talk(&mut client, &mut far);
}

#[test]
fn standard_input_that_is_no_socket_is_an_error() {
    let (status, said) = Place::new().ended("--inetd 127.0.0.1:1");
    assert_eq!(status, 1);
    assert!(said.contains("standard input is no socket that listens"), "{said}");
}

#[test]
fn unix_sockets_on_both_sides() {
    let place = Place::new();
    let backend = UnixListener::bind(place.path().join("target.sock")).unwrap();
    for (option, mode) in [("", 0o600), ("--unix-listen-mode 0666", 0o666), ("--unix-listen-mode=660", 0o660)]
    {
        let line = format!("--unix-listen listen.sock {option} --unix-target target.sock");
        let _process = Process::start(&mut place.command(&line));
        let path = place.path().join("listen.sock");
        let mut client = eventually("it listens", || UnixStream::connect(&path).ok());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.write_all(&upgrade("/").encode()).unwrap();
        let (mut far, _) = backend.accept().unwrap();
        let head = read_head(&mut client);
        assert_eq!(head.status(), 101);
        client.write_all(&Frame::binary("hello").masked().encode()).unwrap();
        let mut hello = [0; 5];
        std::io::Read::read_exact(&mut far, &mut hello).unwrap();
        assert_eq!(&hello, b"hello");
    }
}

fn read_head(stream: &mut UnixStream) -> Head {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        std::io::Read::read_exact(stream, &mut byte).unwrap();
        bytes.push(byte[0]);
    }
    Head::parse(&bytes)
}

#[test]
fn ssl_target_is_verified() {
    let place = Place::new();
    let authority = Authority::new();
    let backend = Backend::bind_secure(authority.issue("127.0.0.1"));
    let line = format!("--ssl-target {ANY_PORT} {}", backend.address());
    // The system's trust, which this variable is the common way to replace.
    let mut command = place.command(&line);
    command.env("SSL_CERT_FILE", authority.file());
    let gateway = Gateway::run(command);
    let (mut client, mut far) = open(gateway.connect(), &upgrade("/"), &backend);
    talk(&mut client, &mut far);
    drop(gateway);

    let mut command = place.command(&line);
    command.env("SSL_CERT_FILE", Authority::new().file());
    let gateway = Gateway::run(command);
    std::thread::scope(|scope| {
        scope.spawn(|| backend.accept_bare());
        let head = ask(&gateway, &upgrade("/").without("Connection").with("Connection", "Upgrade")).0;
        assert_eq!(head.status(), 502);
    });
}
