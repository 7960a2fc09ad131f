//! The route table: host and path decide, the first match wins. No await, no clock.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::{self, Backend, HostPattern, OnChange, PathPattern, Route};
use crate::path::without_parameters;
use crate::pool::{Pool, Seat};
use crate::request::Kind;

/// The routes of one generation of the configuration, in file order.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Row>,
    /// Where the route of a name stands.
    names: HashMap<String, usize>,
}

/// A route as it is in force.
#[derive(Debug)]
struct Row {
    /// The same as in the generation before, where nothing of it has changed: so sessions know that theirs is in force.
    route: Arc<Route>,
    pool: Arc<Pool>,
    /// What the file says now. A change of this alone is no change of the route.
    on_change: OnChange,
}

/// The evidence that a request belongs to a route. Only [`Table::select`] makes one.
#[derive(Debug)]
pub struct Selected {
    route: Arc<Route>,
    pool: Arc<Pool>,
    /// Where, in the request's path, begins what lies below the route's prefix.
    prefix_len: usize,
}

/// Why there is no route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoRoute {
    /// No route of either kind: 404.
    #[error("nothing is served at this path")]
    NotFound,
    /// Only WebSockets are served there: 426.
    #[error("only WebSocket connections are served at this path")]
    NeedsUpgrade,
    /// The same, said as websockify does: 405.
    #[error("no page is served at this path")]
    NotAllowed,
    /// No WebSockets are served there: 400.
    #[error("no WebSocket is served at this path")]
    NotWebSocket,
    /// With its parameters, which backends may cut off, the path is on one route, and without them on another: 400.
    #[error("the path means something else to those who cut off what stands behind a semicolon")]
    Ambiguous,
}

impl Table {
    /// A table of these routes.
    pub fn new(routes: Vec<Route>) -> Self {
        Self::default().succeeded_by(routes)
    }

    /// The table of a file that has changed. What stayed as it was is taken over: routes, and what is known of backends.
    pub(crate) fn succeeded_by(&self, routes: Vec<Route>) -> Self {
        let row = |route: Route| {
            let on_change = route.on_change;
            match self.named(&route.name) {
                Some(former) if is_same(&former.route, &route) => {
                    Row { route: Arc::clone(&former.route), pool: Arc::clone(&former.pool), on_change }
                }
                Some(former) => {
                    let pool = Arc::new(Pool::succeeding(&former.pool, &route.backends));
                    Row { route: Arc::new(route), pool, on_change }
                }
                None => {
                    let pool = Arc::new(Pool::new(&route.backends));
                    Row { route: Arc::new(route), pool, on_change }
                }
            }
        };
        let rows: Vec<Row> = routes.into_iter().map(row).collect();
        let names = rows.iter().enumerate().map(|(at, row)| (row.route.name.clone(), at)).collect();
        Self { rows, names }
    }

    /// What is to become of a session that was opened on this route, now that this table is in force; `former` is the
    /// one before it. A route is known by its name, or else by its host, path and kind.
    pub(crate) fn fate(&self, former: Option<&Self>, route: &Arc<Route>) -> OnChange {
        if let Some(row) = self.named(&route.name) {
            return if Arc::ptr_eq(&row.route, route) { OnChange::Keep } else { row.on_change };
        }
        if let Some(row) = self.rows.iter().find(|row| is_same_place(&row.route, route)) {
            let renamed = Route { name: route.name.clone(), ..Route::clone(&row.route) };
            return if is_same(&renamed, route) { OnChange::Keep } else { row.on_change };
        }
        match former {
            // What is not in the former one either was judged when it went.
            Some(former) => former.named(&route.name).map_or(OnChange::Keep, |row| row.on_change),
            None => route.on_change,
        }
    }

    /// How the routes of this table differ from those of `former`: added, changed and removed.
    pub(crate) fn differences(&self, former: &Self) -> [usize; 3] {
        let is_new = |row: &&Row| former.named(&row.route.name).is_none();
        let is_kept = |row: &&Row| {
            former.named(&row.route.name).is_some_and(|former| Arc::ptr_eq(&former.route, &row.route))
        };
        let added = self.rows.iter().filter(is_new).count();
        let kept = self.rows.iter().filter(is_kept).count();
        let removed = former.rows.iter().filter(|row| self.named(&row.route.name).is_none()).count();
        [added, self.rows.len() - added - kept, removed]
    }

    /// The route of a session that was opened in another process, and its place at this backend, if it is known by that.
    /// A route of that name that is not in the table any more has no rules left to go by, and none are needed: what the
    /// session goes by was written down with it.
    pub(crate) fn resume(&self, name: &str, backend: Option<&str>) -> (Arc<Route>, Option<Seat>) {
        match self.named(name) {
            Some(row) => (Arc::clone(&row.route), row.pool.seat_of(backend)),
            None => (Arc::new(config::gone(name)), None),
        }
    }

    fn named(&self, name: &str) -> Option<&Row> {
        self.names.get(name).map(|at| &self.rows[*at])
    }

    /// All routes, in file order, with how their backends are.
    pub(crate) fn routes(&self) -> impl Iterator<Item = (&Arc<Route>, &Arc<Pool>)> {
        self.rows.iter().map(|row| (&row.route, &row.pool))
    }

    /// Whether a host that is asked for may be somebody's token, and with that a secret. It is, wherever a route looks up
    /// such hosts: also in a request that comes to another route or to none, as one with a wrong path does.
    pub(crate) fn has_token_in(&self, host: &str) -> bool {
        let may_match = |route: &Route| route.host.as_ref().is_none_or(|pattern| host_matches(pattern, host));
        self.rows.iter().any(|row| row.route.host_is_token() && may_match(&row.route))
    }

