use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::super::gauges::AdminSocket;
use crate::{Backend, Finish, Frame, Gateway, Request, eventually};

/// A shell that says that it listens where `backend` does, and then does as it is told: whoever connects to it is in the
/// hands of the test.
fn obedient(backend: &Backend) -> Gateway {
    let script = format!(
        "echo 'listening on http://{}' >&2; while read -r order; do eval \"$order\"; done",
        backend.address()
    );
    let mut command = Command::new("bash");
    command.args(["-c", &script]).stdin(Stdio::piped());
    Gateway::run(command)
}

fn order(gateway: &mut Gateway, order: &str) {
    let orders = gateway.child.stdin.as_mut().expect("its input is a pipe");
    writeln!(orders, "{order}").expect("it reads its orders");
}

/// What comes of this when its admin listener answers with these metrics.
fn told<T>(gateway: &mut Gateway, metrics: &str, asks: impl FnOnce(&Gateway) -> T) -> T {
    let admin = AdminSocket::new();
    let listener = UnixListener::bind(admin.path()).expect("the folder is empty");
    gateway.admin = Some(admin);
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut socket, _) = listener.accept().expect("it is asked");
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                socket.read_exact(&mut byte).expect("it asks");
                asked.extend(byte);
            }
            socket.write_all(metrics.as_bytes()).expect("it listens");
        });
        asks(gateway)
    })
}

/// It is at rest, does this, and is found out by that invariant.
#[track_caller]
fn found_out(invariant: &str, gateway: &mut Gateway, does: &str) {
    gateway.assert_invariants();
    order(gateway, does);
    eventually(invariant, || gateway.complaint().filter(|complaint| complaint.starts_with(invariant)));
}

#[test]
fn i1_a_process_that_has_ended() {
    let mut gateway = obedient(&Backend::bind());
    gateway.assert_invariants();
    order(&mut gateway, "exit 3");
    gateway.wait();
    assert!(gateway.complaint().is_some_and(|complaint| complaint.starts_with("I1")));
}

#[test]
fn i2_a_panic_and_a_backtrace() {
    let mut gateway = obedient(&Backend::bind());
    found_out("I2", &mut gateway, "echo 'stack backtrace:' >&2");

    let mut gateway = obedient(&Backend::bind());
    found_out("I2", &mut gateway, "echo 'a thread panicked at src/main.rs:1:1:' >&2");
    gateway.expect_panics(1);
    gateway.assert_invariants();
}

#[test]
fn i3_a_socket_a_file_and_pipes_that_stay_open() {
    let backend = Backend::bind();
    let address = backend.address();
    let socket = format!("exec 7<>/dev/tcp/{}/{}", address.ip(), address.port());
    let pipes = "for fd in {10..90}; do eval \"exec $fd< <(:)\"; done";
    for left in [&socket, "exec 7</dev/null", pipes] {
        found_out("I3", &mut obedient(&backend), left);
    }
}

#[test]
fn i3_a_socket_is_told_by_its_addresses() {
    let backend = Backend::bind();
    let address = backend.address();
    let mut gateway = obedient(&backend);
    let socket = format!("exec 7<>/dev/tcp/{}/{}", address.ip(), address.port());
    found_out("I3", &mut gateway, &socket);
    let told = gateway.complaint().expect("it is still open");
    assert!(told.contains("\"tcp 0100007F:") && told.contains(&format!(":{:04X}", address.port())), "{told}");
}

#[test]
fn i4_memory_that_is_not_given_back() {
    let hoard = "hoard=$(head -c 40000000 /dev/zero | tr '\\0' a)";
    found_out("I4", &mut obedient(&Backend::bind()), hoard);
}

