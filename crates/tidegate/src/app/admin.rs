//! The admin listener: opened before anything else happens, served once there is something to see.

use std::convert::Infallible;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Weak};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Running;
use super::listeners::set_mode;
use crate::admin::{self, Gateway, Guard, ReloadOrder};
use crate::config::Admin;
use crate::handover::message;
use crate::listener::{Gate, Inherited, Listening, Served, SocketFile};
use crate::swap::Swap;
use crate::tls;

/// Reloads that wait for the one under way.
const ORDERS_MAX: usize = 8;

/// The way of orders to reload, from the admin listener to here.
pub(super) fn orders() -> (mpsc::Sender<ReloadOrder>, mpsc::Receiver<ReloadOrder>) {
    mpsc::channel(ORDERS_MAX)
}

impl Running {
    /// Reloads whenever the admin listener is told to, and answers what came of it.
    pub(super) async fn reload_when_ordered(&self) -> Infallible {
        let mut orders = self.orders.lock().await;
        while let Some(order) = orders.recv().await {
            order.answer(self.reload_and_tell().await);
        }
        std::future::pending().await // there is no admin listener
    }

    /// Nobody carries orders out any more: whoever waits for one is told so.
    pub(super) async fn refuse_orders(&self) {
        let (mut reloads, mut upgrades) = (self.orders.lock().await, self.upgrades.lock().await);
        reloads.close();
        upgrades.close();
        while reloads.try_recv().is_ok() {}
        while upgrades.try_recv().is_ok() {}
    }
}

/// The admin listener, open and not served yet.
pub(super) struct AdminListener {
    guard: Guard,
    listening: Listening,
}

/// The admin listener as it is served.
pub(super) struct AdminServer {
    /// Belongs to the task that accepts, and is closed with it.
    listening: Weak<Listening>,
    /// Its configuration.
    served: Arc<Swap<Served>>,
    /// Tells it to accept no more, and its visitors that each answer is the last.
    stop: CancellationToken,
    file: Option<SocketFile>,
    /// Whoever is being answered.
    visitors: TaskTracker,
}

impl AdminListener {
    /// Binds, unless its socket was handed over.
    ///
    /// # Errors
    /// What keeps it from listening.
    pub(super) fn open(admin: Admin, inherited: &mut Inherited) -> anyhow::Result<Self> {
        let guard = Guard::new(&admin);
        let listener = admin.listener;
        let acceptor = tls::acceptor(&listener)?;
        Ok(Self { guard, listening: Listening::open_admin(Served { listener, acceptor }, inherited)? })
    }

    /// Serves until the process ends, while the gate is open. What is returned is to be kept until then.
    pub(super) fn serve(mut self, gate: Gate, gateway: impl FnOnce(Guard) -> Gateway) -> AdminServer {
        tracing::info!("admin listener on {}", self.listening.address);
        let file = self.listening.take_file();
        let (listening, visitors) = (Arc::new(self.listening), TaskTracker::new());
        let (weak, stop) = (Arc::downgrade(&listening), CancellationToken::new());
        let served = Arc::clone(&listening.served);
        let gateway = Arc::new(gateway(self.guard));
        tokio::spawn(admin::serve(listening, gate, gateway, visitors.clone(), stop.clone()));
        AdminServer { listening: weak, served, stop, file, visitors }
    }
}

impl AdminServer {
    /// Its socket, for another process that is to take it over.
    ///
    /// # Errors
    /// The system has no more descriptors, or it was closed.
    pub(super) fn hand_over(&self) -> io::Result<(message::Listener, OwnedFd)> {
        self.listening.upgrade().ok_or(io::ErrorKind::NotConnected)?.hand_over(0, true)
    }

    /// Closes its socket. Whoever is being answered has the answer.
    pub(super) fn close(&mut self) {
        self.stop.cancel();
    }

    /// The file of its socket is ours, and has the permissions that our configuration says.
    pub(super) fn keep(&mut self) {
        let served = self.served.load();
        if let Some(file) = &mut self.file {
            file.keep();
            set_mode(file, served.listener.socket_mode, &served.listener.address);
        }
    }

    /// The file of its socket is another process's.
    pub(super) fn release(&mut self) {
        self.file.iter_mut().for_each(SocketFile::release);
    }

    /// Waits until whoever asked has the answer and has gone.
    pub(super) fn answered(&self) -> impl Future<Output = ()> + 'static {
        let visitors = self.visitors.clone();
        visitors.close();
        async move { visitors.wait().await }
    }
}