    /// The first route that serves this kind of request for this host and canonical path.
    ///
    /// Backends may read `/admin;x/a` as `/admin/a`. Where that would be on another route, whose guards it has not passed,
    /// the request is refused. Parameters that the pattern itself names are no stranger's idea.
    ///
    /// # Errors
    /// What the client is told instead; a route of the other kind is worth a hint.
    pub fn select(&self, kind: Kind, host: &str, path: &str) -> Result<Selected, NoRoute> {
        let selected = self.first(kind, host, path)?;
        if path.contains(';') {
            let own = own_parameters(&selected, path);
            let bare = format!("{}{}", &path[..own], without_parameters(&path[own..]));
            let is_other = |other: Selected| !Arc::ptr_eq(&other.route, &selected.route);
            if bare != path && self.first(kind, host, &bare).is_ok_and(is_other) {
                return Err(NoRoute::Ambiguous);
            }
        }
        Ok(selected)
    }

    fn first(&self, kind: Kind, host: &str, path: &str) -> Result<Selected, NoRoute> {
        let (mut other_kind, mut not_allowed) = (false, false);
        for Row { route, pool, .. } in &self.rows {
            if !route.host.as_ref().is_none_or(|pattern| host_matches(pattern, host)) {
                continue;
            }
            let Some(prefix_len) = path_matches(&route.path, path) else {
                continue;
            };
            if serves(route, kind) {
                return Ok(Selected { route: Arc::clone(route), pool: Arc::clone(pool), prefix_len });
            }
            other_kind = true;
            not_allowed |= route.pages_not_allowed;
        }
        Err(match (other_kind, kind) {
            (false, _) => NoRoute::NotFound,
            (true, Kind::Http) if not_allowed => NoRoute::NotAllowed,
            (true, Kind::Http) => NoRoute::NeedsUpgrade,
            (true, Kind::WebSocket) => NoRoute::NotWebSocket,
        })
    }
}

/// How much of a path stands in the pattern of its route as it is, where that has a semicolon.
fn own_parameters(selected: &Selected, path: &str) -> usize {
    match &selected.route.path {
        PathPattern::Exact(pattern) | PathPattern::Prefix(pattern) if pattern.contains(';') => {
            selected.prefix_len
        }
        PathPattern::Regex(_, pattern) if pattern.contains(';') => path.len(),
        PathPattern::Exact(_) | PathPattern::Prefix(_) | PathPattern::Regex(..) => 0,
    }
}

/// Whether two routes are the same but for what is to happen when they are not.
fn is_same(one: &Route, another: &Route) -> bool {
    *one == Route { on_change: one.on_change, ..another.clone() }
}

/// Whether requests for one of the routes would have been requests for the other.
fn is_same_place(one: &Route, another: &Route) -> bool {
    one.host == another.host
        && one.path == another.path
        && [Kind::WebSocket, Kind::Http].into_iter().all(|kind| serves(one, kind) == serves(another, kind))
}

impl Selected {
    /// The route.
    pub const fn route(&self) -> &Arc<Route> {
        &self.route
    }

    /// How its backends are.
    pub(crate) const fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// The backend; of several, which are of one kind, the first.
    pub fn backend(&self) -> &Backend {
        self.route.backends.first().expect("a checked route has a backend")
    }

    /// What lies below the prefix of the route in `path`, the path that it was selected by; it begins with `/` or is
    /// empty. The whole path where the route has no prefix.
    pub fn below_prefix<'a>(&self, path: &'a str) -> &'a str {
        path.get(self.prefix_len..).unwrap_or(path)
    }
}

/// Whether the backend of a route takes this kind of request. `http://` takes both.
fn serves(route: &Route, kind: Kind) -> bool {
    let websocket = kind == Kind::WebSocket;
    match route.backends.first() {
        Some(Backend::File(_) | Backend::Builtin) => !websocket,
        Some(Backend::Http(_)) => true,
        Some(
            Backend::Tcp(_)
            | Backend::Tls(_)
            | Backend::Unix(_)
            | Backend::WebSocket(_)
            | Backend::Echo
            | Backend::Handoff(_)
            | Backend::Lookup(_)
            | Backend::Replay(_),
        ) => websocket,
        None => false,
    }
}

fn host_matches(pattern: &HostPattern, host: &str) -> bool {
    match pattern {
        HostPattern::Exact(name) => host.eq_ignore_ascii_case(name),
        HostPattern::Subdomains(parent) => {
            host.len().checked_sub(parent.len()).and_then(|at| host.split_at_checked(at)).is_some_and(
                |(labels, rest)| {
                    labels.len() > 1 && labels.ends_with('.') && rest.eq_ignore_ascii_case(parent)
                },
            )
        }
    }
}

/// The length of the prefix that the route replaces, if its pattern matches.
fn path_matches(pattern: &PathPattern, path: &str) -> Option<usize> {
    match pattern {
        PathPattern::Exact(exact) => (path == exact).then_some(path.len()),
        PathPattern::Prefix(prefix) => path
            .strip_prefix(prefix.as_str())
            .filter(|rest| rest.is_empty() || rest.starts_with('/'))
            .map(|_| prefix.len()),
        PathPattern::Regex(regex, _) => regex.is_match(path).then_some(0),
    }
}
