//! What one reading of the configuration serves with: made whole, then never changed.
//!
//! A request takes the generation that is in force when it comes. A WebSocket has of its generation only what it needs
//! itself, its route before all, so that a generation is given back when the last request on it is answered.

use std::io;

use crate::auth::Guards;
use crate::backend::trust::Trust;
use crate::config::Route;
use crate::journal::TOKEN;
use crate::lookup::Lookups;
use crate::recording::{Recorder, Tape, Unrecorded};
use crate::request::Request;
use crate::route::Table;

/// What the stages of a connection work with, in their order.
#[derive(Debug)]
pub(crate) struct Generation {
    /// Counted from 1, the start.
    pub(crate) number: u64,
    /// The route table.
    pub(crate) table: Table,
    /// Who guards which route.
    pub(crate) guards: Guards,
    /// Where tokens are looked up.
    pub(crate) lookups: Lookups,
    /// Whom TLS to backends believes.
    pub(crate) trust: Trust,
    /// What records sessions, since a route had it.
    pub(crate) recorder: Option<Recorder>,
}

/// Why routes cannot be served as configured. The operator's fault.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error(transparent)]
    Guards(#[from] crate::auth::LoadError),
    #[error(transparent)]
    Lookups(#[from] crate::lookup::LoadError),
    #[error(transparent)]
    Trust(#[from] crate::backend::trust::TrustError),
    #[error("cannot start the thread that writes recordings: {0}")]
    Recorder(io::Error),
}

impl Generation {
    /// The first one.
    ///
    /// # Errors
    /// A file that the routes name, or the system.
    pub(crate) fn first(routes: Vec<Route>) -> Result<Self, LoadError> {
        Self::load(routes, 1, &Table::default(), None)
    }

    /// The one after this.
    ///
    /// # Errors
    /// A file that the routes name, or the system.
    pub(crate) fn next(&self, routes: Vec<Route>) -> Result<Self, LoadError> {
        Self::load(routes, self.number + 1, &self.table, self.recorder.clone())
    }

    fn load(
        routes: Vec<Route>,
        number: u64,
        former: &Table,
        recorder: Option<Recorder>,
    ) -> Result<Self, LoadError> {
        let records = routes.iter().any(|route| route.record.is_some());
        let recorder = match recorder {
            None if records => Some(Recorder::start().map_err(LoadError::Recorder)?),
            running_or_none => running_or_none,
        };
        Ok(Self {
            number,
            guards: Guards::load(&routes)?,
            lookups: Lookups::load(&routes)?,
            trust: Trust::load(&routes)?,
            recorder,
            table: former.succeeded_by(routes),
        })
    }

    /// Begins the recording of a session, if its route has that.
    ///
    /// # Errors
    /// The route does without no recording, and there cannot be one.
    pub(crate) async fn tape(
        &self,
        route: &Route,
        request: &Request,
        conn: u64,
    ) -> Result<Option<Box<Tape>>, Unrecorded> {
        let (Some(recorder), Some(record)) = (&self.recorder, &route.record) else { return Ok(None) };
        let scheme = if request.via.secure { "wss" } else { "ws" };
        let host = if self.table.has_token_in(&request.host) { TOKEN } else { &request.authority };
        let url = format!("{scheme}://{host}{}", request.path);
        match recorder.open(&record.name, record.format, record.bytes_max, (conn, url)).await {
            Ok(tape) => Ok(Some(Box::new(tape))),
            Err(error) if record.required => Err(Unrecorded(error)),
            Err(error) => {
                tracing::warn!(conn, route = route.name, %error, "a session is not recorded");
                Ok(None)
            }
        }
    }
}
