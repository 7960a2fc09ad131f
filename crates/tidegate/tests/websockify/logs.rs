//! Where its words go besides standard error.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;

use tidegate_testkit::{Backend, Gateway, PATIENCE};

use crate::rig::{ANY_PORT, Place, open, upgrade};

/// Has one WebSocket, and ends.
#[track_caller]
fn session(mut gateway: Gateway, backend: &Backend) {
    drop(open(gateway.connect(), &upgrade("/"), backend));
    gateway.diagnosis("\"kind\":\"websocket\"");
    gateway.terminate();
    assert_eq!(gateway.wait().code(), Some(0));
}

#[test]
fn a_log_file_is_appended_to() {
    let (place, backend) = (Place::new(), Backend::bind());
    let log = place.write("log", "the line before\n");
    session(place.start(&format!("--log-file log {ANY_PORT} {}", backend.address())), &backend);
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.starts_with("the line before\n"), "{text}");
    for expected in ["INFO listening on http://127.0.0.1:", "\"kind\":\"websocket\"", "stopping"] {
        assert!(text.contains(expected), "no {expected} in {text}");
    }
    let (status, said) = place.ended(&format!("--log-file no/such/log {ANY_PORT} 127.0.0.1:1"));
    assert_eq!(status, 1);
    assert!(said.contains("cannot log to no/such/log"), "{said}");
}

#[test]
fn verbose_tells_what_is_decided() {
    let (place, backend) = (Place::new(), Backend::bind());
    for (option, told) in [("", false), ("-v", true)] {
        place.write("log", "");
        let line = format!("{option} --log-file log {ANY_PORT} {}", Backend::refusing());
        let gateway = place.start(&line);
        let mut client = gateway.connect();
        client.send(upgrade("/").encode());
        assert_eq!(client.read_response().0.status(), 502);
        gateway.diagnosis("\"status\":502");
        let text = fs::read_to_string(place.path().join("log")).unwrap();
        assert_eq!(text.contains("DEBUG refused"), told, "{text}");
    }
    backend.assert_untouched();
}

/// The first datagram with this in it.
#[track_caller]
fn datagram(mut receive: impl FnMut(&mut [u8]) -> usize, what: &str) -> String {
    let mut message = [0; 4096];
    for _ in 0..100 {
        let len = receive(&mut message);
        let text = String::from_utf8(message[..len].to_vec()).unwrap();
        if text.contains(what) {
            return text;
        }
    }
    panic!("no {what} in a hundred messages");
}

#[test]
fn syslog_over_udp_in_the_form_of_rfc_5424() {
    let (place, backend) = (Place::new(), Backend::bind());
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let at = server.local_addr().unwrap();
    session(place.start(&format!("--syslog {at} {ANY_PORT} {}", backend.address())), &backend);
    let message = datagram(|buffer| server.recv(buffer).unwrap(), "listening on");
    let fields: Vec<_> = message.splitn(8, ' ').collect();
    assert_eq!((fields[0], fields[3], fields[5], fields[6]), ("<14>1", "websockify", "-", "-"), "{message}");
    assert!(fields[1].ends_with('Z') && fields[4].parse::<u32>().is_ok(), "{message}");
    assert!(fields[7].starts_with("listening on http://"), "{message}");
    let line = datagram(|buffer| server.recv(buffer).unwrap(), "\"kind\":\"websocket\"");
    assert!(line.starts_with("<14>1 "), "{line}");
}

#[test]
fn syslog_on_a_unix_socket_in_the_old_form() {
    let (place, backend) = (Place::new(), Backend::bind());
    let server = UnixDatagram::bind(place.path().join("dev-log")).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let line = format!("--legacy-syslog --syslog dev-log {ANY_PORT} {}", backend.address());
    session(place.start(&line), &backend);
    let message = datagram(|buffer| server.recv(buffer).unwrap(), "listening on");
    assert!(message.starts_with("<14>websockify["), "{message}");
    assert!(message.contains("]: listening on http://"), "{message}");
}
