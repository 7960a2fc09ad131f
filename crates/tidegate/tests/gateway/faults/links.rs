//! Networks that are bad, and interfaces that come and go. Each test has a network of its own, with nothing else in it: it
//! runs again, alone, in a process that has one.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use tidegate_testkit::{Backend, Canary, Frame, Gateway, Request, Wire, eventually, opcode};

use super::expect_echo;
use crate::rig::{assert_same, gateway, numbered};

/// Set in the process with the network of its own.
const INSIDE: &str = "TIDEGATE_TEST_NETWORK";

/// Runs this test, which has this name, in a network of its own. Without the privileges for one, it is made in the name of
/// a user who has them there; where the system allows neither, the test fails.
fn in_own_network(test: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        ip("link set lo up");
        return body();
    }
    let (_, module) = module_path!().split_once("::").unwrap();
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net"]).arg(std::env::current_exe().unwrap());
    command
        .args(["--exact", &format!("{module}::{test}"), "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1");
    let output = command.output().expect("there is unshare, of util-linux");
    let [said, complained] =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    let passed = output.status.success() && said.contains("1 passed");
    assert!(passed, "{test} in a network of its own: {}\n{said}\n{complained}", output.status);
}

/// Configures the network; of iproute2.
#[track_caller]
fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status().expect("there is ip, of iproute2");
    assert!(status.success(), "ip {arguments}: {status}");
}

/// A gateway that listens on all interfaces.
fn listening(address: &str, routes: &str) -> Gateway {
    gateway().whole(&format!("[[listener]]\naddress = '{address}:0'\n{routes}")).start()
}

fn route(path: &str, backend: &str, lines: &str) -> String {
    format!("[[route]]\npath = '{path}'\nbackend = '{backend}'\n{lines}\n")
}

#[track_caller]
fn open(address: SocketAddr, target: &str) -> Wire {
    let mut client = Wire::connect(address);
    client.send(Request::upgrade(target).encode());
    assert_eq!(client.read_head().status(), 101);
    client
}

/// A link that loses and delays what goes through it, and changes its order.
struct Link(Child);

