//! `tidegate connect`: local connections, each one a WebSocket to somewhere else.
//!
//! A plan is made of the flags first, and everything that is wrong with them is said. Then each local connection asks
//! the one `line` there is for a WebSocket, and becomes a `session` with it:
//!
//! ```text
//! listen → line (one attempt at a time, back-off) → open (TCP, proxy, TLS, handshake) → session → its end
//! ```

mod args;
mod asking;
mod desc;
mod failure;
mod handshake;
mod head;
mod line;
mod listen;
mod mistake;
mod open;
mod place;
mod plan;
mod proxy;
mod secret;
mod session;
mod stop;
pub(crate) mod tls;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use self::args::ConnectArgs;
use self::failure::Failure;
use self::line::Line;
use self::listen::{Listening, refuse};
use self::plan::Plan;
use self::session::{End, Settings};
use self::stop::StopSignals;
use crate::clock::timeout;
use crate::io::Socket;

/// How long everything may take to end after a signal.
const STOP_PATIENCE: Duration = Duration::from_millis(800);

/// Runs until a signal comes, or with `stdio:` until the connection ends.
///
/// # Errors
/// What the system does not give: a runtime, signals.
pub(crate) fn run(args: ConnectArgs) -> anyhow::Result<ExitCode> {
    let plan = match args.plan() {
        Ok(plan) => plan,
        Err(error) => {
            tracing::error!("{error}");
            return Ok(ExitCode::from(USAGE));
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let status = runtime.block_on(serve(plan));
    runtime.shutdown_background(); // a read of standard input cannot be called back
    status
}

async fn serve(plan: Plan) -> anyhow::Result<ExitCode> {
    let signals = StopSignals::listen()?;
    let shared =
        Arc::new(Shared { line: plan.line, settings: plan.settings, stop: CancellationToken::new() });
    match Listening::bind(&plan.listen).await {
        Ok(None) => Ok(one(&shared, signals).await),
        Ok(Some(listening)) => {
            many(listening, &shared, plan.connections_max, signals).await;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            tracing::error!("{error}");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// What all local connections have in common.
struct Shared {
    line: Line,
    settings: Settings,
    stop: CancellationToken,
}

/// How it went with a local connection.
enum Outcome {
    /// There was a WebSocket.
    Ended(End),
    /// There was none.
    Failed(Failure),
    /// We were told to stop first.
    Stopped,
}

/// Standard input and output. The exit status tells how it ended.
async fn one(shared: &Shared, mut signals: StopSignals) -> ExitCode {
    let relayed = async {
        match shared.stop.run_until_cancelled(shared.line.open()).await {
            None => Outcome::Stopped,
            Some(Err(failure)) => Outcome::Failed(failure),
            Some(Ok(opened)) => {
                let local = tokio::io::join(tokio::io::stdin(), tokio::io::stdout());
                Outcome::Ended(session::run(local, false, opened, &shared.settings, &shared.stop).await)
            }
        }
    };
    tokio::pin!(relayed);
    let outcome = tokio::select! {
        outcome = &mut relayed => outcome,
        signal = signals.next() => {
            shared.stop.cancel();
            timeout(STOP_PATIENCE, relayed).await.ok(); // whatever it comes to, it is over
            return ExitCode::from(128 + signal);
        }
    };
    let place = &shared.line.opener().place;
    match outcome {
        Outcome::Ended(end) => {
            if end.is_clean() {
                tracing::debug!("{place}: {end}");
            } else {
                tracing::error!("{place}: {end}");
            }
            ExitCode::from(end.exit_status())
        }
        Outcome::Failed(failure) => {
            tracing::error!("{place}: {failure}");
            ExitCode::from(if failure.is_refusal() { REFUSED } else { NO_CONNECTION })
        }
        Outcome::Stopped => ExitCode::FAILURE,
    }
}

/// A listening socket: serves until a signal comes, and then no longer than it takes to say so.
async fn many(listening: Listening, shared: &Arc<Shared>, connections_max: usize, mut signals: StopSignals) {
    let place = &shared.line.opener().place;
    if let Some(address) = listening.address().filter(|address| !address.ip().is_loopback()) {
        tracing::warn!("whoever reaches {address} reaches {place} through it, credentials included");
    }
    tracing::info!("listening on {listening}; connections go to {place}");
    let places = Arc::new(Semaphore::new(connections_max));
    let tasks = TaskTracker::new();
    let accepting = async {
        loop {
            let permit = Arc::clone(&places).acquire_owned().await.expect("the semaphore is never closed");
            let local = listening.accept().await;
            let shared = Arc::clone(shared);
            tasks.spawn(async move {
                relay(local, &shared).await;
                drop(permit);
            });
        }
    };
    tokio::select! {
        () = accepting => {}
        _ = signals.next() => {}
    }
    drop(listening);
    shared.stop.cancel();
    tasks.close();
    if timeout(STOP_PATIENCE, tasks.wait()).await.is_err() {
        tracing::debug!(connections = tasks.len(), "connections are cut: they did not end in time");
    }
}

/// One local connection from start to end.
async fn relay(local: Socket, shared: &Shared) {
    let place = &shared.line.opener().place;
    let opened = match shared.stop.run_until_cancelled(shared.line.open()).await {
        Some(Ok(opened)) => opened,
        Some(Err(failure)) => {
            tracing::warn!("{place}: {failure}; a local connection is refused");
            return refuse(local);
        }
        None => return refuse(local),
    };
    let subprotocol = opened.agreed.subprotocol.as_ref().map(ToString::to_string);
    tracing::debug!(subprotocol, "{place}: open");
    let end = session::run(local, true, opened, &shared.settings, &shared.stop).await;
    if end.is_clean() {
        tracing::debug!("{place}: {end}");
    } else {
        tracing::warn!("{place}: {end}");
    }
    shared.line.note(&end).await;
}

/// As for flags that do not exist.
const USAGE: u8 = 2;

/// Exit statuses for `stdio:`, beside those of an [`End`]; the table is in docs/connect.md.
const NO_CONNECTION: u8 = 3;
const REFUSED: u8 = 4;
