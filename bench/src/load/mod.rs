//! The load: clients and the backend in one thread and one loop, so that the gateway alone has the other core.

mod backend;
mod client;
mod frames;
mod link;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::time::Timespec;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{CipherSuite, ClientConfig, RootCertStore};
use serde::Serialize;

use self::backend::Backend;
use self::client::{Client, Script};
use self::frames::HEADROOM;
use self::link::Link;
use crate::usage;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The gateway.
    #[arg(long)]
    to: SocketAddr,
    #[arg(long, default_value = "/")]
    path: String,
    /// The certificate to trust; with it, the load speaks TLS 1.3 with X25519 and without resumption.
    #[arg(long)]
    tls: Option<PathBuf>,
    #[arg(long)]
    backend: SocketAddr,
    #[arg(long)]
    protocol: Protocol,
    /// What is measured is a client: bytes go into it, and it makes WebSockets of them.
    #[arg(long)]
    local: bool,
    #[arg(long)]
    mode: Mode,
    #[arg(long, default_value_t = 128)]
    bytes: usize,
    #[arg(long, default_value_t = 100)]
    connections: usize,
    /// Messages under way on each connection.
    #[arg(long, default_value_t = 1)]
    depth: usize,
    /// Messages a second, with `--mode rate`.
    #[arg(long, default_value_t = 10_000)]
    rate: u32,
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Before anything is counted.
    #[arg(long, default_value_t = 0.3)]
    warm_up: f64,
    /// Sleeps when there is nothing to do, for a millisecond at most: for a load that others share the machine with, and
    /// whose times are nobody's concern.
    #[arg(long)]
    sleeps: bool,
    /// The process whose processor time and memory are told, with its descendants.
    #[arg(long)]
    pid: Option<u32>,
}

/// What the backend speaks.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Protocol {
    Tcp,
    Ws,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Messages come back; the next is said when one has been heard.
    Echo,
    /// From the backend, as fast as it goes.
    Down,
    /// From the clients, as fast as it goes.
    Up,
    /// Messages come back, and are said when the clock says so, whatever has been heard.
    Rate,
    /// Connections that open, say one message, hear it and close.
    Connect,
    /// Connections that say one message, hear it and stay.
    Idle,
    /// One client whose answers are timed, beside `--connections` that echo a mebibyte twice.
    Fair,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Both,
    Down,
    Up,
}

#[derive(Default)]
struct Totals {
    messages: u64,
    bytes: u64,
    opened: u64,
    closed: u64,
    latencies: Vec<Duration>,
    handshakes: Vec<Duration>,
}

#[derive(Serialize, Default)]
struct Report {
    seconds: f64,
    messages: u64,
    /// Payload, in one direction; of streams only.
    bytes: u64,
    connections: u64,
    cpu_ns: u64,
    micros_p50: f64,
    micros_p99: f64,
    micros_p999: f64,
    /// Of the gateway, for each connection.
    idle_bytes: f64,
}

enum Party {
    Client(Client),
    Backend(Backend),
}

struct Entry {
    party: Party,
    writes: bool,
}

struct Load<'a> {
    args: &'a Args,
    tls: Option<Arc<ClientConfig>>,
    epoll: OwnedFd,
    listener: TcpListener,
    entries: Vec<Option<Entry>>,
    free: Vec<usize>,
    buffer: Vec<u8>,
    reply: Vec<u8>,
    speech: Rc<[u8]>,
    totals: Totals,
    /// Where the clients are among the entries.
    clients: Vec<usize>,
    /// Entries that are added are timed, and wait for nobody else of the load.
    times: bool,
    timed: Vec<usize>,
}

