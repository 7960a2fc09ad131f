//! Start and stop: nothing is bound until everything is valid, and nothing ends before its time.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tidegate_proto::CloseCode;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::access_log::AccessLog;
use crate::admin::{self, Guard, House};
use crate::auth::Guards;
use crate::backend::trust::Trust;
use crate::clock;
use crate::config::{self, Admin, Config, Listener, ListenerTls, Route};
use crate::drain::Drain;
use crate::journal::Books;
use crate::listener::{Inherited, Listening, Places, Served, SocketFile};
use crate::live::Because;
use crate::lookup::Lookups;
use crate::metrics::Metrics;
use crate::notify;
use crate::outcome::Cause;
use crate::policy::quota::Quota;
use crate::recording::Recorder;
use crate::relay;
use crate::route::Table;
use crate::service::{Service, Stages};
use crate::tls;
use crate::worker::Workers;

/// Descriptors kept free of connections: listeners, logs, event queues, files on their way out.
const RESERVED_DESCRIPTORS: u64 = 64;

/// Serves until a signal or `told` says stop, then drains.
///
/// # Errors
/// What keeps it from starting: an address, a certificate, a file.
pub(crate) async fn serve(config: Config, told: CancellationToken) -> anyhow::Result<()> {
    let mut signals = StopSignals::listen()?;
    let running = Running::start(config)?;
    running.feed_watchdog();
    notify::ready();
    tokio::select! {
        () = signals.next() => {}
        () = told.cancelled() => {}
    }
    notify::stopping(running.workers.live());
    running.finish(&mut signals).await;
    Ok(())
}

/// A gateway that serves. It is over when [`finish`](Self::finish) is.
pub(crate) struct Running {
    /// Tells the listeners to accept no more.
    stop: CancellationToken,
    socket_files: Vec<SocketFile>,
    access_log: AccessLog,
    recorder: Option<Recorder>,
    service: Arc<Service>,
    workers: Arc<Workers>,
    patience: Duration,
    drain_rate: u32,
}

impl Running {
    /// Binds, starts the workers, and accepts.
    ///
    /// # Errors
    /// What keeps it from starting: an address, a certificate, a file.
    pub(crate) fn start(config: Config) -> anyhow::Result<Self> {
        let shown = config::shown(&config);
        let mut admin = config.admin.map(open_admin).transpose().context("the admin listener")?;
        let mut listening = listen(config.listeners)?;
        let every_listening = listening.iter_mut().chain(admin.iter_mut().map(|(_, listening)| listening));
        let socket_files = every_listening.filter_map(Listening::take_file).collect();
        let access_log = AccessLog::open(&config.access_log)
            .with_context(|| format!("cannot open the access log {:?}", config.access_log))?;
        let books = Arc::new(Books { log: access_log.clone(), metrics: Metrics::default() });
        let drain = Drain::default();
        let quota = Quota::new(config.connections_per_client_max);
        let recorder = recorder(&config.routes).context("cannot start the thread that writes recordings")?;
        let records = recorder.is_some();
        let stages = Stages {
            guards: Guards::load(&config.routes)?,
            lookups: Lookups::load(&config.routes)?,
            trust: Trust::load(&config.routes)?,
            recorder: recorder.clone(),
            table: Table::new(config.routes),
        };
        let service = Arc::new(Service::new(stages, books, drain, quota));
        let workers =
            Arc::new(Workers::start(config.workers, &service).context("cannot start worker threads")?);
        let connections_max = connections_max(config.connections_max, records, config.workers);
        let places = Places::new(connections_max, config.handshakes_max);
        let stop = CancellationToken::new();
        for listening in listening {
            announce(&listening)?;
            let accepting = accept(listening, places.clone(), Arc::clone(&workers));
            tokio::spawn(stop.clone().run_until_cancelled_owned(accepting));
        }
        if let Some((guard, listening)) = admin {
            announce_admin(&listening)?;
            let (service, workers) = (Arc::clone(&service), Arc::clone(&workers));
            let house = Arc::new(House {
                service,
                workers,
                places,
                guard,
                config: shown,
                drain_rate: config.drain_rate,
            });
            tokio::spawn(admin::serve(listening, admin::places(), house));
        }
        Ok(Self {
            stop,
            socket_files,
            access_log,
            recorder,
            service,
            workers,
            patience: config.drain,
            drain_rate: config.drain_rate,
        })
    }

    /// Tells the service manager again and again that nothing hangs, if it wants to know.
    fn feed_watchdog(&self) {
        if let Some(period) = notify::watchdog_period() {
            tokio::spawn(watch(Arc::clone(&self.workers), period));
        }
    }

    /// Accepts no more. Whoever is connected stays so.
    pub(crate) fn stop_accepting(&self) {
        self.stop.cancel();
    }

    /// Waits until a WebSocket was opened.
    pub(crate) async fn websocket_opened(&self) {
        self.service.live.wait_for(|live| live.opened() > 0).await;
    }

    /// Waits until no WebSocket is open.
    pub(crate) async fn websockets_over(&self) {
        self.service.live.wait_for(|live| live.open() == 0).await;
    }

    /// Waits until it had no connection for so long. It looks once a second, so that connections need not tell.
    pub(crate) async fn unused_for(&self, time: Duration) {
        let mut looks = interval(Duration::from_secs(1));
        let (mut seen, mut since) = (0, clock::now());
        loop {
            looks.tick().await;
            let connections = self.service.connections();
            if self.workers.live() > 0 || connections != seen {
                (seen, since) = (connections, clock::now());
            } else if clock::now() - since >= time {
                return;
            }
        }
    }

