//! Start and stop: nothing is bound until everything is valid, and nothing ends before its time.

mod admin;
mod certificates;
mod descriptors;
mod listeners;
mod memory;
mod reload;
mod signals;
mod upgrade;
mod watchdog;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::Signal;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{interval, sleep_until};
use tokio_util::sync::CancellationToken;

use self::admin::{AdminListener, AdminServer};
use self::descriptors::connections_max;
use self::listeners::Listeners;
use self::reload::Settings;
pub(crate) use self::reload::Source;
use self::signals::{Hangups, Upgrades};
pub(crate) use self::signals::{Stop, StopSignals};
pub(crate) use self::upgrade::{Launch, Predecessor, SWITCH};
use self::upgrade::{Leftovers, Takeover, number, send};
use crate::access_log::AccessLog;
use crate::admin::{Gateway, ReloadOrder, UpgradeOrder};
use crate::clock;
use crate::config::{self, Config};
use crate::drain::Haste;
use crate::generation::Generation;
use crate::journal::Telemetry;
use crate::listener::{Gate, Inherited, Places, Served};
use crate::live::CloseNotice;
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
/// `launch` is how this process was started, where another can be started to take its place.
pub(crate) async fn serve(
    config: Config,
    source: Source,
    launch: Option<Launch>,
    told: CancellationToken,
) -> anyhow::Result<()> {
    let signals = Signals::listen()?;
    let running = Running::start(config, Some(source))?;
    running.serve(launch, told, signals).await;
    Ok(())
}

/// The same, in the place of the process that has started this one and hands over to it. `config` is what was read, or
/// what is wrong with it.
///
/// # Errors
/// What keeps it from taking over; the other process goes on then.
pub(crate) async fn take_over(
    predecessor: Predecessor,
    config: Result<Config, String>,
    source: Source,
    launch: Launch,
) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    match upgrade::take_over(predecessor, config, source, &mut signals.stops).await? {
        Takeover::Complete(running, predecessor) => {
            signals.stops.follow(predecessor);
            running.serve(Some(launch), CancellationToken::new(), signals).await;
        }
        // What it has taken until then is nobody else's.
        Takeover::Abandoned(running, told) => {
            notify::be_silent();
            let Signals { stops, hangups, .. } = &mut signals;
            let ending = async {
                running.refuse_orders().await; // they are the other's
                let stop = match told {
                    Some(stop) => stop,
                    None => running.run_out(stops).await.unwrap_or(Stop::Restart),
                };
                running.finish(stop, stops).await;
            };
            tokio::select! {
                () = ending => {}
                never = running.reopen_log_when_told(hangups) => match never {},
            }
        }
        Takeover::Stopped => tracing::info!("told to stop before anything was taken over"),
    }
    Ok(())
}

/// Everything that it listens to from before its start on, so that none of it ends the process.
struct Signals {
    stops: StopSignals,
    hangups: Hangups,
    upgrades: Upgrades,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self { stops: StopSignals::listen()?, hangups: Hangups::listen()?, upgrades: Upgrades::listen()? })
    }
}

/// A gateway that serves. It is over when [`finish`](Self::finish) is.
pub(crate) struct Running {
    /// Tells the listeners to accept no more.
    stop: CancellationToken,
    /// Whether they accept just now.
    gate: Gate,
    listeners: tokio::sync::Mutex<Listeners>,
    places: Places,
    /// The admin listener, if there is one.
    admin: Mutex<Option<AdminServer>>,
    service: Arc<Service>,
    workers: Arc<Workers>,
    settings: Mutex<Settings>,
    /// The configuration as the admin listener shows it.
    shown: Arc<Swap<Value>>,
    /// What the admin listener is told.
    orders: tokio::sync::Mutex<mpsc::Receiver<ReloadOrder>>,
    upgrades: tokio::sync::Mutex<mpsc::Receiver<UpgradeOrder>>,
    source: Option<Source>,
    /// Processes that hand-overs which failed have left behind.
    leftovers: Leftovers,
}