const LISTENER: u64 = u64::MAX;
const BUFFER_BYTES: usize = 1 << 20;
/// The largest frame that all peers take: lighttpd's limit is one byte below 1 MiB.
const STREAM_FRAME_BYTES: usize = (1 << 20) - 1;
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections that open at the same time.
const OPENING_MAX: usize = 20;
/// Until what was needed to open and to answer has been given back.
const SETTLE: Duration = Duration::from_secs(2);

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let mut load = Load::new(args)?;
    let report = match args.mode {
        Mode::Idle => load.idle()?,
        Mode::Connect => load.connect()?,
        Mode::Echo | Mode::Down | Mode::Up | Mode::Rate | Mode::Fair => load.steady()?,
    };
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

impl<'a> Load<'a> {
    fn new(args: &'a Args) -> anyhow::Result<Self> {
        let listener =
            TcpListener::bind(args.backend).with_context(|| format!("cannot serve {}", args.backend))?;
        rustix::net::listen(&listener, 4096)?;
        listener.set_nonblocking(true)?;
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
        let speech = match args.protocol {
            Protocol::Tcp => vec![0x5a; BUFFER_BYTES],
            Protocol::Ws => backend::frame(STREAM_FRAME_BYTES, None),
        };
        Ok(Self {
            args,
            tls: args.tls.as_ref().map(tls_config).transpose()?,
            epoll,
            listener,
            entries: Vec::new(),
            free: Vec::new(),
            buffer: vec![0; HEADROOM + BUFFER_BYTES],
            reply: Vec::new(),
            speech: speech.into(),
            totals: Totals::default(),
            clients: Vec::new(),
            times: false,
            timed: Vec::new(),
        })
    }

    /// How long a turn waits. What is measured must not pay for waking the load, which in the world is another machine:
    /// it never sleeps, but where it is told to.
    const fn pause(&self) -> Duration {
        match self.args.mode {
            _ if self.args.sleeps => Duration::from_millis(1),
            Mode::Idle => Duration::from_millis(20),
            Mode::Echo | Mode::Down | Mode::Up | Mode::Rate | Mode::Connect | Mode::Fair => Duration::ZERO,
        }
    }

    const fn direction(&self) -> Direction {
        match self.args.mode {
            Mode::Down => Direction::Down,
            Mode::Up => Direction::Up,
            Mode::Echo | Mode::Rate | Mode::Connect | Mode::Idle | Mode::Fair => Direction::Both,
        }
    }

    /// Opens the connections, then measures for a while what they say.
    fn steady(&mut self) -> anyhow::Result<Report> {
        let args = self.args;
        let script_of = if args.local { Script::of_bytes } else { Script::new };
        let mut script = script_of(self.direction(), args.bytes, args.depth);
        match args.mode {
            Mode::Fair => {
                script = Script::new(Direction::Both, STREAM_FRAME_BYTES, 2);
                script.counts = false;
            }
            Mode::Rate => script.goes_on = false,
            Mode::Up => script = script_of(Direction::Up, STREAM_FRAME_BYTES, 1),
            Mode::Echo | Mode::Down | Mode::Connect | Mode::Idle => {}
        }
        self.open(args.connections, &Rc::new(script))?;
        if args.mode == Mode::Fair {
            self.times = true;
            self.open(1, &Rc::new(Script::new(Direction::Both, 128, 1)))?;
        }
        self.go_on(Duration::from_secs_f64(args.warm_up))?;
        self.measure(|load| load.go_on(Duration::from_secs_f64(args.seconds)))
    }

    fn connect(&mut self) -> anyhow::Result<Report> {
        let mut script = Script::new(Direction::Both, self.args.bytes, 1);
        script.closes = true;
        let script = Rc::new(script);
        let churn = |load: &mut Self, seconds: f64| {
            let until = Instant::now() + Duration::from_secs_f64(seconds);
            while Instant::now() < until {
                let (opened, closed) = (load.clients.len() as u64, load.totals.closed);
                for _ in opened - closed..load.args.connections as u64 {
                    load.add_client(&script)?;
                }
                load.turn(Some(load.pause()))?;
            }
            Ok(())
        };
        churn(self, self.args.warm_up)?;
        let mut report = self.measure(|load| churn(load, load.args.seconds))?;
        (report.micros_p50, report.micros_p99, report.micros_p999) = percentiles(&mut self.totals.handshakes);
        Ok(report)
    }

