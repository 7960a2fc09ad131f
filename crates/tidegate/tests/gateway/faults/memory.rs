//! Want of memory: who holds the most goes before the system kills everybody.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use tidegate_testkit::{Backend, Canary, Frame, Gateway, Head, Request, Wire, eventually};

use super::expect_echo;
use crate::admin::{ADMIN, request, status};
use crate::rig::{Rig, SEGMENT, WINDOW};

const MIB: u64 = 1 << 20;

/// What each client tries to get rid of, and how long a socket that takes nothing counts as stalled.
const FLOOD: usize = 2 << 20;
const PAUSE: Duration = Duration::from_millis(100);

/// The answer to an upgrade.
fn ask(gateway: &Gateway) -> Head {
    let mut client = gateway.connect();
    client.send(Request::upgrade("/echo").encode());
    client.read_head()
}

/// Messages that nobody takes, more of them than there is room for: some sessions are let go, the others stay, and the
/// process never holds more than it may.
#[test]
fn t247_messages_in_flight_are_let_go_before_memory_is_used_up() {
    /// Far more than there is room for.
    const SESSIONS: usize = 600;
    const FLOODING: usize = 8;
    /// What may wait, and what is little beside it.
    const ROOM: u64 = 8 * MIB;
    const SLACK: u64 = 6 * MIB;
    let tcp = Backend::bind_narrow(SEGMENT, WINDOW);
    let rig = Rig::between(tcp, Backend::bind(), "workers = 1\nmax_buffered = '8MiB'", "");
    let canary = Canary::of(&rig.gateway, "/echo");
    let mut sessions: Vec<(Wire, Wire)> = (0..SESSIONS).map(|_| rig.open_tcp()).collect();
    let before = rig.gateway.memory();
    let frame = Frame::binary([7; 1 << 20]).masked().encode();
    thread::scope(|scope| {
        for share in sessions.chunks_mut(SESSIONS / FLOODING) {
            scope.spawn(|| share.iter_mut().for_each(|(client, _)| flood(client, &frame)));
        }
    });
    let is_overloaded = |line: &serde_json::Value| line["end"] == "overloaded";
    let line = rig.gateway.access_line(is_overloaded);
    assert_eq!((&line["close_code"], &line["closed_by"]), (&1013.into(), &"gateway".into()), "{line}");
    rig.gateway.rest();
    let grown = rig.gateway.memory().saturating_sub(before);
    println!("{grown} bytes more");
    assert!(grown <= ROOM + SLACK, "{grown} bytes");
    let gone = rig.gateway.access_lines().into_iter().filter(is_overloaded).count() as u64;
    assert!(gone < SESSIONS as u64, "those for whom there is room stay");
    assert_eq!(ask(&rig.gateway).status(), 101, "others come and go");
    drop(sessions);
    canary.finish();
    rig.finish();
}

/// Sends what the backend does not take. The session may be let go meanwhile.
fn flood(client: &mut Wire, frame: &[u8]) {
    client.try_send_until_stalled(frame, FLOOD, PAUSE).ok();
}

/// A control group that is not there: its files, in the place of the system's.
struct Group {
    folder: tempfile::TempDir,
}

impl Group {
    /// Of which what one stalled session holds is more than a twentieth.
    const LIMIT: u64 = MIB / 2;

    fn new() -> Self {
        let group = Self { folder: tempfile::tempdir().unwrap() };
        group.put("memory.max", Self::LIMIT);
        group.used(0);
        group
    }

    /// So many thousandths of its limit are used.
    fn used(&self, permille: u64) {
        self.put("memory.current", Self::LIMIT * permille / 1000);
    }

    /// Whole at any moment.
    fn put(&self, file: &str, number: u64) {
        let new = self.folder.path().join("new");
        fs::write(&new, format!("{number}\n")).unwrap();
        fs::rename(new, self.folder.path().join(file)).unwrap();
    }

    /// A gateway that finds itself in it.
    fn start(&self, config: &Path) -> Gateway {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c"]);
        command.arg("mount --bind \"$1\" /sys/fs/cgroup && exec \"$0\" serve -c \"$2\"");
        command.arg(env!("CARGO_BIN_EXE_tidegate")).arg(self.folder.path()).arg(config);
        Gateway::run(command)
    }

    fn config(&self, tcp: &Backend) -> PathBuf {
        let file = self.folder.path().join("tidegate.toml");
        let listener = "[[listener]]\naddress = '127.0.0.1:0'\n";
        let route =
            |path: &str, backend: &str| format!("[[route]]\npath = '{path}'\nbackend = '{backend}'\n");
        let routes = route("/echo", "echo:") + &route("/tcp", &tcp.tcp());
        fs::write(&file, format!("{ADMIN}\n{listener}{routes}")).unwrap();
        file
    }
}

/// At each mark what has to be done there, and not before; and nothing any more when there is memory again.
#[test]
fn f49_before_the_control_group_is_full_nobody_comes_in_and_the_largest_go() {
    let (group, tcp) = (Group::new(), Backend::bind());
    let gateway = group.start(&group.config(&tcp));
    let is_ready = || status(&gateway, &request("GET", "/readyz")) == 200;
    let mut quiet = gateway.open("/echo");
    let (mut stalled, backend) = (gateway.open("/tcp"), tcp.accept());
    stalled.send_until_stalled(&Frame::binary([7; 1 << 20]).masked().encode(), 64 << 20, PAUSE);
    assert!(is_ready());

    group.used(860);
    eventually("nobody is let in", || (!is_ready()).then_some(()));
    let refused = ask(&gateway);
    assert_eq!((refused.status(), refused.field("Retry-After")), (503, Some("5")));
    expect_echo(&mut quiet);
    assert!(!gateway.access_lines().iter().any(|line| line["end"] == "overloaded"));

    group.used(910);
    let line = gateway.access_line_of(stalled.local_address());
    assert_eq!((&line["end"], &line["close_code"]), (&"overloaded".into(), &1013.into()), "{line}");
    gateway.diagnosis("those that hold the most are closed");
    expect_echo(&mut quiet);

    // Nothing waits any more: what is used is no reason yet.
    eventually("it is ready again", || is_ready().then_some(()));
    assert_eq!(ask(&gateway).status(), 101);
    group.used(960);
    eventually("it is as good as full", || (!is_ready()).then_some(()));
    assert_eq!(ask(&gateway).status(), 503);
    expect_echo(&mut quiet);

    group.used(500);
    eventually("there is memory", || is_ready().then_some(()));
    gateway.diagnosis("there is memory again");
    assert_eq!(ask(&gateway).status(), 101);
    drop((quiet, stalled, backend));
    gateway.finish();
}