impl Running {
    /// Binds, starts the workers, and accepts. Without a `source` it cannot be reloaded.
    ///
    /// # Errors
    /// What keeps it from starting: an address, a certificate, a file.
    pub(crate) fn start(config: Config, source: Option<Source>) -> anyhow::Result<Self> {
        let mut inherited = Inherited::take_from_environment()
            .context("one of the sockets that this process was started with cannot be listened on")?;
        let running = Self::prepare(config, source, &mut inherited, Gate::new(true))?;
        inherited.warn_of_unused();
        Ok(running)
    }

    /// The same with sockets that there are already, and behind a gate that may be shut at first.
    fn prepare(
        config: Config,
        source: Option<Source>,
        inherited: &mut Inherited,
        gate: Gate,
    ) -> anyhow::Result<Self> {
        let (settings, shown) =
            (Settings::of(&config), Arc::new(Swap::new(Arc::new(config::shown(&config)))));
        let admin_listener = config.admin.map(|admin| AdminListener::open(admin, inherited));
        let admin_listener = admin_listener.transpose().context("the admin listener")?;
        let stop = CancellationToken::new();
        let access_log = AccessLog::open(&config.access_log)
            .with_context(|| format!("cannot open the access log {:?}", config.access_log))?;
        let ticker = config.traffic_symbols.then(Ticker::start).transpose();
        let ticker = ticker.context("cannot start the thread that prints symbols")?;
        let telemetry = Arc::new(Telemetry { log: access_log, metrics: Metrics::default(), ticker });
        let generation = Generation::first(config.routes)?;
        let records = generation.recorder.is_some();
        let quota = Quota::new(config.connections_per_client_max);
        let service = Arc::new(Service::new(generation, telemetry, quota, config.drain_rate));
        memory::divide(config.buffered_max, config.workers);
        let workers =
            Arc::new(Workers::start(config.workers, &service).context("cannot start worker threads")?);
        let connections_max = connections_max(config.connections_max, records, config.workers);
        let places = Places::new(connections_max, config.handshakes_max);
        let mut listeners = Listeners::new(stop.clone(), gate.clone(), places.clone(), Arc::clone(&workers));
        let all = listeners.prepare(config.listeners, inherited)?;
        listeners.change(all);
        let (reload, orders) = admin::orders();
        let (upgrade, upgrades) = upgrade::orders();
        let admin = admin_listener.map(|listener| {
            listener.serve(gate.clone(), |guard| Gateway {
                service: Arc::clone(&service),
                workers: Arc::clone(&workers),
                places: places.clone(),
                guard,
                config: Arc::clone(&shown),
                reload,
                upgrade,
            })
        });
        let (listeners, settings) = (tokio::sync::Mutex::new(listeners), Mutex::new(settings));
        Ok(Self {
            stop,
            gate,
            listeners,
            places,
            admin: Mutex::new(admin),
            service,
            workers,
            settings,
            shown,
            orders: tokio::sync::Mutex::new(orders),
            upgrades: tokio::sync::Mutex::new(upgrades),
            source,
            leftovers: Leftovers::default(),
        })
    }

