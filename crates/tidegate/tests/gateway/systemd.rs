//! Under a service manager: sockets that it opens, and what it is told. Its protocols are spoken by the tests themselves.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tidegate_testkit::{Gateway, PATIENCE, Request, Wire};

use crate::certificates::echo;
use crate::rig::gateway;

/// A configuration, and a process that is started with it as a service manager starts one.
struct Unit {
    folder: tempfile::TempDir,
}

impl Unit {
    /// With a listener at this address, beside one of the test's own.
    fn with(address: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listeners =
            ["127.0.0.1:0", address].map(|address| format!("[[listener]]\naddress = '{address}'\n"));
        let text = format!("{}[[route]]\npath = '/echo'\nbackend = 'echo:'\n", listeners.concat());
        fs::write(folder.path().join("tidegate.toml"), text).unwrap();
        Self { folder }
    }

    /// With `socket` as descriptors 3 and 4, of which `LISTEN_FDS` names as many as `environment` says.
    fn command(&self, socket: impl AsFd, environment: &str) -> Command {
        let mut command = Command::new("sh");
        let script =
            format!("exec 3<&0 4<&0 </dev/null\nexport {environment}\nexec \"$0\" serve -c tidegate.toml");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_tidegate")]).current_dir(&self.folder);
        command.stdin(Stdio::from(socket.as_fd().try_clone_to_owned().unwrap()));
        command
    }

    fn start(&self, socket: impl AsFd, environment: &str) -> Gateway {
        Gateway::run(self.command(socket, environment))
    }

    /// What it says when it must not start.
    fn refused(&self, socket: impl AsFd, environment: &str) -> String {
        let output = self.command(socket, environment).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    }
}

const ONE: &str = "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web";

fn tcp() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

#[track_caller]
fn expect_served(mut wire: Wire) {
    wire.send(Request::upgrade("/echo").encode());
    assert_eq!(wire.read_head().status(), 101);
}

#[test]
fn f60_a_socket_by_its_name_and_nobody_is_refused_while_the_gateway_is_replaced() {
    let socket = tcp();
    let address = socket.local_addr().unwrap();
    let unit = Unit::with("systemd:web");
    let mut first = unit.start(&socket, ONE);
    first.diagnosis(&format!("listening on http://{address}"));
    expect_served(Wire::connect(address));
    first.terminate();
    assert_eq!(first.wait().code(), Some(0));
    let waiting = Wire::connect(address);
    let _second = unit.start(&socket, ONE);
    expect_served(waiting);
}

/// A connection has the options of the socket that listened when it came.
#[test]
fn who_came_before_the_gateway_is_probed_as_everybody_else() {
    let socket = tcp();
    let mut waiting = Wire::connect(socket.local_addr().unwrap());
    let gateway = Unit::with("systemd:web").start(&socket, ONE);
    waiting.send(Request::upgrade("/echo").encode());
    assert_eq!(waiting.read_head().status(), 101);
    assert!(gateway.probes(&waiting));
}

#[test]
fn a_socket_by_its_address() {
    let socket = tcp();
    let address = socket.local_addr().unwrap();
    let gateway = Unit::with(&address.to_string()).start(&socket, "LISTEN_PID=$$ LISTEN_FDS=1");
    expect_served(Wire::connect(address));
    gateway.finish();
}

/// A socket for both versions of IP shows IPv4 addresses in the clothes of IPv6.
#[test]
fn an_address_is_said_in_one_form() {
    let socket = TcpListener::bind("[::ffff:127.0.0.1]:0").unwrap();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, socket.local_addr().unwrap().port()));
    let gateway = Unit::with("systemd:web").start(&socket, ONE);
    let wire = Wire::connect(address);
    let own = wire.local_address().to_string();
    expect_served(wire);
    gateway.access_line(|line| line["client"] == *own && line["kind"] == "websocket");
    gateway.finish();
}

#[test]
fn a_unix_socket_keeps_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("web.sock");
    let socket = UnixListener::bind(&path).unwrap();
    for address in ["systemd:web".to_owned(), format!("unix:{}", path.display())] {
        let mut gateway = Unit::with(&address).start(&socket, ONE);
        echo(&mut connect(&path), "http://gw.test");
        gateway.terminate();
        assert_eq!(gateway.wait().code(), Some(0));
        assert!(path.exists(), "it is not the gateway's to remove");
    }
}

