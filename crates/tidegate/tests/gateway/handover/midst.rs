//! What comes in the midst of a hand-over is for both processes: a stop, a reload, orders; and what is left of one.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tidegate_testkit::{Builder, Frame, Gateway, Request, Wire, eventually};

use super::{fake, tidegate};
use crate::rig::gateway;

/// A hand-over whose new process serves already, and whose old one waits for a client that is about to open.
struct Scene {
    gateway: Gateway,
    folder: tempfile::TempDir,
    /// Has moved.
    session: Wire,
    /// Has sent the half of its request, and this is the rest.
    slow: Wire,
    rest: Vec<u8>,
}

impl Scene {
    fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let gateway = with_admin(&folder.path().join("admin.sock")).start();
        let session = gateway.open("/echo");
        let mut slow = gateway.connect();
        let mut request = Request::upgrade("/echo").encode();
        let rest = request.split_off(20);
        slow.send(request);
        let scene = Self { gateway, folder, session, slow, rest };
        scene.await_status("a client is about to open", |status| status["connections"]["handshakes"] == 1);
        tell(scene.gateway.pid(), Signal::USR2);
        // Those that it has taken it has not opened.
        scene.await_status("the new process answers", |status| status["websockets_opened"] == 0);
        scene
    }

    fn admin(&self) -> PathBuf {
        self.folder.path().join("admin.sock")
    }

    #[track_caller]
    fn await_status(&self, what: &str, is_so: impl Fn(&Value) -> bool) {
        eventually(what, || {
            let said = tidegate(&self.admin(), &["status", "--json"]);
            let status = serde_json::from_str::<Value>(&said).ok()?;
            is_so(&status["status"]).then_some(())
        });
    }
}

fn with_admin(socket: &Path) -> Builder {
    gateway().top(&format!("admin = 'unix:{}'", socket.display())).route("/echo", "echo:", "")
}

fn tell(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// The number behind these words in what the gateway says.
#[track_caller]
fn number_in(gateway: &Gateway, words: &str) -> u32 {
    let line = gateway.diagnosis(words);
    let (_, rest) = line.split_once(words).unwrap();
    rest.split(|c: char| !c.is_ascii_digit()).find(|word| !word.is_empty()).unwrap().parse().unwrap()
}

/// Whether there is a process of this number that has not ended.
fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|state| !state.is_empty() && !state.starts_with(['Z', 'X']))
}

/// Whoever stops the gateway means all of it, whichever process a session is in by then.
#[test]
fn a_stop_in_the_midst_of_it_ends_both_processes() {
    let Scene { mut gateway, folder, mut session, slow, .. } = Scene::set();
    let mut other = gateway.open("/echo");
    gateway.terminate();
    for client in [&mut session, &mut other] {
        let close = client.expect_close_frame(1001);
        assert_eq!(&close.payload[2..], b"shutting down");
    }
    drop((session, other, slow));
    assert_eq!(gateway.wait().code(), Some(0));
    TcpStream::connect(gateway.address()).unwrap_err();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "the file of the admin listener is gone");
}

/// What the new process has read may be older than the signal: it reads again.
#[test]
fn a_reload_in_the_midst_of_it_is_the_new_process_s() {
    let Scene { mut gateway, folder, session, mut slow, rest } = Scene::set();
    gateway.rewrite(&with_admin(&folder.path().join("admin.sock")).route("/more", "echo:", ""));
    gateway.hang_up();
    slow.send(rest);
    assert_eq!(slow.read_head().status(), 101);
    let pid = number_in(&gateway, "handed over to process ");
    gateway.follow(pid);
    gateway.diagnosis("reloaded: generation 2; routes: 1 added");
    let more = gateway.open("/more");
    drop((session, slow, more));
    gateway.finish();
}

/// The new process breaks the line when it has been let in: it may have clients, so it is left alone, for as long as the
/// gateway is not stopped.
#[test]
fn a_new_process_that_may_have_clients_is_left_to_them() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin.sock");
    let mut gateway = with_admin(&socket).start();
    let binary = fake::binary(folder.path(), "serves on");
    let said = tidegate(&socket, &["upgrade", "--binary", binary.to_str().unwrap()]);
    assert!(said.contains("422") && said.contains("something else than was due"), "{said}");
    let pid = number_in(&gateway, "the new process may have sessions, and is left to them pid=");
    assert!(is_running(pid));
    drop(gateway.open("/echo"));
    assert!(is_running(pid));
    gateway.terminate();
    assert_eq!(gateway.wait().code(), Some(0));
    eventually("it has ended as well", || (!is_running(pid)).then_some(()));
}

