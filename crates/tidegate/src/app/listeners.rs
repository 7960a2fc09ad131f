//! The listeners: opened together, and exchanged one by one while those that stay go on listening.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{KeyPassword, ListenAddress, Listener, ListenerTls};
use crate::handover::message;
use crate::listener::{Gate, Inherited, Listening, Places, Served, SocketFile};
use crate::swap::Swap;
use crate::tls;
use crate::worker::Workers;

/// All listeners that accept.
#[derive(Debug)]
pub(super) struct Listeners {
    listeners: Vec<ActiveListener>,
    /// Tells all of them to accept no more.
    stop: CancellationToken,
    gate: Gate,
    places: Places,
    workers: Arc<Workers>,
}

/// A listener that accepts, on one socket, or on several that the process was started with.
#[derive(Debug)]
struct ActiveListener {
    served: Arc<Swap<Served>>,
    /// Tells it to accept no more; its sockets are closed with that.
    stop: CancellationToken,
    /// Each is its accepting task's, and closed with that.
    sockets: Vec<Weak<Listening>>,
    files: Vec<SocketFile>,
}

/// A change of the listeners, made ready: it cannot fail any more.
#[derive(Debug)]
pub(super) struct Change {
    /// What each listener serves from now on; `None`: it is closed.
    kept: Vec<Option<Served>>,
    /// Each with its sockets, at least one.
    added: Vec<Vec<Listening>>,
}

impl Listeners {
    /// None yet.
    pub(super) fn new(stop: CancellationToken, gate: Gate, places: Places, workers: Arc<Workers>) -> Self {
        Self { listeners: Vec::new(), stop, gate, places, workers }
    }

    /// Makes ready what listeners need: their TLS, and sockets for those that are new. A listener whose address stays keeps
    /// its socket, so that no client is ever refused there, unless none could find it any more. What it needs of the `inherited` sockets it takes.
    ///
    /// # Errors
    /// The first that cannot be served; nothing has changed.
    pub(super) fn prepare(
        &self,
        listeners: Vec<Listener>,
        inherited: &mut Inherited,
    ) -> anyhow::Result<Change> {
        let acceptor = self.workers.acceptor();
        let _registered_there = acceptor.enter();
        let mut kept: Vec<Option<Served>> = self.listeners.iter().map(|_| None).collect();
        let mut added = Vec::new();
        for listener in listeners {
            let served = Served { acceptor: tls::acceptor(&listener)?, listener };
            let address = &served.listener.address;
            let is_served = |active: &ActiveListener| active.address() == *address && !active.is_cut_off();
            let stays = |at: &usize| kept[*at].is_none() && is_served(&self.listeners[*at]);
            match (0..kept.len()).find(stays) {
                Some(at) => kept[at] = Some(served),
                None => added.push(Listening::open(served, inherited)?),
            }
        }
        Ok(Change { kept, added })
    }

    /// Carries a change out; how many listeners were opened and closed.
    pub(super) fn change(&mut self, change: Change) -> (usize, usize) {
        let before = self.listeners.len();
        let former = std::mem::take(&mut self.listeners);
        for (mut listener, served) in former.into_iter().zip(change.kept) {
            match served {
                Some(served) => {
                    listener.serve(served);
                    self.listeners.push(listener);
                }
                None => listener.close(),
            }
        }
        let closed = before - self.listeners.len();
        let opened = change.added.len();
        for sockets in change.added {
            self.open(sockets);
        }
        (opened, closed)
    }

    /// Accepts on the sockets of one listener.
    fn open(&mut self, mut sockets: Vec<Listening>) {
        let stop = self.stop.child_token();
        let files = sockets.iter_mut().filter_map(Listening::take_file).collect();
        let served = sockets.first().map(|listening| Arc::clone(&listening.served));
        let served = served.expect("a listener that was opened has a socket");
        let sockets: Vec<_> = sockets.into_iter().map(Arc::new).collect();
        for listening in &sockets {
            announce(listening);
            let (gate, places, workers) = (self.gate.clone(), self.places.clone(), Arc::clone(&self.workers));
            let accepting = accept(Arc::clone(listening), gate, places, workers);
            let accepting = self.workers.acceptor().spawn(stop.clone().run_until_cancelled_owned(accepting));
            tokio::spawn(end_with(accepting, stop.clone()));
        }
        let sockets = sockets.iter().map(Arc::downgrade).collect();
        self.listeners.push(ActiveListener { served, stop, sockets, files });
    }