    fn idle(&mut self) -> anyhow::Result<Report> {
        let pid = self.args.pid.context("whose memory? --pid is missing")?;
        let mut script = Script::new(Direction::Both, self.args.bytes, 1);
        script.goes_on = false;
        let script = Rc::new(script);
        self.open(10, &script)?;
        self.go_on(SETTLE)?;
        let before = usage::memory(pid)?;
        self.open(self.args.connections, &script)?;
        self.go_on(SETTLE)?;
        let after = usage::memory(pid)?;
        Ok(Report {
            connections: self.args.connections as u64,
            idle_bytes: (after as f64 - before as f64) / self.args.connections as f64,
            ..Report::default()
        })
    }

    fn measure(&mut self, during: impl FnOnce(&mut Self) -> anyhow::Result<()>) -> anyhow::Result<Report> {
        let cpu = || self.args.pid.map_or(Ok(0), usage::cpu);
        self.totals = Totals { opened: self.totals.opened, closed: self.totals.closed, ..Totals::default() };
        let (start, cpu_before, closed) = (Instant::now(), cpu()?, self.totals.closed);
        during(self)?;
        let seconds = start.elapsed().as_secs_f64();
        let cpu_ns = self.args.pid.map_or(Ok(0), usage::cpu)? - cpu_before;
        let totals = &mut self.totals;
        let (micros_p50, micros_p99, micros_p999) = percentiles(&mut totals.latencies);
        Ok(Report {
            seconds,
            messages: totals.messages,
            bytes: totals.bytes,
            connections: totals.closed - closed,
            cpu_ns,
            micros_p50,
            micros_p99,
            micros_p999,
            idle_bytes: 0.0,
        })
    }

    /// Opens so many connections more, a few at a time, and waits for their first answers.
    fn open(&mut self, connections: usize, script: &Rc<Script>) -> anyhow::Result<()> {
        let (before, until) = (self.clients.len(), Instant::now() + PATIENCE);
        loop {
            let open = self.clients[before..].iter().filter(|at| self.is_under_way(**at, script)).count();
            if open == connections {
                return Ok(());
            }
            if Instant::now() > until {
                bail!("after {PATIENCE:?} only {open} of {connections} connections are open");
            }
            let begun = self.clients.len() - before;
            for _ in begun..connections.min(open + OPENING_MAX) {
                self.add_client(script)?;
            }
            self.turn(Some(Duration::from_millis(50)))?;
        }
    }

    fn is_under_way(&self, at: usize, script: &Script) -> bool {
        match &self.entries[at] {
            Some(Entry { party: Party::Client(client), .. }) if script.direction == Direction::Both => {
                client.is_answered()
            }
            Some(Entry { party: Party::Client(client), .. }) => client.is_open(),
            Some(_) | None => false,
        }
    }

    fn go_on(&mut self, time: Duration) -> anyhow::Result<()> {
        let start = Instant::now();
        if self.args.mode != Mode::Rate {
            while start.elapsed() < time {
                self.turn(Some(self.pause()))?;
            }
            return Ok(());
        }
        let mut said = 0_u32;
        // Between two turns. One that sleeps has many to say when it wakes.
        let at_once = if self.args.sleeps { self.clients.len() } else { 1 };
        while start.elapsed() < time {
            for _ in 0..at_once {
                let due = start + Duration::from_secs(1) * said / self.args.rate;
                if due > Instant::now() {
                    break;
                }
                let at = self.clients[said as usize % self.clients.len()];
                if let Some(Entry { party: Party::Client(client), .. }) = &mut self.entries[at] {
                    client.say(1, due)?;
                }
                said += 1;
            }
            self.turn(Some(self.pause()))?;
        }
        Ok(())
    }