/// As a reload does it.
#[test]
fn the_permissions_of_a_socket_change_with_a_hand_over() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("web.sock");
    let with_mode = |mode: &str| {
        let unix = format!("[[listener]]\naddress = 'unix:{}'\nsocket_mode = '{mode}'", socket.display());
        gateway().top(&unix).route("/echo", "echo:", "")
    };
    let mut gateway = with_mode("0600").start();
    gateway.rewrite(&with_mode("0666"));
    super::upgrade(&mut gateway, 0);
    let mode = || fs::metadata(&socket).unwrap().permissions().mode() & 0o7777;
    eventually("the new mode", || (mode() == 0o666).then_some(()));
    gateway.terminate();
    assert_eq!(gateway.wait().code(), Some(0));
    assert!(!socket.exists(), "and it is still the gateway's to remove");
}

/// A process that drains has no admin listener any more: nobody is kept waiting by it, and its address is free.
#[test]
fn the_admin_listener_ends_with_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let record = format!("record = {{ path = {:?} }}", folder.path().join("session-%n"));
    let mut gateway = gateway().top("admin = '127.0.0.1:0'").route("/echo", "echo:", &record).start();
    let line = gateway.diagnosis("admin listener on ");
    let admin = line.rsplit(' ').next().unwrap().trim();
    let mut stays = gateway.open("/echo");
    stays.send(&Frame::binary("half a message").masked().encode()[..10]);
    eventually("it is in the midst of a message", || (gateway.unread_from(&stays) == 0).then_some(()));
    tell(gateway.pid(), Signal::USR2);
    let pid = number_in(&gateway, "handed over to process ");
    TcpStream::connect(admin).unwrap();
    tell(pid, Signal::KILL);
    eventually("the new process has ended", || (!is_running(pid)).then_some(()));
    eventually("nobody listens there", || TcpStream::connect(admin).err());
    gateway.assert_alive();
    drop(stays);
    assert_eq!(gateway.wait().code(), Some(0));
}

/// Has one session stay in the old process, which gives it minutes; the number of the new process.
fn with_one_that_stays(folder: &Path) -> (Gateway, Wire, u32) {
    let record = format!("record = {{ path = {:?} }}", folder.join("session-%n"));
    let gateway = gateway().top("drain = '10m'").route("/echo", "echo:", &record).start();
    let stays = gateway.open("/echo");
    tell(gateway.pid(), Signal::USR2);
    let pid = number_in(&gateway, "handed over to process ");
    (gateway, stays, pid)
}

/// Who stops the new process means the gateway: the old one makes haste, and the new one ends behind it.
#[test]
fn a_stop_is_for_the_process_that_drains_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let (mut gateway, mut stays, pid) = with_one_that_stays(folder.path());
    tell(pid, Signal::TERM);
    stays.expect_close_frame(1001);
    assert!(is_running(pid), "it waits for the one before it, whose session has not ended");
    stays.send_frame(&Frame::close(1001, "").masked());
    assert_eq!(gateway.wait().code(), Some(0));
    eventually("the new process has ended", || (!is_running(pid)).then_some(()));
}

/// The same from the other end: for a while nobody knows that another process is the gateway now.
#[test]
fn a_stop_just_after_a_hand_over_is_for_both() {
    let folder = tempfile::tempdir().unwrap();
    let (mut gateway, mut stays, pid) = with_one_that_stays(folder.path());
    tell(gateway.pid(), Signal::TERM);
    stays.expect_close_frame(1001);
    stays.send_frame(&Frame::close(1001, "").masked());
    assert_eq!(gateway.wait().code(), Some(0));
    eventually("the new process has ended", || (!is_running(pid)).then_some(()));
}

/// What goes to the group of both, as a terminal sends it and a service manager, is one stop and not two.
#[test]
fn a_stop_that_both_get_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let (mut gateway, mut stays, pid) = with_one_that_stays(folder.path());
    for process in [gateway.pid(), pid] {
        tell(process, Signal::INT);
    }
    stays.expect_close_frame(1001);
    gateway.assert_alive();
    stays.send_frame(&Frame::close(1001, "").masked());
    assert_eq!(gateway.wait().code(), Some(0));
    eventually("the new process has ended", || (!is_running(pid)).then_some(()));
}
