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

/// `TIDEGATE_LOG` says nothing that can be understood.
#[derive(Debug, thiserror::Error)]
#[error(
    "TIDEGATE_LOG is {0:?}; write error, warn, info, debug, trace or off, or TARGET=LEVEL, as in info,tidegate::auth=debug"
)]
pub(crate) struct FilterError(String);

/// Starts it, once in a process. `TIDEGATE_LOG` overrides `level`.
///
/// # Errors
/// It is set to something that is no level.
pub(crate) fn start(level: LevelFilter, more: Vec<Sink>) -> Result<(), FilterError> {
    let asked = std::env::var_os("TIDEGATE_LOG").unwrap_or_default().to_string_lossy().into_owned();
    let filter = filter(&asked, level).ok_or(FilterError(asked))?;
    let stderr =
        fmt::layer().with_target(false).with_ansi(io::stderr().is_terminal()).with_writer(io::stderr).boxed();
    let sinks: Vec<Sink> = std::iter::once(stderr).chain(more).collect();
    tracing_subscriber::registry().with(sinks).with(filter).init();
    Ok(())
}

/// What the library also takes, numbers and nothing at all, is more often a slip.
const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// A word that is no level would be taken for the name of a part, and everything else would be silent.
fn filter(asked: &str, level: LevelFilter) -> Option<EnvFilter> {
    let parts = || asked.split(',').map(str::trim).filter(|part| !part.is_empty());
    let is_level = |text: &str| LEVELS.iter().any(|level| level.eq_ignore_ascii_case(text));
    let is_known = |part: &str| is_level(part.split_once('=').map_or(part, |(_, level)| level.trim()));
    let builder = EnvFilter::builder().with_default_directive(level.into());
    if parts().all(is_known) { builder.parse(parts().collect::<Vec<_>>().join(",")).ok() } else { None }
}

/// A file that lines are appended to.
///
/// # Errors
/// It cannot be opened.
pub(crate) fn file(path: &Path) -> io::Result<Sink> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    Ok(fmt::layer().with_target(false).with_ansi(false).with_writer(Mutex::new(file)).boxed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_known_and_slips_are_not() {
        for good in ["", "debug", "WARN", "off", "info,tidegate::auth=debug", " error , hyper=trace"] {
            assert!(filter(good, LevelFilter::INFO).is_some(), "{good}");
        }
        for bad in ["bogus", "inof", "debug,bogus", "tidegate", "tidegate=bogus", "tidegate=", "5", "[a]"] {
            assert!(filter(bad, LevelFilter::INFO).is_none(), "{bad}");
        }
    }
}
