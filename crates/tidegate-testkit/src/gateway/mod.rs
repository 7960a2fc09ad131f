//! The gateway as a process: started on a free port, watched from outside, always ended with the test.

mod answers;
mod builder;
mod gauges;
mod invariants;
pub(crate) mod lines;
pub(crate) mod process;
mod successor;

use std::net::SocketAddr;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use rustls::ClientConfig;
use serde_json::Value;

pub(crate) use self::answers::Answers;
pub use self::builder::Builder;
use self::gauges::AdminSocket;
use self::invariants::Baseline;
use self::lines::Lines;
use self::successor::{Successor, taken_over_by};
use crate::{PATIENCE, Request, Wire, eventually, within};

/// A running gateway. Dropping it kills the process and fails the test if it had panicked.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    /// The process that has taken the place of the one before it, if one has.
    successor: Option<Successor>,
    address: SocketAddr,
    /// How its clients speak TLS, where its listener does.
    client: Option<Arc<ClientConfig>>,
    log: Lines,
    diagnosis: Lines,
    baseline: Baseline,
    /// Where the kit asks it what it has open.
    admin: Option<AdminSocket>,
    /// What its clients were answered.
    answers: Answers,
    /// Threads or tasks that the test has made panic.
    panics: usize,
    config: Option<tempfile::NamedTempFile>,
}