    /// All sockets, for another process that is to take them over.
    ///
    /// # Errors
    /// The system has no more descriptors.
    pub(super) fn hand_over(&self) -> io::Result<Vec<(message::Listener, OwnedFd)>> {
        let listeners = self.listeners.iter().enumerate();
        let sockets = listeners
            .flat_map(|(group, listener)| listener.sockets.iter().map(move |socket| (group, socket)));
        let open = sockets.filter_map(|(group, socket)| Some((group, socket.upgrade()?)));
        open.map(|(group, socket)| socket.hand_over(group, false)).collect()
    }

    /// The files of the sockets that another process has taken over, in the order of [`hand_over`](Self::hand_over), are
    /// that process's.
    pub(super) fn release(&mut self, is_taken: impl Fn(usize) -> bool) {
        let mut index = 0;
        for listener in &mut self.listeners {
            if (index..index + listener.sockets.len()).any(&is_taken) {
                listener.files.iter_mut().for_each(SocketFile::release);
            }
            index += listener.sockets.len();
        }
    }

    /// The files of sockets that were taken over are ours, and have the permissions that our configuration says.
    pub(super) fn keep(&mut self) {
        for listener in &mut self.listeners {
            listener.files.iter_mut().for_each(SocketFile::keep);
            listener.set_mode();
        }
    }

    /// The places that connections take.
    pub(super) const fn places(&self) -> &Places {
        &self.places
    }

    /// Every listener that has certificates, and the files they are read from.
    pub(super) fn with_certificates(&self) -> Vec<(Arc<Swap<Served>>, Vec<PathBuf>)> {
        let with_files = |listener: &ActiveListener| {
            let served = listener.served.load();
            let files = certificate_files(&served.listener);
            (!files.is_empty()).then(|| (Arc::clone(&listener.served), files))
        };
        self.listeners.iter().filter_map(with_files).collect()
    }

    /// Removes the files of Unix sockets. Nobody listens any more.
    pub(super) fn clear(&mut self) {
        self.listeners.clear();
    }
}

impl ActiveListener {
    fn address(&self) -> ListenAddress {
        self.served.load().listener.address.clone()
    }

    /// Whether it is a Unix socket whose file somebody has removed.
    fn is_cut_off(&self) -> bool {
        self.files.iter().any(SocketFile::is_gone)
    }

    fn serve(&mut self, served: Served) {
        let mode = served.listener.socket_mode;
        let former = self.served.store(Arc::new(served));
        if former.listener.socket_mode != mode {
            self.set_mode();
        }
    }

    fn set_mode(&mut self) {
        let served = self.served.load();
        let Listener { address, socket_mode, .. } = &served.listener;
        self.files.iter_mut().for_each(|file| set_mode(file, *socket_mode, address));
    }

    fn close(self) {
        tracing::info!("no longer listening on {}", self.address());
        self.stop.cancel();
    }
}

/// Gives the file of this listener's socket these permissions.
pub(super) fn set_mode(file: &mut SocketFile, mode: u32, address: &ListenAddress) {
    if let Err(error) = file.set_mode(mode) {
        tracing::warn!(%error, "{address}: its permissions stay as they were");
    }
}

/// Takes connections for as long as it is polled.
async fn accept(listening: Arc<Listening>, gate: Gate, places: Places, workers: Arc<Workers>) {
    loop {
        let accepted = listening.accept(&places, &gate).await;
        workers.serve(accepted);
    }
}

/// A gateway that lives and is deaf is the worst of all: where a listener has panicked, or was lost with its worker, the
/// process ends, so that whoever watches it starts it anew.
async fn end_with(accepting: JoinHandle<Option<()>>, stop: CancellationToken) {
    if accepting.await.is_err() && !stop.is_cancelled() {
        tracing::error!("a listener has panicked; the process ends");
        std::process::exit(1);
    }
}

/// Says where it listens: with port 0 this is the only place that tells.
fn announce(listening: &Listening) {
    let schemes = match listening.served.load().listener.tls {
        ListenerTls::Off => "http",
        ListenerTls::Required(_) => "https",
        ListenerTls::Auto(_) => "http+https",
    };
    tracing::info!("listening on {schemes}://{}", listening.address);
}

fn certificate_files(listener: &Listener) -> Vec<PathBuf> {
    let pairs = match &listener.tls {
        ListenerTls::Off => return Vec::new(),
        ListenerTls::Required(pairs) | ListenerTls::Auto(pairs) => pairs,
    };
    let authorities = listener.client_certificates.iter().filter_map(|clients| clients.ca.clone());
    let files = pairs.iter().flat_map(|pair| {
        let password = match &pair.key_password {
            Some(KeyPassword::File(file)) => Some(file.clone()),
            Some(KeyPassword::Given(_)) | None => None,
        };
        [pair.cert.clone(), pair.key.clone()].into_iter().chain(password)
    });
    files.chain(authorities).collect()
}
