//! The admin listener: opened before anything else happens, served once there is something to see.

use std::convert::Infallible;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::Running;
use crate::admin::{self, Guard, House, ReloadOrder};
use crate::config::Admin;
use crate::listener::{Listening, Served, SocketFile};
use crate::tls;

/// Reloads that wait for the one under way.
const ORDERS_MAX: usize = 8;

/// The way of orders from there to here.
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
        let mut orders = self.orders.lock().await;
        orders.close();
        while orders.try_recv().is_ok() {}
    }
}

/// Whoever listens for operators, and knows whom to let in.
pub(super) struct Overseer {
    guard: Guard,
    listening: Listening,
}

impl Overseer {
    /// Binds.
    ///
    /// # Errors
    /// What keeps it from listening.
    pub(super) fn open(admin: Admin) -> anyhow::Result<Self> {
        let guard = Guard::new(&admin);
        let listener = admin.listener;
        let acceptor = tls::acceptor(&listener)?;
        Ok(Self { guard, listening: Listening::bind(Served { listener, acceptor })? })
    }

    /// Serves until the process ends. The file of its socket, if it has one, is to be kept until then.
    pub(super) fn serve(mut self, house: impl FnOnce(Guard) -> House) -> Option<SocketFile> {
        tracing::info!("admin listener on {}", self.listening.address);
        let file = self.listening.take_file();
        tokio::spawn(admin::serve(self.listening, admin::places(), Arc::new(house(self.guard))));
        file
    }
}
