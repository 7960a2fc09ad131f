//! Reloading: everything that can go wrong does so before anything changes.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tokio::task::spawn_blocking;

use super::Running;
use super::descriptors::connections_max;
use super::memory;
use super::signals::Hangups;
use crate::access_log::Sink;
use crate::admin::Reloaded;
use crate::config::{self, Checked, Config, Diagnostic, Severity};
use crate::generation::Generation;
use crate::listener::Inherited;
use crate::notify;

/// Reads and checks the configuration once more, the way it was read at the start.
pub(crate) type Source = Arc<dyn Fn() -> anyhow::Result<Checked> + Send + Sync>;

/// What a reload has come to.
#[derive(Debug)]
pub(crate) struct ReloadReport {
    /// The generation that is in force now.
    pub(crate) generation: u64,
    /// Routes that were added, changed and removed.
    pub(crate) routes: [usize; 3],
    /// Listeners that were added and removed.
    pub(crate) listeners: (usize, usize),
    /// WebSockets that are closed for it, as their routes say.
    pub(crate) closing: usize,
    /// What the file was warned about, and what of it only a restart puts in force.
    pub(crate) warnings: Vec<String>,
}

/// Why a reload was refused. What was in force stays so.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReloadError {
    /// This gateway was not started from a configuration that could be read again.
    #[error("there is no configuration to read again")]
    NoSource,
    /// The gateway stops.
    #[error("the gateway is stopping")]
    Stopping,
    /// The configuration has errors.
    #[error("the configuration has errors: {}", Lines(.0))]
    Invalid(Vec<Diagnostic>),
    /// It has none, but cannot be served.
    #[error("{0:#}")]
    Failed(#[from] anyhow::Error),
}

/// Diagnostics, each on a line of its own where there are several.
struct Lines<'a>(&'a [Diagnostic]);

/// What a process does with, beside its listeners and routes.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) workers: usize,
    /// The longest that a drain may take.
    pub(super) patience: Duration,
    pub(super) access_log: config::AccessLog,
}

impl Settings {
    pub(super) fn of(config: &Config) -> Self {
        Self { workers: config.workers, patience: config.drain, access_log: config.access_log.clone() }
    }
}

/// A configuration that was read, and of it what can fail.
struct Prepared {
    /// Without its routes.
    config: Config,
    generation: Generation,
    log: Sink,
    /// The configuration as it may be seen.
    shown: Value,
    warnings: Vec<Diagnostic>,
}

impl Prepared {
    fn read(source: &Source, former: &Generation) -> Result<Self, ReloadError> {
        let Checked { config, diagnostics } = source()?;
        let Some(mut config) = config else { return Err(ReloadError::Invalid(diagnostics)) };
        let shown = config::shown(&config);
        let log = Sink::open(&config.access_log)
            .with_context(|| format!("cannot open the access log {:?}", config.access_log))?;
        let generation = former.next(std::mem::take(&mut config.routes)).map_err(anyhow::Error::from)?;
        Ok(Self { config, generation, log, shown, warnings: diagnostics })
    }
}

impl Running {
    /// Reads the configuration again and puts it in force, whole or not at all. One at a time.
    ///
    /// # Errors
    /// What is wrong with it; nothing has changed then.
    pub(crate) async fn reload(&self) -> Result<ReloadReport, ReloadError> {
        let source = self.source.clone().ok_or(ReloadError::NoSource)?;
        let mut listeners = self.listeners.lock().await;
        if self.stop.is_cancelled() {
            return Err(ReloadError::Stopping);
        }
        let former = self.service.generation();
        let read = {
            let former = Arc::clone(&former);
            move || Prepared::read(&source, &former)
        };
        // On a thread of its own: a large file takes its time, and here connections are accepted.
        let prepared = spawn_blocking(read).await.context("the check has panicked")??;
        let Prepared { mut config, generation, log, shown, warnings } = prepared;
        // Sockets that the process was started with went to the listeners that it was started with.
        let change = listeners.prepare(std::mem::take(&mut config.listeners), &mut Inherited::default())?;

        // From here on nothing fails.
        self.service.telemetry.log.redirect(log);
        self.service.quota.set(config.connections_per_client_max);
        self.service.set_drain_rate(config.drain_rate);
        memory::divide(config.buffered_max, self.settings().workers);
        let records = generation.recorder.is_some();
        let connections_max = connections_max(config.connections_max, records, self.settings().workers);
        listeners.places().set(connections_max, config.handshakes_max);
        let (shown, staying) = with_what_stays(shown, &self.shown.load());
        self.shown.store(Arc::new(shown));
        let (number, routes) = (generation.number, generation.table.differences(&former.table));
        let closing = self.service.succeed(generation);
        let listeners = listeners.change(change);
        self.settle(Settings::of(&config));
        let warnings = warnings.iter().map(ToString::to_string).chain(staying).collect();
        Ok(ReloadReport { generation: number, routes, listeners, closing, warnings })
    }

