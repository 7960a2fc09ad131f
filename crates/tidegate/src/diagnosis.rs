//! Where the gateway's own words go: standard error, and wherever else they are wanted.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

/// One more place beside standard error.
pub(crate) type Sink = Box<dyn Layer<Registry> + Send + Sync>;

/// Starts it, once in a process. `TIDEGATE_LOG` overrides `level`.
pub(crate) fn start(level: LevelFilter, more: Vec<Sink>) {
    let filter = EnvFilter::builder()
        .with_default_directive(level.into())
        .with_env_var("TIDEGATE_LOG")
        .from_env_lossy();
    let stderr =
        fmt::layer().with_target(false).with_ansi(io::stderr().is_terminal()).with_writer(io::stderr).boxed();
    let sinks: Vec<Sink> = std::iter::once(stderr).chain(more).collect();
    tracing_subscriber::registry().with(sinks).with(filter).init();
}

/// A file that lines are appended to.
///
/// # Errors
/// It cannot be opened.
pub(crate) fn file(path: &Path) -> io::Result<Sink> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    Ok(fmt::layer().with_target(false).with_ansi(false).with_writer(Mutex::new(file)).boxed())
}