impl Link {
    /// Loses this part of the packets; each takes from 100 to 130 ms, so that packets overtake each other and there and back
    /// are 200 ms at least.
    fn losing(loss: &str) -> Self {
        let mut command = Command::new("python3");
        command.args(["-c", include_str!("link.py"), loss, "0.100", "0.030"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut link = Self(command.spawn().expect("there is python3"));
        assert_eq!(link.line(), "ready");
        link
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        // A byte at a time, so that nothing behind the line is taken.
        let mut said = BufReader::with_capacity(1, self.0.stdout.as_mut().expect("it is a pipe"));
        said.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// How many packets went in, were lost, and were overtaken.
    fn end(mut self) -> [usize; 3] {
        drop(self.0.stdin.take());
        let line = self.line();
        let numbers: Vec<_> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
        numbers.try_into().expect("three numbers")
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.0.kill().ok(); // it may have ended already
        self.0.wait().ok();
    }
}

/// Clients far away over a bad line: every byte arrives in its order, and no ping takes anybody for dead.
#[test]
fn f34_loss_delay_and_disorder_cost_time_and_nothing_else() {
    in_own_network("f34_loss_delay_and_disorder_cost_time_and_nothing_else", || {
        const BYTES: usize = 200_000;
        let link = Link::losing("0.01");
        let (tcp, ws) = (Backend::bind(), Backend::bind());
        let pinged = "ping_interval = '300ms'\nping_timeout = '10s'";
        let routes = route("/tcp", &tcp.tcp(), pinged)
            + &route("/ws", &ws.ws(), pinged)
            + &route("/echo", "echo:", "");
        let gateway = listening("0.0.0.0", &routes);
        let [near, far] = ["127.0.0.1", "10.78.0.2"]
            .map(|ip| SocketAddr::new(ip.parse().unwrap(), gateway.address().port()));
        let canary = Canary::start(near, "/echo");
        let payload = numbered(BYTES);
        let answer = |mut backend: Wire, is_websocket: bool| {
            let asked = if is_websocket { backend.read_payload(BYTES) } else { backend.read_exact(BYTES) };
            assert_same(&asked, &payload);
            if is_websocket {
                payload.chunks(50_000).for_each(|chunk| backend.send_frame(&Frame::binary(chunk)));
            } else {
                backend.send(&payload);
            }
            backend
        };
        thread::scope(|scope| {
            for target in ["/tcp", "/ws"] {
                scope.spawn(move || ask_from_afar(open(far, target), numbered(BYTES)));
            }
            scope.spawn(|| drop(answer(tcp.accept(), false).read_to_fin()));
            scope.spawn(|| {
                let mut backend = answer(ws.accept_websocket().0, true);
                let close = backend.read_frame();
                assert_eq!(close.close_code(), Some(1000), "{close:?}");
                backend.send_frame(&close.unmasked());
            });
        });
        let lines = gateway.access_lines();
        assert!(lines.iter().all(|line| line["end"] == "client_closed"), "{lines:?}");
        canary.finish();
        gateway.finish();
        let [packets, lost, overtaken] = link.end();
        assert!(packets > 300 && lost > 0 && overtaken > 0, "the line was a good one");
    });
}

/// Says something long, answers pings until the answer is whole, and closes. One thread writes, or a pong would come into the
/// middle of a frame.
fn ask_from_afar(mut client: Wire, payload: Vec<u8>) {
    let mut writer = client.handle();
    let (pongs, owed) = mpsc::channel::<Frame>();
    thread::scope(|scope| {
        let said = &payload;
        scope.spawn(move || {
            for chunk in said.chunks(10_000) {
                writer.send_frame(&Frame::binary(chunk).masked());
                owed.try_iter().for_each(|pong| writer.send_frame(&pong));
            }
            owed.iter().for_each(|pong| writer.send_frame(&pong));
        });
        let mut answer = Vec::new();
        while answer.len() < payload.len() {
            let frame = client.read_frame();
            match frame.opcode {
                opcode::PING => pongs.send(Frame::pong(&frame.payload).masked()).unwrap(),
                _ => answer.extend(frame.payload),
            }
        }
        assert_same(&answer, &payload);
        drop(pongs);
    });
    client.send_frame(&Frame::close(1000, "").masked());
    let mut close = client.read_frame();
    while close.opcode == opcode::PING {
        close = client.read_frame();
    }
    assert_eq!(close.close_code(), Some(1000));
    client.expect_fin();
}

/// Whoever is connected over another interface notices nothing, whoever was connected over one that comes back goes on, and
/// each that comes is served without a restart.
#[test]
fn f58_interfaces_that_come_and_go_are_no_concern_of_a_listener_on_all() {
    in_own_network("f58_interfaces_that_come_and_go_are_no_concern_of_a_listener_on_all", || {
        for (all, near, there) in [("0.0.0.0", "127.0.0.1", "10.78.1.1"), ("[::]", "::1", "fd78::1")] {
            let gateway = listening(all, &route("/echo", "echo:", "ping_interval = 0"));
            let [near, there] =
                [near, there].map(|ip| SocketAddr::new(ip.parse().unwrap(), gateway.address().port()));
            let canary = Canary::start(near, "/echo");
            let mut over_loopback = open(near, "/echo");
            let mut over_another = None;
            for _ in 0..5 {
                come(there);
                expect_echo(over_another.get_or_insert_with(|| open(there, "/echo")));
                expect_echo(&mut open(there, "/echo"));
                ip("link del veth0");
                expect_echo(&mut over_loopback);
                expect_echo(&mut open(near, "/echo"));
            }
            // Everything is gone at once, and comes back.
            ip("link set lo down");
            ip("link set lo up");
            come(there);
            expect_echo(&mut over_loopback);
            expect_echo(&mut over_another.unwrap());
            ip("link del veth0");
            drop(over_loopback);
            canary.finish();
            gateway.finish();
        }
    });
}

/// An interface comes, with this address.
fn come(address: SocketAddr) {
    ip("link add veth0 type veth peer name veth1");
    match address {
        SocketAddr::V4(v4) => ip(&format!("address add {}/24 dev veth0", v4.ip())),
        SocketAddr::V6(v6) => ip(&format!("address add {}/64 dev veth0 nodad", v6.ip())),
    }
    ip("link set veth0 up");
    ip("link set veth1 up");
    // The kernel enters the route to an address of IPv6 in its own time.
    let any_port = SocketAddr::new(address.ip(), 0);
    eventually("there is a route to the address", || {
        UdpSocket::bind(any_port).and_then(|socket| socket.connect(address)).ok()
    });
}
