//! What a hand-over has come to.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::handover::StayReason;

/// How it went.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// The process that serves now.
    pub(super) pid: u32,
    /// Of which version.
    pub(super) version: String,
    /// For how long each session stood still that has moved, the shortest first.
    pub(super) pauses: Vec<Duration>,
    /// Sessions that stay, by the reason.
    pub(super) stays: BTreeMap<StayReason, usize>,
    /// The time over which those are told to reconnect.
    pub(super) within: Duration,
}

impl Report {
    /// For machines.
    pub(super) fn json(&self) -> Value {
        let stays: serde_json::Map<_, _> =
            self.stays.iter().map(|(why, count)| (why.label().to_owned(), (*count).into())).collect();
        json!({
            "report": self.to_string(),
            "pid": self.pid,
            "version": self.version,
            "moved": self.pauses.len(),
            "stayed": stays,
            "told_within_seconds": self.within.as_secs_f64(),
            "longest_pause_seconds": self.longest().as_secs_f64(),
            "p99_pause_seconds": self.quantile(99).as_secs_f64(),
            "median_pause_seconds": self.quantile(50).as_secs_f64(),
        })
    }

    fn longest(&self) -> Duration {
        self.pauses.last().copied().unwrap_or_default()
    }

    /// The pause that this percentage of all did not exceed.
    fn quantile(&self, percent: usize) -> Duration {
        self.pauses.get(self.pauses.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, version, pauses, stays, within } = self;
        write!(f, "handed over to process {pid}, version {version}; WebSockets moved: {}", pauses.len())?;
        if !pauses.is_empty() {
            let [median, p99, longest] =
                [self.quantile(50), self.quantile(99), self.longest()].map(|pause| pause.as_secs_f64() * 1e3);
            write!(f, ", pauses: median {median:.1} ms, p99 {p99:.1} ms, longest {longest:.1} ms")?;
        }
        let staying: usize = stays.values().sum();
        let within = within.as_secs_f64();
        write!(f, "; told to reconnect (1012) within {within} s: {staying}")?;
        for (at, (why, count)) in stays.iter().enumerate() {
            write!(f, "{}{count} {}", if at == 0 { " (" } else { ", " }, why.label())?;
        }
        if stays.is_empty() { Ok(()) } else { f.write_str(")") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_one_sentence() {
        let mut report = Report {
            pid: 7,
            version: "1.2.3".to_owned(),
            within: Duration::from_secs(24),
            ..Report::default()
        };
        assert_eq!(
            report.to_string(),
            "handed over to process 7, version 1.2.3; WebSockets moved: 0; told to reconnect (1012) within 24 s: 0"
        );
        report.pauses = (1..=200).map(Duration::from_millis).collect();
        report.stays = [(StayReason::Tls, 3), (StayReason::Recorded, 1)].into();
        assert_eq!(
            report.to_string(),
            "handed over to process 7, version 1.2.3; WebSockets moved: 200, \
             pauses: median 100.0 ms, p99 198.0 ms, longest 200.0 ms; \
             told to reconnect (1012) within 24 s: 4 (3 TLS, 1 recorded)"
        );
        let json = report.json();
        assert_eq!((&json["moved"], &json["stayed"]["TLS"]), (&200.into(), &3.into()));
        assert_eq!(
            (&json["longest_pause_seconds"], &json["p99_pause_seconds"]),
            (&0.2.into(), &0.198.into())
        );
    }
}