#[test]
fn i6_a_gauge_that_stays_above_zero() {
    let mut gateway = obedient(&Backend::bind());
    let told = |gateway: &mut Gateway, metrics: &str| told(gateway, metrics, Gateway::counts_some_open);
    let rest = "tidegate_connections_open 0\ntidegate_websockets_open{route=\"/\"} 0\n# EOF\n";
    assert_eq!(told(&mut gateway, rest), None);
    for open in ["connections_open 1", "websockets_open{route=\"/\"} 1", "buffered_bytes{route=\"/\"} 65536"]
    {
        let name = open.split([' ', '{']).next().unwrap_or_default();
        let metrics = format!("tidegate_{open}\n{}", rest.replace(&format!("tidegate_{name}"), "other"));
        let complaint = told(&mut gateway, &format!("tidegate_connections_open 0\n{metrics}"));
        assert!(
            complaint.is_some_and(|complaint| complaint.starts_with("I6") && complaint.contains(name)),
            "{open}"
        );
    }
    let complaint = told(&mut gateway, "HTTP/1.1 404 Not Found\r\n\r\n");
    assert!(complaint.is_some_and(|complaint| complaint.starts_with("I6")), "no metrics are no proof");
}

/// The gateway's end of the connection is the test's own here.
#[test]
fn i8_an_offender_that_is_kept() {
    let backend = Backend::bind();
    let mut gateway = obedient(&backend);
    for leaves in [false, true] {
        let mut client = gateway.connect();
        let mut far = backend.accept();
        far.send_frame(&Frame::close(1002, ""));
        client.expect_close_frame(1002);
        if leaves {
            client.reset();
            assert_eq!(far.read_to_end().1, Finish::Reset, "it may leave in its own way");
        } else {
            drop(client);
            assert!(far.is_silent_for(Duration::from_millis(50)), "it does not leave by itself");
            let complaint = gateway.complaint();
            assert!(complaint.as_ref().is_some_and(|kept| kept.starts_with("I8")), "{complaint:?}");
            drop(far);
        }
        gateway.assert_invariants();
    }
}

#[test]
fn i9_a_loop_without_end() {
    found_out("I9", &mut obedient(&Backend::bind()), "while :; do :; done");
}

#[test]
fn i10_lines_that_are_no_json_that_are_missing_and_that_are_too_many() {
    let backend = Backend::bind();
    found_out("I10", &mut obedient(&backend), "echo 'GET / 200'");

    let mut gateway = obedient(&backend);
    let mut client = gateway.connect();
    client.send(Request::get("/").encode());
    let mut far = backend.accept();
    far.read_head();
    far.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\n\r\n");
    gateway.assert_invariants(); // nobody has read the answer
    assert_eq!((client.read_head().status(), client.read_head().status()), (100, 404));
    let missing = gateway.complaint();
    assert!(missing.as_ref().is_some_and(|missing| missing.starts_with("I10: 1 answers")), "{missing:?}");
    let line = format!("echo '{{\"client\":\"{}\"}}'", client.local_address());
    order(&mut gateway, &line);
    found_out("I10", &mut gateway, &line);
}

#[test]
fn i10_fewer_lines_than_requests_were_counted_and_more() {
    let mut gateway = obedient(&Backend::bind());
    order(&mut gateway, "echo '{}'");
    eventually("the line", || (gateway.access_lines().len() == 1).then_some(()));
    let metrics = |refused: usize, ended: usize, lost: usize| {
        let requests = format!(
            "requests_total{{status=\"404\"}} {refused}\ntidegate_requests_total{{status=\"101\"}} 7"
        );
        let closed = format!("websockets_closed_total{{code=\"1000\"}} {ended}");
        let lost = format!("access_log_lines_lost_total {lost}");
        format!(
            "tidegate_connections_open 0\ntidegate_{requests}\ntidegate_{closed}\ntidegate_{lost}\n# EOF\n"
        )
    };
    for (refused, ended, lost, holds) in
        [(1, 0, 0, true), (0, 1, 0, true), (0, 0, 0, false), (1, 1, 0, false), (2, 0, 1, true)]
    {
        let complaint = told(&mut gateway, &metrics(refused, ended, lost), Gateway::unlike_answers);
        assert_eq!(complaint.is_none(), holds, "{refused} {ended} {lost}: {complaint:?}");
    }
}