    /// Serves until a signal or `told` says stop, or another process has taken over; then drains what is left.
    async fn serve(self, launch: Option<Launch>, told: CancellationToken, signals: Signals) {
        let Signals { mut stops, mut hangups, mut upgrades } = signals;
        self.feed_watchdog();
        self.watch_memory();
        notify::ready();
        let (stop, successor) = tokio::select! {
            stop = stops.next() => (stop, None),
            () = told.cancelled() => (Stop::Shutdown, None),
            (pid, successor) = self.hand_over_when_told(launch.as_ref(), &mut upgrades) => {
                stops.give_way(successor);
                let stop = tokio::select! {
                    () = self.finish_answering_admin() => Stop::HandedOver,
                    stop = stops.next() => stop,
                };
                (stop, number(pid))
            }
            never = self.reload_when_told(&mut hangups) => match never {},
            never = self.reload_when_ordered() => match never {},
            never = self.watch_certificates() => match never {},
        };
        self.leftovers.tell(stop.signal()); // whoever ends the gateway means all of it
        if let Some(pid) = successor.filter(|_| hangups.is_due()) {
            send(pid, Signal::HUP); // what it has read may be older than that
        }
        notify::stopping(self.workers.live());
        tokio::select! {
            () = self.finish(stop, &mut stops) => {}
            never = self.reopen_log_when_told(&mut hangups) => match never {},
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

    /// Waits until it has had no connection for this time. It looks once a second, so that connections need not tell.
    pub(crate) async fn unused_for(&self, time: Duration) {
        let mut looks = interval(Duration::from_secs(1));
        let (mut seen, mut since) = (0, None);
        loop {
            looks.tick().await;
            let connections = self.service.connections();
            if self.workers.live() > 0 || connections != seen {
                (seen, since) = (connections, None);
            } else if clock::now() - *since.get_or_insert_with(clock::now) >= time {
                return; // never early: the last connection ended before the look from which this counts
            }
        }
    }

    /// Accepts no more, and waits until every connection has ended by itself, or a signal says stop.
    pub(crate) async fn run_out(&self, signals: &mut StopSignals) -> Option<Stop> {
        self.stop_accepting();
        tokio::select! {
            () = self.workers.idle() => None,
            stop = signals.next() => Some(stop),
        }
    }

    /// Accepts no more, drains, and ends. A signal cuts it short.
    pub(crate) async fn finish(&self, stop: Stop, signals: &mut StopSignals) {
        self.stop_accepting();
        self.refuse_orders().await;
        let patience = self.settings().patience;
        let (code, reason) = stop.close();
        // Nobody waits for a process to end that has handed over.
        let haste = if stop == Stop::HandedOver { Haste::None } else { Haste::AtDrainRate };
        self.service.drain(CloseNotice::new(Cause::Drained, code, reason.to_owned()), patience, haste);
        tracing::info!(connections = self.workers.live(), "stopping; a second signal stops at once");
        self.await_the_end(stop, patience, signals).await;
        self.workers.stop();
        self.listeners.lock().await.clear();
        drop(self.admin().take());
        self.service.telemetry.log.flush();
        if let Some(ticker) = &self.service.telemetry.ticker {
            ticker.flush();
        }
        if let Some(recorder) = &self.service.generation().recorder {
            recorder.flush();
        }
    }

    /// Waits for the connections to end, and for the process before this one, but neither longer than `patience` nor
    /// through a second stop. After a hand-over nobody has said stop yet: the first makes haste of it.
    async fn await_the_end(&self, stop: Stop, patience: Duration, signals: &mut StopSignals) {
        let until = clock::now() + patience;
        let (mut is_idle, mut is_in_haste) = (false, stop != Stop::HandedOver);
        loop {
            tokio::select! {
                () = self.workers.idle(), if !is_idle => is_idle = true,
                () = sleep_until(until) => {
                    tracing::warn!(connections = self.workers.live(), "connections are cut: they did not end in time");
                    return;
                }
                told = signals.next_event() => match told {
                    Some(stop) if !is_in_haste => {
                        is_in_haste = true;
                        let (code, reason) = stop.close();
                        let notice = CloseNotice::new(Cause::Drained, code, reason.to_owned());
                        self.service.make_haste(&notice, until.saturating_duration_since(clock::now()));
                    }
                    Some(_) => {
                        tracing::warn!(connections = self.workers.live(), "connections are cut: told to stop at once");
                        return;
                    }
                    None => {}
                }
            }
            if is_idle && (stop == Stop::HandedOver || !signals.has_predecessor()) {
                tracing::info!("all connections have ended");
                return;
            }
        }
    }

    async fn with_certificates(&self) -> Vec<(Arc<Swap<Served>>, Vec<PathBuf>)> {
        self.listeners.lock().await.with_certificates()
    }

    fn admin(&self) -> MutexGuard<'_, Option<AdminServer>> {
        self.admin.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settings(&self) -> Settings {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
