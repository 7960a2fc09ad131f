//! Several backends of one route: who is chosen, and what happens when one is gone.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::{io, thread};

use tidegate_testkit::{Backend, Full, Gateway, Request, Wire};

use crate::rig::gateway;

/// A gateway with these backends on one route.
fn with_lines(backends: &[String], lines: &str) -> Gateway {
    gateway().tables(&format!("[[route]]\npath = '/ws'\nbackend = {backends:?}\n{lines}")).start()
}

/// A backend that says nothing, and ends when the gateway does: one that nobody answers for would be waited for.
fn silent() -> String {
    silent_at(([127, 0, 0, 1], 0).into())
}

fn silent_at(address: SocketAddr) -> String {
    let listener = TcpListener::bind(address).unwrap();
    let address = listener.local_addr().unwrap();
    let hear_out = |mut socket: TcpStream| io::copy(&mut socket, &mut io::sink());
    thread::spawn(move || {
        for socket in listener.incoming().take(100) {
            thread::spawn(move || hear_out(socket?));
        }
    });
    format!("tcp://{address}")
}

/// Opens a WebSocket and ends it; the backend that the access line names.
#[track_caller]
fn chosen(gateway: &Gateway, request: &Request) -> String {
    let mut client = gateway.connect();
    client.send(request.encode());
    assert_eq!(client.read_head().status(), 101);
    ended(gateway, client)
}

#[track_caller]
fn ended(gateway: &Gateway, client: Wire) -> String {
    let address = client.local_address();
    client.reset(); // the backend need not have its say then
    let line = gateway.access_line_of(address);
    line["backend"].as_str().unwrap_or_else(|| panic!("no backend is named in {line}")).to_owned()
}

fn status(gateway: &Gateway) -> u16 {
    let mut client = gateway.connect();
    client.send(Request::upgrade("/ws").encode());
    client.read_response().0.status()
}

fn refusing() -> String {
    format!("tcp://{}", Backend::refusing())
}

#[test]
fn round_robin() {
    let backends = [silent(), silent(), silent()];
    let gateway = with_lines(&backends, "balance = 'round-robin'");
    let names: Vec<_> = (0..6).map(|_| chosen(&gateway, &Request::upgrade("/ws"))).collect();
    assert_eq!(names, [&backends[..], &backends[..]].concat());
}

/// The default. What has ended does not count any more.
#[test]
fn the_fewest_connections() {
    let backends = [silent(), silent()];
    let gateway = with_lines(&backends, "");
    let mut open: Vec<_> = (0..4).map(|_| gateway.open("/ws")).collect();
    let of_second = [open.remove(3), open.remove(1)];
    for client in open {
        assert_eq!(ended(&gateway, client), backends[0]);
    }
    let later = [gateway.open("/ws"), gateway.open("/ws")];
    for client in later {
        assert_eq!(ended(&gateway, client), backends[0], "it had none, the other two");
    }
    for client in of_second {
        assert_eq!(ended(&gateway, client), backends[1]);
    }
}

#[test]
fn the_same_backend_for_the_same_client() {
    let backends = [silent(), silent(), silent()];
    let route = format!("[[route]]\npath = '/*'\nbackend = {backends:?}\n");
    for (lines, of) in [("balance = 'sticky'", "X-Forwarded-For"), ("balance = 'hash'", "path")] {
        let routes = format!("{route}{lines}");
        let gateway = gateway().listener("trusted_proxies = ['127.0.0.0/8']").tables(&routes).start();
        let mut used = BTreeMap::new();
        for number in 0..20 {
            let request = match of {
                "path" => Request::upgrade(&format!("/{number}")),
                field => Request::upgrade("/").with(field, format!("192.0.2.{number}")),
            };
            let first = chosen_by_number(&gateway, &request, number * 2);
            let again = chosen_by_number(&gateway, &request, number * 2 + 1);
            assert_eq!(first, again, "{of} {number}");
            *used.entry(first).or_insert(0) += 1;
        }
        assert!(used.len() > 1, "{of}: {used:?}");
    }
}

