//! `tidegate connect` as a process: what it listens at, what it says, and how it ends.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};

use rustix::process::Signal;

use crate::gateway::lines::Lines;
use crate::gateway::process;
use crate::{PATIENCE, Wire, within};

/// A client to be started: its binary, flags and environment.
#[derive(Debug)]
pub struct Connector {
    command: Command,
}

/// A running client. Dropping it kills the process and fails the test if it had panicked.
#[derive(Debug)]
pub struct Connecting {
    child: Child,
    input: Option<ChildStdin>,
    output: Option<JoinHandle<Vec<u8>>>,
    diagnosis: Lines,
}

/// What came of a client that has ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status; `None` if a signal killed it.
    pub status: Option<i32>,
    /// Its standard output.
    pub output: Vec<u8>,
    /// Its diagnosis, whole.
    pub diagnosis: String,
}

impl Connector {
    /// `tidegate connect LISTEN`, without the environment's proxies.
    pub fn new(binary: &str, listen: &str) -> Self {
        let mut command = Command::new(binary);
        command.args(["connect", listen]);
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command }
    }

    /// With one more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// With this in its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it.
    #[track_caller]
    pub fn start(mut self) -> Connecting {
        let mut child = self.command.spawn().expect("the client can be started");
        let mut stdout = child.stdout.take().expect("its output is a pipe");
        let output = thread::spawn(move || {
            let mut output = Vec::new();
            stdout.read_to_end(&mut output).expect("a pipe can be read");
            output
        });
        let diagnosis = Lines::collect(child.stderr.take().expect("its diagnosis is a pipe"));
        Connecting { input: child.stdin.take(), child, output: Some(output), diagnosis }
    }

    /// Starts it, gives it this input, and waits for its end.
    #[track_caller]
    pub fn run(self, input: &[u8]) -> Ended {
        let mut running = self.start();
        let mut stdin = running.input.take().expect("its input is a pipe");
        let input = input.to_vec();
        let writing = thread::spawn(move || {
            drop(stdin.write_all(&input)); // it may have reasons not to read it
        });
        let ended = running.wait_for_all();
        writing.join().expect("writing does not panic");
        ended
    }
}

impl Connecting {
    /// Where it listens, once it does.
    #[track_caller]
    pub fn address(&self) -> SocketAddr {
        self.diagnosis.wait_for("the address", |line| {
            let (_, rest) = line.split_once("listening on tcp://")?;
            rest.split(';').next()?.parse().ok()
        })
    }

    /// A local connection to it.
    #[track_caller]
    pub fn connect(&self) -> Wire {
        Wire::connect(self.address())
    }

    /// A line of its diagnosis, there or still to come, that contains `text`.
    #[track_caller]
    pub fn diagnosis(&self, text: &str) -> String {
        self.diagnosis.wait_for(text, |line| line.contains(text).then(|| line.to_owned()))
    }

    /// All lines of its diagnosis so far.
    pub fn lines(&self) -> Vec<String> {
        self.diagnosis.all()
    }

    /// Its standard input.
    pub fn input(&mut self) -> &mut ChildStdin {
        self.input.as_mut().expect("its input is not closed yet")
    }

    /// Closes its standard input.
    pub fn end_input(&mut self) {
        self.input = None;
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("our own child can be sent signals");
    }

    /// Stops it, until it is sent SIGCONT.
    #[track_caller]
    pub fn pause(&self) {
        self.signal(Signal::STOP);
        crate::stopped::await_stopped(self.child.id());
    }

    /// Its arguments, as everybody on this machine can read them.
    pub fn arguments(&self) -> String {
        let path = format!("/proc/{}/cmdline", self.child.id());
        let bytes = std::fs::read(path).expect("the client is running");
        String::from_utf8_lossy(&bytes).replace('\0', " ")
    }

    /// Bytes of its own memory that are resident: heap and stacks, not the binary.
    pub fn memory(&self) -> u64 {
        process::anonymous_memory(self.child.id()).expect("the client is running")
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let ended = within(PATIENCE, || self.child.try_wait().expect("our own child can be asked"));
        ended.unwrap_or_else(|| panic!("it did not end; its lines:\n{}", self.lines().join("\n")))
    }

    /// Waits for its end; what came of it.
    #[track_caller]
    pub fn wait_for_all(mut self) -> Ended {
        let status = self.wait().code();
        let output =
            self.output.take().expect("it is waited for once").join().expect("reading does not panic");
        self.diagnosis.wait_for_end();
        Ended { status, output, diagnosis: self.lines().join("\n") }
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        drop(self.child.kill()); // it may have ended already
        drop(self.child.wait());
        if thread::panicking() {
            self.diagnosis.print("the client's diagnosis");
        } else {
            let panicked = self.lines().into_iter().find(|line| line.contains("panicked at"));
            assert_eq!(panicked, None);
        }
    }
}
