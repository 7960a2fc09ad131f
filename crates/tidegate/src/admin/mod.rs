//! The admin listener: what operators and Prometheus see of the gateway, and what they can tell it.
//!
//! It is served on the control thread, away from the connections that it tells about, and is never reached through
//! their listeners. All of it is bounded: connections, heads, times, answers.

mod api;
mod connections;
mod guard;
mod metrics;
mod openapi;
mod operations;
mod query;
mod routes;
mod serve;
mod visitors;

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

pub(crate) use self::guard::Guard;
pub(crate) use self::serve::serve;
use crate::listener::Places;
use crate::service::Service;
use crate::swap::Swap;
use crate::worker::Workers;

/// The gateway as the admin listener sees it, and the ways to tell it something.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) service: Arc<Service>,
    pub(crate) workers: Arc<Workers>,
    /// Of the connections that the gateway serves; the admin listener has its own.
    pub(crate) places: Places,
    pub(crate) guard: Guard,
    /// The configuration as it may be seen.
    pub(crate) config: Arc<Swap<Value>>,
    /// The way of orders to reload.
    pub(crate) reload: mpsc::Sender<ReloadOrder>,
    /// The way of orders to hand over.
    pub(crate) upgrade: mpsc::Sender<UpgradeOrder>,
}

/// To hand over to a new process, and to say what came of it.
#[derive(Debug)]
pub(crate) struct UpgradeOrder {
    /// What to start; `None`: what this process was started from, as it is now.
    pub(crate) binary: Option<PathBuf>,
    answer: oneshot::Sender<Result<Value, String>>,
}

impl UpgradeOrder {
    /// Says what came of it; whoever asked may be gone.
    pub(crate) fn answer(self, result: Result<Value, String>) {
        self.answer.send(result).ok();
    }
}

/// To reload, and to say what came of it.
#[derive(Debug)]
pub(crate) struct ReloadOrder(oneshot::Sender<Result<Reloaded, String>>);

/// What a reload has come to, in words.
#[derive(Debug)]
pub(crate) struct Reloaded {
    pub(crate) report: String,
    pub(crate) warnings: Vec<String>,
}

impl ReloadOrder {
    /// Says what came of it; whoever asked may be gone.
    pub(crate) fn answer(self, result: Result<Reloaded, String>) {
        self.0.send(result).ok();
    }
}