/// As [`chosen`], where the client's address in the line is not the socket's.
#[track_caller]
fn chosen_by_number(gateway: &Gateway, request: &Request, lines_before: usize) -> String {
    let mut client = gateway.connect();
    client.send(request.encode());
    assert_eq!(client.read_head().status(), 101);
    client.reset();
    gateway.access_line_after(lines_before)["backend"].as_str().unwrap().to_owned()
}

#[test]
fn the_next_one_where_a_backend_is_gone() {
    for balance in ["least-connections", "round-robin", "hash", "sticky"] {
        let live = silent();
        let backends = [refusing(), live.clone(), refusing()];
        let gateway = with_lines(&backends, &format!("balance = '{balance}'"));
        for _ in 0..4 {
            assert_eq!(chosen(&gateway, &Request::upgrade("/ws")), live, "{balance}");
        }
    }
}

/// One that hangs leaves time for the next.
#[test]
fn the_next_one_where_a_backend_hangs() {
    let (full, live) = (Backend::bind_full(), silent());
    let backends = [full.tcp(), live.clone()];
    let gateway = with_lines(&backends, "connect_timeout = '2s'\nbalance = 'round-robin'");
    assert_eq!(chosen(&gateway, &Request::upgrade("/ws")), live);
}

#[test]
fn f20_all_are_gone() {
    let gateway = with_lines(&[refusing(), refusing()], "");
    assert_eq!(status(&gateway), 502);
    gateway.diagnosis("takes no connections");
    let full: [Full; 2] = [Backend::bind_full(), Backend::bind_full()];
    let gateway = with_lines(&full.each_ref().map(Full::tcp), "connect_timeout = '300ms'");
    assert_eq!(status(&gateway), 504);
}

/// A backend that did not take a connection is left alone for a while, as long as there is another.
#[test]
fn f20_back_again() {
    for (disable_time, is_asked) in [("1h", false), ("0", true)] {
        let (gone, live) = (Backend::refusing(), silent());
        let lines = format!("disable_time = '{disable_time}'");
        let gateway = with_lines(&[format!("tcp://{gone}"), live.clone()], &lines);
        let first = gateway.open("/ws");
        let back = silent_at(gone);
        let expected = if is_asked { &back } else { &live };
        assert_eq!(chosen(&gateway, &Request::upgrade("/ws")), *expected, "{disable_time}");
        assert_eq!(ended(&gateway, first), live);
    }
}

/// Where all are left alone, the one that is back is found at once.
#[test]
fn f20_back_again_after_all_were_gone() {
    let gone = Backend::refusing();
    let gateway = with_lines(&[refusing(), format!("tcp://{gone}"), refusing()], "disable_time = '1h'");
    assert_eq!(status(&gateway), 502);
    let back = silent_at(gone);
    assert_eq!(chosen(&gateway, &Request::upgrade("/ws")), back);
    gateway.diagnosis("takes connections again");
}

#[test]
fn websocket_backends_and_plain_requests() {
    let live = Backend::bind();
    let gateway = with_lines(&[refusing().replace("tcp", "http"), live.tcp().replace("tcp", "http")], "");

    let mut client = gateway.connect();
    client.send(Request::upgrade("/ws").encode());
    drop(live.accept_websocket());
    assert_eq!(client.read_head().status(), 101);
    assert_eq!(ended(&gateway, client), live.tcp().replace("tcp", "http"));

    let mut client = gateway.connect();
    client.send(Request::get("/ws").encode());
    let mut far = live.accept();
    far.read_head();
    far.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let (head, body) = client.read_response();
    assert_eq!((head.status(), body.as_str()), (200, "ok"));
    assert_eq!(ended(&gateway, client), live.tcp().replace("tcp", "http"));
}