    /// Accepts no more, and waits until every connection has ended by itself, or a signal says stop.
    pub(crate) async fn run_out(&self, signals: &mut StopSignals) {
        self.stop_accepting();
        tokio::select! {
            () = self.workers.idle() => {}
            () = signals.next() => {}
        }
    }

    /// Accepts no more, drains, and ends. A signal cuts it short.
    pub(crate) async fn finish(self, signals: &mut StopSignals) {
        self.stop_accepting();
        let because = Because::new(Cause::Drained, CloseCode::GOING_AWAY, "shutting down".to_owned());
        self.service.drain(because, self.patience, self.drain_rate);
        tracing::info!(connections = self.workers.live(), "stopping; a second signal stops at once");
        finish(&self.workers, self.patience, signals).await;
        self.workers.stop();
        drop(self.socket_files);
        self.access_log.flush();
        if let Some(recorder) = self.recorder {
            recorder.flush();
        }
    }
}

/// Says that the gateway lives each time that all its workers have answered.
async fn watch(workers: Arc<Workers>, period: Duration) {
    let mut beats = interval(period);
    loop {
        beats.tick().await;
        let answered = timeout(period / 2, workers.answer()).await;
        if let Ok(true) = answered {
            notify::alive();
        } else {
            let how = if answered.is_err() { "hangs" } else { "has ended" };
            tracing::error!("a worker thread {how}; the watchdog is not told that all is well");
        }
    }
}

/// Takes connections for as long as it is polled.
async fn accept(listening: Listening, places: Places, workers: Arc<Workers>) {
    while let Some(accepted) = listening.accept(&places).await {
        workers.serve(accepted).await;
    }
}

/// Waits for the connections to end, but neither longer than `patience` nor through a second signal.
async fn finish(workers: &Workers, patience: Duration, signals: &mut StopSignals) {
    tokio::select! {
        ended = timeout(patience, workers.idle()) => match ended {
            Ok(()) => tracing::info!("all connections have ended"),
            Err(_) => tracing::warn!(connections = workers.live(), "connections are cut: they did not end in time"),
        },
        () = signals.next() => tracing::warn!(connections = workers.live(), "connections are cut: told to stop at once"),
    }
}

/// Opens every listener, with the sockets that the process was started with where they are meant.
fn listen(listeners: Vec<Listener>) -> anyhow::Result<Vec<Listening>> {
    let mut inherited = Inherited::take_from_environment()
        .context("one of the sockets that this process was started with cannot be listened on")?;
    let mut listening = Vec::with_capacity(listeners.len());
    for listener in listeners {
        let acceptor = tls::acceptor(&listener)?;
        listening.extend(Listening::open(Served { listener, acceptor }, &mut inherited)?);
    }
    inherited.warn_of_unused();
    Ok(listening)
}

fn open_admin(admin: Admin) -> anyhow::Result<(Guard, Listening)> {
    let guard = Guard::new(&admin);
    let listener = admin.listener;
    let acceptor = tls::acceptor(&listener)?;
    Ok((guard, Listening::bind(Served { listener, acceptor })?))
}

/// Says where it listens, in other words than for clients.
fn announce_admin(listening: &Listening) -> io::Result<()> {
    tracing::info!("admin listener on {}", listening.address()?);
    Ok(())
}

/// Says where it listens: with port 0 this is the only place that tells.
fn announce(listening: &Listening) -> io::Result<()> {
    let schemes = match listening.served.listener.tls {
        ListenerTls::Off => "http",
        ListenerTls::Required(_) => "https",
        ListenerTls::Auto(_) => "http+https",
    };
    tracing::info!("listening on {schemes}://{}", listening.address()?);
    Ok(())
}

/// What records, where a route wants it.
fn recorder(routes: &[Route]) -> io::Result<Option<Recorder>> {
    let wanted = routes.iter().any(|route| route.record.is_some());
    wanted.then(Recorder::start).transpose()
}

/// How many connections there may be: what the file says, but no more than there are descriptors for. A relayed
/// connection takes two, and one more for its recording; the workers' pipes for bulk data get an eighth at most.
fn connections_max(configured: Option<usize>, records: bool, workers: usize) -> usize {
    let limit = raise_descriptor_limit();
    let each = if records { 3 } else { 2 };
    let pipes = workers.saturating_mul(relay::PIPE_DESCRIPTORS_MAX) as u64;
    let reserved = RESERVED_DESCRIPTORS + pipes.min(limit / 8);
    let possible = usize::try_from(limit.saturating_sub(reserved) / each).unwrap_or(usize::MAX).max(1);
    let places = configured.map_or(possible, |configured| configured.min(possible));
    if let Some(configured) = configured.filter(|configured| *configured > possible) {
        tracing::warn!(
            "max_connections = {configured}, but the limit of {limit} descriptors allows {possible}; raise it (LimitNOFILE=, ulimit -n)"
        );
    }
    places
}

/// Asks for as many descriptors as the system gives without privileges.
fn raise_descriptor_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let raised = setrlimit(Resource::Nofile, wanted).is_ok();
    let effective = if raised { limit.maximum } else { limit.current };
    effective.unwrap_or(1 << 20)
}

/// SIGTERM and SIGINT.
pub(crate) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// From now on they do not end the process.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen to signals");
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    /// Waits for one.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