    /// Reloads for each SIGHUP, and says what came of it.
    pub(super) async fn reload_when_told(&self, hangups: &mut Hangups) -> Infallible {
        loop {
            hangups.next().await;
            self.reload_and_tell().await.ok(); // it was told
            if !self.stop.is_cancelled() {
                hangups.done(); // else it was too late for it, and is for whoever comes next
            }
        }
    }

    /// For each SIGHUP opens the access log anew, and nothing else: what is served is another process's matter by now.
    pub(super) async fn reopen_log_when_told(&self, hangups: &mut Hangups) -> Infallible {
        loop {
            hangups.next().await;
            self.reopen_log();
            hangups.done();
        }
    }

    /// Reloads; says, counts and returns what came of it.
    pub(super) async fn reload_and_tell(&self) -> Result<Reloaded, String> {
        notify::reloading();
        let result = self.reload().await;
        self.service.telemetry.metrics.reloads.add(if result.is_ok() { "ok" } else { "failed" });
        match &result {
            Ok(report) => {
                for warning in &report.warnings {
                    tracing::warn!("{warning}");
                }
                tracing::info!("{report}");
            }
            Err(refused) => {
                tell_refused(refused);
                self.reopen_log();
            }
        }
        notify::ready();
        let reloaded =
            |report: ReloadReport| Reloaded { report: report.to_string(), warnings: report.warnings };
        result.map(reloaded).map_err(|refused| refused.to_string())
    }

    /// Whoever has moved the log away wants it opened anew, whatever the file says.
    fn reopen_log(&self) {
        match Sink::open(&self.settings().access_log) {
            Ok(sink) => self.service.telemetry.log.redirect(sink),
            Err(error) => tracing::warn!(%error, "the access log cannot be opened anew"),
        }
    }

    /// Keeps what was said, but for what only a restart changes.
    fn settle(&self, settings: Settings) {
        let mut kept = self.settings.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *kept = Settings { workers: kept.workers, ..settings };
    }
}

/// What only a restart changes is shown as it was at the start, with a warning where the file says otherwise by now.
fn with_what_stays(mut shown: Value, former: &Value) -> (Value, Vec<String>) {
    let mut warnings = Vec::new();
    for key in ["workers", "admin", "admin_token_file", "admin_tls", "admin_client_ca", "admin_names"] {
        let Some(kept) = former.get(key) else { continue };
        if shown[key] != *kept {
            let [wanted, stays] = [&shown[key], kept]
                .map(|value| if value.is_null() { "(not set)".to_owned() } else { value.to_string() });
            warnings.push(format!("{key} = {wanted}: it stays at {stays} until the gateway is started anew"));
            shown[key] = kept.clone();
        }
    }
    (shown, warnings)
}

fn tell_refused(refused: &ReloadError) {
    let ReloadError::Invalid(diagnostics) = refused else {
        return tracing::error!("not reloaded, what was in force stays so: {refused}");
    };
    for found in diagnostics {
        match found.severity {
            Severity::Error => tracing::error!("{found}"),
            Severity::Warning => tracing::warn!("{found}"),
        }
    }
    tracing::error!("not reloaded: what was in force stays so");
}

impl fmt::Display for ReloadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { generation, routes: [added, changed, removed], listeners, closing, .. } = self;
        write!(
            f,
            "reloaded: generation {generation}; routes: {added} added, {changed} changed, {removed} removed"
        )?;
        write!(
            f,
            "; listeners: {} added, {} removed; WebSockets to close: {closing}",
            listeners.0, listeners.1
        )
    }
}

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|found| write!(f, "\n{found}"))
    }
}
