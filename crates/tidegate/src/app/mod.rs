//! Start and stop: nothing is bound until everything is valid, and nothing ends before its time.

mod admin;
mod certificates;
mod descriptors;
mod doors;
mod reload;
mod signals;
mod watchdog;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;

use self::admin::Overseer;
use self::descriptors::connections_max;
use self::doors::Doors;
use self::reload::Settings;
pub(crate) use self::reload::Source;
use self::signals::Hangups;
pub(crate) use self::signals::{Stop, StopSignals};
use crate::access_log::AccessLog;
use crate::admin::{House, ReloadOrder};
use crate::clock;
use crate::config::{self, Config};
use crate::generation::Generation;
use crate::journal::Books;
use crate::listener::{Inherited, Places, Served, SocketFile};
use crate::live::Because;
use crate::metrics::Metrics;
use crate::notify;
use crate::outcome::Cause;
use crate::policy::quota::Quota;
use crate::service::Service;
use crate::swap::Swap;
use crate::ticker::Ticker;
use crate::worker::Workers;

/// Serves until a signal or `told` says stop, then drains. SIGHUP reads `source` again.
///
/// # Errors
/// What keeps it from starting: an address, a certificate, a file.
pub(crate) async fn serve(config: Config, source: Source, told: CancellationToken) -> anyhow::Result<()> {
    let mut signals = StopSignals::listen()?;
    let mut hangups = Hangups::listen()?;
    let running = Running::start(config, Some(source))?;
    running.feed_watchdog();
    notify::ready();
    let stop = tokio::select! {
        stop = signals.next() => stop,
        () = told.cancelled() => Stop::Shutdown,
        never = running.reload_when_told(&mut hangups) => match never {},
        never = running.reload_when_ordered() => match never {},
        never = running.watch_certificates() => match never {},
    };
    notify::stopping(running.workers.live());
    running.finish(stop, &mut signals).await;
    Ok(())
}

/// A gateway that serves. It is over when [`finish`](Self::finish) is.
pub(crate) struct Running {
    /// Tells the listeners to accept no more.
    stop: CancellationToken,
    doors: tokio::sync::Mutex<Doors>,
    /// Of the socket of the admin listener.
    admin_file: Mutex<Option<SocketFile>>,
    service: Arc<Service>,
    workers: Arc<Workers>,
    settings: Mutex<Settings>,
    /// The configuration as the admin listener shows it.
    shown: Arc<Swap<Value>>,
    /// What the admin listener is told.
    orders: tokio::sync::Mutex<mpsc::Receiver<ReloadOrder>>,
    source: Option<Source>,
}

impl Running {
    /// Binds, starts the workers, and accepts. Without a `source` it cannot be reloaded.
    ///
    /// # Errors
    /// What keeps it from starting: an address, a certificate, a file.
    pub(crate) fn start(config: Config, source: Option<Source>) -> anyhow::Result<Self> {
        let (settings, shown) =
            (Settings::of(&config), Arc::new(Swap::new(Arc::new(config::shown(&config)))));
        let admin = config.admin.map(Overseer::open).transpose().context("the admin listener")?;
        let stop = CancellationToken::new();
        let access_log = AccessLog::open(&config.access_log)
            .with_context(|| format!("cannot open the access log {:?}", config.access_log))?;
        let ticker = config.traffic_symbols.then(Ticker::start).transpose();
        let ticker = ticker.context("cannot start the thread that prints symbols")?;
        let books = Arc::new(Books { log: access_log, metrics: Metrics::default(), ticker });
        let generation = Generation::first(config.routes)?;
        let records = generation.recorder.is_some();
        let quota = Quota::new(config.connections_per_client_max);
        let service = Arc::new(Service::new(generation, books, quota, config.drain_rate));
        let workers =
            Arc::new(Workers::start(config.workers, &service).context("cannot start worker threads")?);
        let connections_max = connections_max(config.connections_max, records, config.workers);
        let places = Places::new(connections_max, config.handshakes_max);
        let mut doors = Doors::new(stop.clone(), places.clone(), Arc::clone(&workers));
        let mut inherited = Inherited::take_from_environment()
            .context("one of the sockets that this process was started with cannot be listened on")?;
        let all = doors.prepare(config.listeners, &mut inherited)?;
        inherited.warn_of_unused();
        doors.change(all);
        let (reload, orders) = admin::orders();
        let admin_file = admin.and_then(|admin| {
            admin.serve(|guard| House {
                service: Arc::clone(&service),
                workers: Arc::clone(&workers),
                places,
                guard,
                config: Arc::clone(&shown),
                reload,
            })
        });
        let (doors, settings) = (tokio::sync::Mutex::new(doors), Mutex::new(settings));
        Ok(Self {
            stop,
            doors,
            admin_file: Mutex::new(admin_file),
            service,
            workers,
            settings,
            shown,
            orders: tokio::sync::Mutex::new(orders),
            source,
        })
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
            _ = signals.next() => {}
        }
    }

    /// Accepts no more, drains, and ends. A signal cuts it short.
    pub(crate) async fn finish(&self, stop: Stop, signals: &mut StopSignals) {
        self.stop_accepting();
        self.refuse_orders().await;
        let patience = self.settings().patience;
        let (code, reason) = stop.close();
        self.service.drain(Because::new(Cause::Drained, code, reason.to_owned()), patience);
        tracing::info!(connections = self.workers.live(), "stopping; a second signal stops at once");
        finish(&self.workers, patience, signals).await;
        self.workers.stop();
        self.doors.lock().await.clear();
        drop(self.admin_file.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.service.books.log.flush();
        if let Some(ticker) = &self.service.books.ticker {
            ticker.flush();
        }
        if let Some(recorder) = &self.service.generation().recorder {
            recorder.flush();
        }
    }

    async fn with_certificates(&self) -> Vec<(Arc<Swap<Served>>, Vec<PathBuf>)> {
        self.doors.lock().await.with_certificates()
    }

    fn settings(&self) -> Settings {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Waits for the connections to end, but neither longer than `patience` nor through a second signal.
async fn finish(workers: &Workers, patience: Duration, signals: &mut StopSignals) {
    tokio::select! {
        ended = timeout(patience, workers.idle()) => match ended {
            Ok(()) => tracing::info!("all connections have ended"),
            Err(_) => tracing::warn!(connections = workers.live(), "connections are cut: they did not end in time"),
        },
        _ = signals.next() => tracing::warn!(connections = workers.live(), "connections are cut: told to stop at once"),
    }
}
