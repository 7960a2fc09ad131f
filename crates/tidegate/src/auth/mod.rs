//! Who may use what a route serves. It stands between policy and look-up: nobody is asked for a client that no page of
//! its origin may connect, and nothing is looked up for a client that has not shown who it is.

use std::sync::Arc;

use crate::config::Route;
use crate::policy::Permit;
use crate::route::Selected;

/// The evidence that whoever made a request may use the route. Only [`Guards::admit`] makes one.
#[derive(Debug)]
pub struct Admitted<T>(T);

/// What belongs to a route.
pub trait OfRoute {
    /// The route.
    fn route(&self) -> &Arc<Route>;
}

/// Who guards which route.
#[derive(Debug, Default)]
pub struct Guards(());

/// Why a route cannot be guarded. The operator's fault.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no authentication yet.
    #[error("route {0:?}: auth is not built yet")]
    NotBuilt(String),
}

impl<T> Admitted<T> {
    /// What was admitted.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl OfRoute for Permit {
    fn route(&self) -> &Arc<Route> {
        Self::route(self)
    }
}

impl OfRoute for Selected {
    fn route(&self) -> &Arc<Route> {
        Self::route(self)
    }
}

impl Guards {
    /// Makes ready what the routes ask for.
    ///
    /// # Errors
    /// What cannot be used.
    pub fn load(routes: &[Route]) -> Result<Self, LoadError> {
        match routes.iter().find(|route| route.auth.is_some()) {
            Some(route) => Err(LoadError::NotBuilt(route.name.clone())),
            None => Ok(Self(())),
        }
    }

    /// Decides about one request. A route without `auth` is everybody's.
    pub fn admit<T: OfRoute>(&self, what: T) -> Admitted<T> {
        assert!(what.route().auth.is_none(), "no such route was loaded");
        Admitted(what)
    }
}
