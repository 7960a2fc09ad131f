//! `--daemon`.

use std::fs;
use std::net::{SocketAddr, TcpListener};

use rustix::process::{Pid, Signal, kill_process};
use tidegate_testkit::{Backend, Wire, eventually};

use crate::rig::{ANY_PORT, Place, is_running, open, talk, upgrade};

/// A process that nobody is the parent of; ends with its test.
struct Background(i32);

impl Background {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.0).unwrap(), signal).ok(); // it may have ended already
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// What stands behind `title` in a line of the log.
#[track_caller]
fn logged(place: &Place, title: &str) -> String {
    eventually(title, || {
        let log = fs::read_to_string(place.path().join("log")).ok()?;
        let found = log.lines().find_map(|line| line.split_once(title));
        found.map(|(_, rest)| rest.trim().to_owned())
    })
}

#[test]
fn it_serves_in_a_session_of_its_own_once_the_command_is_back() {
    let (place, backend) = (Place::new(), Backend::bind());
    let (status, said) = place.ended(&format!("-D --log-file log --web . {ANY_PORT} {}", backend.address()));
    assert_eq!(status, 0, "{said}");
    let process = Background(logged(&place, "in the background as process ").parse().unwrap());
    let address: SocketAddr = logged(&place, "listening on http://").parse().unwrap();
    let (mut client, mut far) = open(Wire::connect(address), &upgrade("/"), &backend);
    talk(&mut client, &mut far);

    let stat = fs::read_to_string(format!("/proc/{}/stat", process.0)).unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    assert_eq!(fields[3], process.0.to_string(), "its session is its own");
    for stream in 0..3 {
        let target = fs::read_link(format!("/proc/{}/fd/{stream}", process.0)).unwrap();
        assert_eq!(target.to_str(), Some("/dev/null"), "standard stream {stream}");
    }
    let folder = fs::read_link(format!("/proc/{}/cwd", process.0)).unwrap();
    assert_eq!(folder, place.path().canonicalize().unwrap(), "that of --web");

    process.signal(Signal::TERM);
    client.expect_close_then_answer(1001);
    far.expect_fin();
    drop(far);
    eventually("it ends", || (!is_running(process.0)).then_some(()));
}

#[test]
fn what_keeps_it_from_starting_is_told_in_the_foreground() {
    let (place, taken) = (Place::new(), TcpListener::bind("127.0.0.1:0").unwrap());
    let (status, said) = place.ended(&format!("-D {} 127.0.0.1:1", taken.local_addr().unwrap()));
    assert_eq!(status, 1);
    assert!(said.contains("cannot listen on"), "{said}");
    let (status, said) = place.ended("-D 6080 127.0.0.1:1 --ssl-only");
    assert_eq!(status, 2, "{said}");
}
