//! A server as a process of its own, on a core of its own: how it is started, and what it has used.

use crate::Failure;
use crate::servers::{self, Deflate};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

const SERVER_CORE: usize = 0;
pub const LOAD_CORE: usize = 1;

pub struct Server {
    child: Child,
    pub port: u16,
}

impl Server {
    /// Ours without compression is the example that stands in `examples/`, as it is.
    pub fn start(name: &str, deflate: Option<Deflate>) -> Result<Self, Failure> {
        let this = std::env::current_exe()?;
        let mut command = if name == servers::NAMES[0] && deflate.is_none() {
            let mut command = Command::new(this.with_file_name("echo_tokio"));
            command.arg("127.0.0.1:0");
            command
        } else {
            let mut command = Command::new(this);
            command.args(["--serve", name, Deflate::setting(deflate)]);
            command
        };
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let core = one_core(SERVER_CORE);
        sched_setaffinity(rustix::process::Pid::from_raw(child.id().cast_signed()), &core)?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let port = line.trim_end().rsplit(':').next().and_then(|port| port.parse().ok());
        Ok(Self { child, port: port.ok_or_else(|| format!("{name} does not start: {line:?}"))? })
    }

    /// Nanoseconds on a processor, of all its threads.
    pub fn cpu(&self) -> Result<u64, Failure> {
        let mut total = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let times = fs::read_to_string(task?.path().join("schedstat"))?;
            total += times.split(' ').next().ok_or("no schedstat")?.parse::<u64>()?;
        }
        Ok(total)
    }

    /// Bytes of its own: private and dirty.
    pub fn memory(&self) -> Result<u64, Failure> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Private_Dirty:")).ok_or("no smaps")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().expect("a child that was not waited for can be ended");
        self.child.wait().expect("a child can be waited for");
    }
}

pub fn pin(core: usize) -> Result<(), Failure> {
    Ok(sched_setaffinity(None, &one_core(core))?)
}

fn one_core(core: usize) -> CpuSet {
    let mut cores = CpuSet::new();
    cores.set(core);
    cores
}

/// The other side of [`Server::start`].
pub fn serve(name: &str, setting: &str) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(servers::serve(name, Deflate::from_setting(setting)?))
}
