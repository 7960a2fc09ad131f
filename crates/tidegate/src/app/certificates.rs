//! Certificates are taken up when their files change.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;

use super::Running;
use crate::listener::Served;
use crate::metrics::CertificateEnd;
use crate::swap::Swap;
use crate::tls;

/// How often the files are looked at.
const INTERVAL: Duration = Duration::from_secs(2);

/// What tells a file from what it was before.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

/// What the files of a listener were at the last look; `None` for one that cannot be looked at.
type Stamps = HashMap<PathBuf, Option<Stamp>>;

impl Running {
    /// Looks at the files of certificates again and again, and serves what has changed. What cannot be served, half a
    /// file or a key without its certificate, is warned of once, and the one before stays.
    pub(crate) async fn watch_certificates(&self) -> std::convert::Infallible {
        let mut known = Stamps::new();
        loop {
            let listeners = self.with_certificates().await;
            let looked = spawn_blocking(move || {
                look(&listeners, &mut known);
                (known, ends(&listeners))
            });
            let ends;
            (known, ends) = looked.await.unwrap_or_default();
            self.service.telemetry.metrics.certificates.store(Arc::new(ends));
            tokio::time::sleep(INTERVAL).await; // a look costs a few system calls, and renewal is no matter of seconds
        }
    }
}

/// Takes up the files that have changed since the last look. Those that are new to it are read once more as well: they
/// may have changed between their first reading and this.
fn look(listeners: &[(Arc<Swap<Served>>, Vec<PathBuf>)], known: &mut Stamps) {
    let mut seen = Stamps::new();
    for (served, files) in listeners {
        let stamps: Stamps = files.iter().map(|file| (file.clone(), Stamp::of(file))).collect();
        if stamps.iter().any(|(file, stamp)| known.get(file) != Some(stamp)) {
            let is_news = files.iter().any(|file| known.contains_key(file));
            take_up(served, is_news);
        }
        seen.extend(stamps);
    }
    *known = seen;
}

/// When the certificates end that are served now.
fn ends(listeners: &[(Arc<Swap<Served>>, Vec<PathBuf>)]) -> Vec<CertificateEnd> {
    let mut ends = Vec::new();
    for served in listeners.iter().map(|(served, _)| served.load()) {
        ends.extend(served.acceptor.iter().flat_map(|acceptor| &acceptor.ends).map(|(file, end)| {
            let listener = served.listener.address.to_string();
            CertificateEnd { listener, file: file.display().to_string(), end: *end }
        }));
    }
    ends
}

fn take_up(served: &Swap<Served>, is_news: bool) {
    let before = served.load();
    let listener = before.listener.clone();
    match tls::acceptor(&listener) {
        Ok(acceptor) => {
            if is_news {
                tracing::info!("{}: a certificate has changed, and is served from now on", listener.address);
            }
            served.replace(&before, Arc::new(Served { listener, acceptor }));
        }
        Err(error) => tracing::warn!(
            "{}: the files of a certificate have changed, but the one before stays in use: {error}",
            listener.address
        ),
    }
}

impl Stamp {
    fn of(file: &PathBuf) -> Option<Self> {
        let metadata = fs::metadata(file).ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }
}