impl Gateway {
    /// Lets this process and gateways that are started from now on have as many descriptors as the system allows; how
    /// many that are.
    pub fn raise_descriptor_limit() -> u64 {
        process::raise_descriptor_limit()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its second listener is.
    #[track_caller]
    pub fn other_address(&self) -> SocketAddr {
        self.diagnosis.wait_for("a second address", |line| {
            builder::address_in(line).filter(|address| *address != self.address)
        })
    }

    /// A new connection to it.
    #[track_caller]
    pub fn connect(&self) -> Wire {
        self.secured(self.connect_bare())
    }

    /// A new connection to it as it is, whatever its listener speaks.
    #[track_caller]
    pub fn connect_bare(&self) -> Wire {
        Wire::connect(self.address).answered_by(&self.answers)
    }

    /// A new connection to it from far away; see [`Wire::connect_narrow`].
    #[track_caller]
    pub fn connect_narrow(&self, segment: u32, window: usize) -> Wire {
        let wire = Wire::connect_narrow(self.address, segment, window);
        self.secured(wire.answered_by(&self.answers))
    }

    #[track_caller]
    fn secured(&self, wire: Wire) -> Wire {
        match &self.client {
            None => wire,
            Some(config) => wire.secured_as_client(config, &self.address.ip().to_string()),
        }
    }

    /// A new WebSocket on a route that needs no backend of the test to be opened.
    #[track_caller]
    pub fn open(&self, target: &str) -> Wire {
        let mut wire = self.connect();
        wire.send(Request::upgrade(target).encode());
        assert_eq!(wire.read_head().status(), 101);
        wire
    }

    /// Asks it to stop.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends it SIGINT.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Asks it to stop because another takes its place.
    pub fn quit(&self) {
        self.signal(Signal::QUIT);
    }

    /// Asks it to read its configuration again, and does not wait.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// Puts this in the place of its configuration.
    #[track_caller]
    pub fn rewrite(&self, builder: &Builder) {
        let config = self.config.as_ref().expect("it was started with a file");
        std::fs::write(config.path(), builder.config(self.admin.as_ref()))
            .expect("a temporary file can be written");
    }

    /// Puts this in the place of its configuration and has it read; what it says about that, down to whether it was
    /// reloaded.
    #[track_caller]
    pub fn reload(&self, builder: &Builder) -> String {
        self.rewrite(builder);
        let before = self.diagnosis.all().len();
        self.hang_up();
        self.reloaded_after(before)
    }

    /// What it says behind so many lines of its diagnosis, down to whether it was reloaded.
    #[track_caller]
    fn reloaded_after(&self, before: usize) -> String {
        self.said_after(before, "word of a reload", |line| line.contains("reloaded"))
    }

    /// What it says behind so many lines of its diagnosis, down to the one that is the last.
    #[track_caller]
    fn said_after(&self, before: usize, what: &str, is_last: impl Fn(&str) -> bool) -> String {
        let (mut passed, mut said) = (0, Vec::new());
        self.diagnosis.wait_for(what, |line| {
            passed += 1;
            if passed <= before {
                return None;
            }
            said.push(line.to_owned());
            is_last(line).then(|| said.join("\n"))
        })
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.successor.as_ref().map_or_else(|| self.child.id(), Successor::pid)
    }

    /// Has it hand over to a new process, by SIGUSR2; what it says of it. If that has taken over, this is that process
    /// from now on, and the one before it has ended.
    #[track_caller]
    pub fn upgrade(&mut self) -> String {
        let before = self.diagnosis.all().len();
        self.signal(Signal::USR2);
        let said = self.said_after(before, "word of a hand-over", |line| line.contains("handed over"));
        if let Some(pid) = taken_over_by(&said) {
            self.follow(pid);
        }
        said
    }

    /// From now on this is the process of that number, which has taken over; the one before it ends by itself.
    #[track_caller]
    pub fn follow(&mut self, pid: u32) {
        self.expect_end();
        self.successor = Some(Successor::new(pid));
    }

    #[track_caller]
    fn expect_end(&mut self) {
        let status = eventually("the process ends", || self.ended());
        assert_eq!(status, Some(0), "the process that was there before");
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        // Its output ends with it, and unlike the process it can be waited for with a bound.
        self.log.wait_for_end();
        let status = self.child.wait().expect("our own child can be waited for");
        match &mut self.successor {
            None => status,
            Some(successor) => successor.wait(),
        }
    }

    /// The first access line, complete or still to come, that `is_it` is true of.
    #[track_caller]
    pub fn access_line(&self, mut is_it: impl FnMut(&Value) -> bool) -> Value {
        self.log.wait_for("an access line", |line| Some(parse(line)).filter(&mut is_it))
    }

    /// The access line of this client's connection.
    #[track_caller]
    pub fn access_line_of(&self, client: SocketAddr) -> Value {
        self.access_line(|line| line["client"] == client.to_string())
    }

    /// The access line behind so many of them.
    #[track_caller]
    pub fn access_line_after(&self, lines: usize) -> Value {
        let mut passed = 0;
        self.access_line(|_| {
            passed += 1;
            passed > lines
        })
    }

    /// All access lines so far.
    #[track_caller]
    pub fn access_lines(&self) -> Vec<Value> {
        self.log.all().iter().map(|line| parse(line)).collect()
    }

    /// A line of its diagnosis, there or still to come, that contains `text`.
    #[track_caller]
    pub fn diagnosis(&self, text: &str) -> String {
        self.diagnosis.wait_for(text, |line| line.contains(text).then(|| line.to_owned()))
    }

    /// The lines of its diagnosis so far.
    pub fn diagnosis_so_far(&self) -> Vec<String> {
        self.diagnosis.all()
    }

    /// Bytes of its own memory that are resident: heap and stacks, not the binary.
    pub fn memory(&self) -> u64 {
        process::anonymous_memory(self.pid()).expect("the gateway is running")
    }

    /// Its share of the memory in use, in bytes: with its part of what it has in common with other processes.
    pub fn proportional_memory(&self) -> u64 {
        process::proportional_memory(self.pid()).expect("the gateway is running")
    }

    /// For how long its threads have run on a processor so far.
    pub fn cpu(&self) -> Duration {
        process::schedule(self.pid()).expect("the gateway is running").ran
    }

    /// Descriptors that it has open, of any kind.
    pub fn descriptors(&self) -> usize {
        process::all_descriptors(self.pid()).expect("the gateway is running")
    }

    /// The number of the next descriptor that it opens: with that as its [limit](Self::limit_descriptors) it opens none.
    pub fn next_descriptor(&self) -> u64 {
        process::next_descriptor(self.pid()).expect("the gateway is running")
    }

    /// Sockets that it has open.
    pub fn sockets(&self) -> usize {
        process::sockets(self.pid()).expect("the gateway is running")
    }

    /// Ends of pipes that it has open.
    pub fn pipes(&self) -> usize {
        process::pipes(self.pid()).expect("the gateway is running")
    }

    /// Bytes that were sent to it at this end of a connection and that it has not read yet.
    pub fn unread_from(&self, wire: &Wire) -> u64 {
        let in_flight = process::in_flight(wire.local_address(), wire.remote_address());
        in_flight.expect("the system tells about its sockets")
    }

    /// Bytes that it has sent to this end of a connection and that were not read here yet.
    pub fn untaken_by(&self, wire: &Wire) -> u64 {
        let in_flight = process::in_flight(wire.remote_address(), wire.local_address());
        in_flight.expect("the system tells about its sockets")
    }

    /// Whether its end of this connection is set to find out by itself that the peer has vanished.
    pub fn probes(&self, wire: &Wire) -> bool {
        let probes = process::probes(wire.remote_address(), wire.local_address());
        probes.expect("the system tells about its sockets")
    }

    /// Waits until it has closed every connection: it has as many sockets as after its start.
    #[track_caller]
    pub fn settle(&self) {
        let closed = within(PATIENCE, || self.has_closed().then_some(()));
        assert!(
            closed.is_some(),
            "in {PATIENCE:?} it has not closed every connection: it had {:?} and has {:#?}",
            self.baseline,
            process::shown_descriptors(self.pid())
        );
    }

    /// Waits until it rests: it uses less than a twentieth of a processor.
    #[track_caller]
    pub fn rest(&self) {
        eventually("the gateway rests", || self.unrest().is_none().then_some(()));
    }

    /// That it still runs, and never panicked.
    #[track_caller]
    pub fn assert_alive(&mut self) {
        assert_eq!(self.ended(), None, "the gateway has ended");
        self.assert_no_panic();
    }

    /// How it has ended, if it has: its status, if it had one.
    fn ended(&mut self) -> Option<Option<i32>> {
        match &mut self.successor {
            None => self.child.try_wait().expect("our own child can be asked").map(|status| status.code()),
            Some(successor) => successor.try_wait(),
        }
    }

    /// That none of its threads has panicked so far, or as many as the test has announced.
    #[track_caller]
    pub fn assert_no_panic(&self) {
        let panicked: Vec<_> =
            self.diagnosis.all().into_iter().filter(|line| line.contains("panicked at")).collect();
        assert_eq!(panicked.len(), self.panics, "{panicked:?}");
    }

    /// The test makes it panic so many times.
    pub const fn expect_panics(&mut self, count: usize) {
        self.panics = count;
    }

    /// The test makes it lose a worker thread: by a panic, and with the socket that wakes its runtime for signals.
    pub const fn expect_lost_worker(&mut self) {
        self.panics += 1;
        self.baseline.lose_worker();
    }

    /// The test has it keep something that takes so many bytes of memory.
    pub const fn expect_kept(&mut self, bytes: u64) {
        self.baseline.keep(bytes);
    }

    /// From now on it may have no more than so many descriptors; those that it has it keeps.
    pub fn limit_descriptors(&self, count: u64) {
        process::limit_descriptors(&self.child, count).expect("our own child can be limited");
    }

    /// Stops it, until it is [continued](Self::resume).
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Threads that it has.
    pub fn threads(&self) -> usize {
        process::threads(self.pid()).expect("the gateway is running")
    }

    /// The end of a test that leaves nothing behind: every connection is closed, the gateway runs and rests, it never
    /// panicked, its memory is what it was, and its access lines are those of the answers that were read.
    #[track_caller]
    pub fn finish(mut self) {
        self.assert_invariants();
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(rustix::process::Pid::from_raw);
        let pid = pid.expect("a process has a number");
        rustix::process::kill_process(pid, signal).expect("our own child can be sent signals");
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        successor::end_children(self.pid()); // a test that fails may have begun a hand-over
        drop(self.child.kill()); // it may have ended already, as it was told to
        drop(self.child.wait());
        if thread::panicking() {
            self.diagnosis.print("the gateway's diagnosis");
        } else {
            self.assert_no_panic();
        }
    }
}

#[track_caller]
fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("an access line is JSON: {error}: {line}"))
}