fn connect(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

#[test]
fn several_sockets_of_one_name_have_one_listener() {
    let socket = tcp();
    let unit = Unit::with("systemd:web");
    let gateway = unit.start(&socket, "LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:web");
    for _ in 0..4 {
        expect_served(Wire::connect(socket.local_addr().unwrap()));
    }
    gateway.settle();
}

#[test]
fn a_socket_that_nobody_wants_is_warned_about() {
    let socket = tcp();
    let unit = Unit::with("systemd:web");
    let gateway = unit.start(&socket, "LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:spare");
    let line = gateway.diagnosis("was given to this process, but no [[listener]] has it");
    assert!(line.contains(r#"the socket "spare" at 127.0.0.1:"#), "{line}");
}

#[test]
fn a_name_that_there_is_not_keeps_it_from_starting() {
    let socket = tcp();
    let unit = Unit::with("systemd:web");
    for (environment, names) in [
        (
            "LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=http:https",
            r#"those that it was given: "http", "https""#,
        ),
        ("LISTEN_PID=1 LISTEN_FDS=1 LISTEN_FDNAMES=web", "those that it was given: none"),
        ("LISTEN_PID=$$", "those that it was given: none"),
    ] {
        let said = unit.refused(&socket, environment);
        assert!(said.contains(r#"no socket of the name "web""#) && said.contains(names), "{said}");
    }
}

#[test]
fn what_is_no_listening_socket_keeps_it_from_starting() {
    let unit = Unit::with("systemd:web");
    let connected = UnixStream::pair().unwrap().0;
    let datagram = UnixDatagram::unbound().unwrap();
    let file = OwnedFd::from(tempfile::tempfile().unwrap());
    for given in [OwnedFd::from(connected), OwnedFd::from(datagram), file] {
        let said = unit.refused(&given, ONE);
        assert!(
            said.contains("one of the sockets that this process was started with cannot be listened on"),
            "{said}"
        );
    }
}

/// The next message to the service manager.
#[track_caller]
fn told(manager: &UnixDatagram) -> String {
    let mut bytes = [0; 4096];
    let length = manager.recv(&mut bytes).unwrap();
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

fn manager(path: &Path) -> UnixDatagram {
    let manager = UnixDatagram::bind(path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    manager
}

#[test]
fn the_service_manager_is_told_how_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = manager(&path);
    let mut gateway = gateway()
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "400000")
        .route("/echo", "echo:", "")
        .start();
    assert_eq!(told(&manager), "READY=1\nSTATUS=serving\n", "first, and not before it listens");
    for _ in 0..3 {
        assert_eq!(told(&manager), "WATCHDOG=1\n");
    }
    let client = gateway.open("/echo");
    gateway.terminate();
    let stopping = std::iter::repeat_with(|| told(&manager)).find(|told| told != "WATCHDOG=1\n");
    assert_eq!(stopping.as_deref(), Some("STOPPING=1\nSTATUS=stopping; connections left: 1\n"));
    assert_eq!(told(&manager), "WATCHDOG=1\n", "it lives until the last connection has ended");
    drop(client);
    assert_eq!(gateway.wait().code(), Some(0));
}

#[test]
fn the_service_manager_is_told_of_a_reload() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = manager(&path);
    let gateway = gateway().env("NOTIFY_SOCKET", &path).route("/echo", "echo:", "").start();
    assert_eq!(told(&manager), "READY=1\nSTATUS=serving\n");
    gateway.hang_up();
    let reloading = told(&manager);
    let since = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").map(str::trim_end);
    assert!(since.is_some_and(|since| since.parse::<u64>().is_ok()), "{reloading}");
    assert_eq!(told(&manager), "READY=1\nSTATUS=serving\n");
}

/// Who is the main process only the one before it can say, and it says nothing more then.
#[test]
fn f60_the_service_manager_is_told_of_the_process_that_takes_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = manager(&path);
    let mut gateway = gateway().env("NOTIFY_SOCKET", &path).route("/echo", "echo:", "").start();
    assert_eq!(told(&manager), "READY=1\nSTATUS=serving\n");
    gateway.upgrade();
    // Each speaks for itself as soon as the new one is alone.
    let mut both = [told(&manager), told(&manager)];
    both.sort();
    assert_eq!(
        both,
        [format!("MAINPID={}\nREADY=1\n", gateway.pid()), "READY=1\nSTATUS=serving\n".to_owned()]
    );
    gateway.terminate();
    gateway.wait();
    assert_eq!(told(&manager), "STOPPING=1\nSTATUS=stopping; connections left: 0\n");
}

#[test]
fn without_a_watchdog_it_is_not_fed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = manager(&path);
    let mut gateway = gateway().env("NOTIFY_SOCKET", &path).route("/echo", "echo:", "").start();
    gateway.terminate();
    gateway.wait();
    assert_eq!([told(&manager), told(&manager)].map(|told| told[..5].to_owned()), ["READY", "STOPP"]);
}

#[test]
fn a_service_manager_that_is_gone_is_no_reason_to_end() {
    let gateway = gateway().env("NOTIFY_SOCKET", "/nonexistent/notify").route("/echo", "echo:", "").start();
    gateway.diagnosis("the service manager cannot be told");
    drop(gateway.open("/echo"));
    gateway.finish();
}
