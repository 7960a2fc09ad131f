//! What goes wrong with the new process goes wrong there: the old one serves on, and nobody has lost anything.

use std::fs;
use std::path::Path;
use std::process::Command;

use tidegate_testkit::{Frame, Gateway, Wire, eventually};

use super::{fake, tidegate};
use crate::rig::gateway;

/// A gateway with a session in the middle of a frame.
struct Scene {
    gateway: Gateway,
    session: Wire,
    folder: tempfile::TempDir,
    descriptors: usize,
}

const SAID: &[u8] = b"a message that takes its time";

impl Scene {
    fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let admin = format!("admin = 'unix:{}'", folder.path().join("admin.sock").display());
        let gateway = gateway().top(&admin).route("/echo", "echo:", "").start();
        let session = gateway.open("/echo");
        let descriptors = gateway.descriptors();
        Self { gateway, session, folder, descriptors }
    }

    /// Has it hand over to the fake, which must fail for this reason.
    #[track_caller]
    fn expect(&mut self, part: &str, why: &str) {
        let wire = Frame::binary(SAID).masked().encode();
        let (first, rest) = wire.split_at(wire.len() / 2);
        self.session.send(first);
        let binary = fake::binary(self.folder.path(), part);
        let said = self.upgrade_to(&binary);
        assert!(said.contains("422") && said.contains(why), "{part}: {said}");
        // Half of it may have been echoed before.
        self.session.send(rest);
        assert_eq!(self.session.read_payload(SAID.len()), SAID, "{part}");
        let mut other = self.gateway.open("/echo");
        other.send_frame(&Frame::close(1000, "").masked());
        other.expect_close(1000);
        drop(other);
        eventually("every descriptor is given back", || {
            (self.gateway.descriptors() == self.descriptors).then_some(())
        });
    }

    fn upgrade_to(&self, binary: &Path) -> String {
        tidegate(&self.folder.path().join("admin.sock"), &["upgrade", "--binary", binary.to_str().unwrap()])
    }

    fn finish(mut self) {
        self.session.send_frame(&Frame::close(1000, "").masked());
        self.session.expect_close(1000);
        drop(self.session);
        self.gateway.finish();
    }
}

#[test]
fn f60_a_new_process_that_dies_or_refuses_at_any_step() {
    let mut scene = Scene::set();
    for (part, why) in [
        ("dies at once", "ended before it says hello"),
        ("talks nonsense", "no frame of a hand-over"),
        ("reads other formats", "this process writes 1, the new one reads from 99"),
        ("dies after hello", "ended before it is ready"),
        ("refuses", "the new process refuses: it does not like this machine"),
        ("speaks of what it cannot know", "connection 4711, which was not sent"),
        ("dies with a session", "ended before it has all sessions"),
        ("dies when it is to serve", "ended before it serves"),
        ("dies when it is done", "ended before it is alone"),
    ] {
        scene.expect(part, why);
    }
    let nowhere = scene.upgrade_to(Path::new("/nonexistent/tidegate"));
    assert!(nowhere.contains("cannot start /nonexistent/tidegate"), "{nowhere}");
    let other = scene.upgrade_to(Path::new("/bin/true"));
    assert!(other.contains("ended before it says hello (exit status: 0)"), "{other}");
    scene.finish();
}

#[test]
fn f60_a_new_process_that_hangs_at_the_start() {
    let mut scene = Scene::set();
    scene.expect("is silent at once", "had 10 seconds to say that it says hello");
    scene.finish();
}

#[test]
fn f60_a_new_process_that_hangs_before_it_is_ready() {
    let mut scene = Scene::set();
    let admin = scene.folder.path().join("admin.sock");
    std::thread::scope(|scope| {
        // Meanwhile nothing is promised to an operator that might not come true.
        let asking = scope.spawn(|| {
            eventually("orders are refused", || {
                let said = tidegate(&admin, &["drain", "--route", "/nowhere"]);
                said.contains("a hand-over is under way").then_some(())
            });
            let said = tidegate(&admin, &["upgrade"]);
            assert!(said.contains("503") && said.contains("another hand-over is under way"), "{said}");
        });
        scene.expect("is silent after hello", "had 10 seconds to say that it is ready");
        asking.join().unwrap();
    });
    scene.finish();
}

#[test]
fn f60_a_new_process_that_hangs_with_a_session() {
    let mut scene = Scene::set();
    scene.expect("is silent with a session", "had 10 seconds to say that it has a session");
    scene.finish();
}

#[test]
fn f60_a_new_process_that_hangs_when_it_is_to_serve() {
    let mut scene = Scene::set();
    scene.expect("is silent when it is to serve", "had 10 seconds to say that it serves");
    scene.finish();
}

#[test]
fn f60_a_new_process_that_hangs_at_the_end() {
    let mut scene = Scene::set();
    scene.expect("is silent when it is done", "had 10 seconds to say that it is alone");
    scene.finish();
}

/// The real binary, with a file that it must not serve.
#[test]
fn f60_a_configuration_that_the_new_process_cannot_serve() {
    let mut gateway = gateway().route("/echo", "echo:", "").start();
    let mut session = gateway.open("/echo");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let on_taken = format!("[[listener]]\naddress = '{}'", taken.local_addr().unwrap());
    for (builder, why) in [
        (crate::rig::gateway().top("worker = 1"), "unknown key \"worker\""),
        (crate::rig::gateway().route("/echo", "echo:", "").tables(&on_taken), "cannot listen on 127.0.0.1:"),
    ] {
        gateway.rewrite(&builder);
        let said = gateway.upgrade();
        assert!(said.contains("not handed over, everything goes on here"), "{said}");
        gateway.diagnosis(why);
        session.send_frame(&Frame::text("still there?").masked());
        assert_eq!(session.read_frame(), Frame::text("still there?"));
    }
    gateway.rewrite(&crate::rig::gateway().route("/echo", "echo:", ""));
    super::upgrade(&mut gateway, 1);
    session.send_frame(&Frame::text("still there?").masked());
    assert_eq!(session.read_frame(), Frame::text("still there?"));
    drop(session);
    gateway.finish();
}

/// With process 1 everything else in its container would end.
#[test]
fn f60_process_1_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (socket, config) = (folder.path().join("admin.sock"), folder.path().join("tidegate.toml"));
    let text = format!(
        "admin = 'unix:{}'\n[[listener]]\naddress = '127.0.0.1:0'\n[[route]]\npath = '/echo'\nbackend = 'echo:'\n",
        socket.display()
    );
    fs::write(&config, text).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--pid", "--fork", "--kill-child"]);
    command.arg(env!("CARGO_BIN_EXE_tidegate")).args(["serve", "-c"]).arg(config);
    let gateway = Gateway::run(command);
    let mut session = gateway.open("/echo");
    let said = tidegate(&socket, &["upgrade"]);
    assert!(said.contains("422") && said.contains("this is process 1"), "{said}");
    session.send_frame(&Frame::text("still there?").masked());
    assert_eq!(session.read_frame(), Frame::text("still there?"));
}

/// Any user of the machine can connect to an address of it: what runs as the gateway's user is not theirs to name.
#[test]
fn a_binary_is_named_only_where_nobody_else_can_ask() {
    let gateway = gateway().top("admin = '127.0.0.1:0'").route("/echo", "echo:", "").start();
    let line = gateway.diagnosis("admin listener on ");
    let address = line.rsplit(' ').next().unwrap().trim();
    let output = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["upgrade", "--admin", address, "--binary", "/bin/true"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("403"), "{said}");
    gateway.finish();
}
