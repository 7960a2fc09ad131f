//! The flags of `tidegate replay`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Pace;
use crate::recording::Format;

/// What is played, to whom, and how fast.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// A recording of `record = { … }`, of websockify --record, or a HAR with WebSocket messages.
    pub(crate) file: PathBuf,
    /// Address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(crate) listen: String,
    /// Format of the recording; auto detects it from its first bytes.
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    pub(crate) format: RecordingFormat,
    /// Speed factor, 0.001 to 1000; 2 is twice as fast as recorded.
    #[arg(long, value_name = "N", default_value = "1", value_parser = speed)]
    speed: f64,
    /// Play without pauses, as fast as the client reads.
    #[arg(long, conflicts_with = "speed")]
    fast: bool,
    /// Before each message, wait until the client has sent as many bytes as in the recording by then.
    #[arg(long)]
    pub(crate) follow_client: bool,
    /// Origin of pages that may connect, such as https://example.com, or '*' for all; may be repeated. Default: only pages
    /// of the same origin, and only under localhost or the address that is listened on.
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) origin: Vec<String>,
    /// Exit after the first client.
    #[arg(long)]
    pub(crate) once: bool,
}

/// How a recording is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum RecordingFormat {
    Auto,
    Websockify,
    Har,
}

impl ReplayArgs {
    pub(crate) const fn pace(&self) -> Pace {
        if self.fast { Pace::Fast } else { Pace::Times(self.speed) }
    }
}

impl RecordingFormat {
    /// `None`: it is told by how the recording begins.
    pub(crate) const fn known(self) -> Option<Format> {
        match self {
            Self::Auto => None,
            Self::Websockify => Some(Format::Websockify),
            Self::Har => Some(Format::Har),
        }
    }
}

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok().filter(|speed| (0.001..=1000.0).contains(speed));
    speed.ok_or_else(|| "write a number from 0.001 to 1000".to_owned())
}