    fn turn(&mut self, timeout: Option<Duration>) -> anyhow::Result<()> {
        let timeout = timeout.map(|timeout| Timespec { tv_sec: 0, tv_nsec: timeout.subsec_nanos().into() });
        let mut events: Vec<Event> = Vec::with_capacity(256);
        epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), timeout.as_ref())?;
        for event in &events {
            let token = event.data.u64();
            if token == LISTENER {
                self.accept()?;
            } else {
                self.ready(token as usize)?;
            }
            // What is timed is the gateway: a mebibyte that the load takes up is not to stand in front of its answer.
            for at in 0..self.timed.len() {
                self.ready(self.timed[at])?;
            }
        }
        Ok(())
    }

    fn accept(&mut self) -> anyhow::Result<()> {
        while let Ok((socket, _)) = self.listener.accept() {
            let backend = Backend::new(socket, self.args.protocol, self.direction(), &self.speech)?;
            self.add(Party::Backend(backend))?;
        }
        Ok(())
    }

    fn add_client(&mut self, script: &Rc<Script>) -> anyhow::Result<()> {
        let client = if self.args.local {
            Client::local(self.args.to, script)?
        } else {
            Client::connect(self.args.to, &self.args.path, self.tls.as_ref(), script)?
        };
        let at = self.add(Party::Client(client))?;
        self.clients.push(at);
        Ok(())
    }

    fn add(&mut self, party: Party) -> anyhow::Result<usize> {
        let at = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            self.entries.len() - 1
        });
        let entry = Entry { party, writes: true };
        epoll::add(&self.epoll, entry.party.link().fd(), EventData::new_u64(at as u64), interest(true))?;
        self.entries[at] = Some(entry);
        if self.times {
            self.timed.push(at);
        }
        Ok(at)
    }

    fn ready(&mut self, at: usize) -> anyhow::Result<()> {
        let Some(entry) = &mut self.entries[at] else { return Ok(()) };
        let goes_on = match &mut entry.party {
            Party::Client(client) => client.ready(&mut self.buffer, &mut self.totals)?,
            // That the gateway drops a backend is seen by the client, if it matters.
            Party::Backend(backend) => {
                backend.ready(&mut self.buffer, &mut self.reply, &mut self.totals).unwrap_or(false)
            }
        };
        let link = entry.party.link_mut();
        let flushed = if link.wants_write() { link.flush() } else { Ok(()) };
        if !goes_on || flushed.is_err() {
            self.totals.closed += u64::from(matches!(entry.party, Party::Client(_)));
            self.entries[at] = None;
            self.free.push(at);
            return Ok(());
        }
        let writes = link.wants_write();
        if writes != entry.writes {
            entry.writes = writes;
            epoll::modify(
                &self.epoll,
                entry.party.link().fd(),
                EventData::new_u64(at as u64),
                interest(writes),
            )?;
        }
        Ok(())
    }
}

impl Party {
    const fn link(&self) -> &Link {
        match self {
            Self::Client(client) => &client.link,
            Self::Backend(backend) => &backend.link,
        }
    }

    const fn link_mut(&mut self) -> &mut Link {
        match self {
            Self::Client(client) => &mut client.link,
            Self::Backend(backend) => &mut backend.link,
        }
    }
}

fn interest(writes: bool) -> EventFlags {
    if writes { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN }
}

fn percentiles(times: &mut [Duration]) -> (f64, f64, f64) {
    times.sort_unstable();
    let at = |part: f64| {
        let index = (times.len() as f64 * part) as usize;
        times.get(index.min(times.len().saturating_sub(1))).map_or(0.0, |time| time.as_secs_f64() * 1e6)
    };
    (at(0.5), at(0.99), at(0.999))
}

fn tls_config(certificate: &PathBuf) -> anyhow::Result<Arc<ClientConfig>> {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.kx_groups = vec![rustls::crypto::aws_lc_rs::kx_group::X25519];
    // What browsers ask for first; rustls's own first is one that needs SHA-384 for each of its keys.
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate)?)?;
    let mut config = ClientConfig::builder_with_provider(provider.into())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config.into())
}
