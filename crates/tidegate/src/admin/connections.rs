//! The WebSockets that are open: looked at, and told to close.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use serde_json::{Value, json};
use tidegate_proto::{CLOSE_REASON_BYTES_MAX, CloseCode};

use super::Gateway;
use super::query::Query;
use crate::clock;
use crate::config;
use crate::drain::Pace;
use crate::live::{CloseNotice, Filter, Idle, Live, Order, close_rules};
use crate::outcome::Cause;

/// Entries of one answer.
const PAGE_MAX: u64 = 1000;
const PAGE_DEFAULT: u64 = 100;

/// Names of routes in an answer; more are only counted.
const ROUTES_NAMED_MAX: usize = 50;

/// Why what was asked cannot be answered, in a sentence.
pub(super) enum QueryError {
    /// A name or a value of the query is wrong.
    Query(String),
    /// No route is called so.
    NoRoute(String),
}

impl From<String> for QueryError {
    fn from(sentence: String) -> Self {
        Self::Query(sentence)
    }
}

/// A page of the connections that are meant, in the order of their numbers, or those that have moved the most.
pub(super) fn list(gateway: &Gateway, query: &Query) -> Result<Value, QueryError> {
    let limit = query.number("limit", PAGE_DEFAULT, PAGE_MAX)?;
    let after = query.number("after", 0, u64::MAX)?;
    let closing = match query.text("state") {
        None => None,
        Some("open") => Some(false),
        Some("closing") => Some(true),
        Some(_) => return Err("state has to be open or closing".to_owned().into()),
    };
    let mut meant = gateway.service.live.sessions(&filter(gateway, query)?);
    meant.retain(|live| closing.is_none_or(|closing| closing == is_closing(live)));
    let total = meant.len();
    meant.retain(|live| live.about.conn > after);
    match query.text("sort").unwrap_or("conn") {
        "conn" => meant.sort_unstable_by_key(|live| live.about.conn),
        "bytes" if after == 0 => {
            let moved = |live: &Arc<Live>| {
                let counts = live.traffic.counts();
                counts.bytes_in.saturating_add(counts.bytes_out)
            };
            meant.sort_by_cached_key(|live| std::cmp::Reverse(moved(live)));
        }
        "bytes" => return Err("sort=bytes has one page: leave after out".to_owned().into()),
        _ => return Err("sort has to be conn or bytes".to_owned().into()),
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let is_more = meant.len() > limit && query.text("sort") != Some("bytes");
    meant.truncate(limit);
    let next = is_more.then(|| meant.last().map_or(after, |live| live.about.conn)); // a page may be asked to be empty
    let page: Vec<_> = meant.iter().map(|live| shown(live)).collect();
    Ok(json!({ "total": total, "next_after": next, "connections": page }))
}

/// One of them.
pub(super) fn one(gateway: &Gateway, conn: u64) -> Option<Value> {
    sole(gateway, conn).map(|live| shown(&live))
}

/// Tells one of them to close; `None` where there is none of this number.
pub(super) fn close(gateway: &Gateway, conn: u64, query: &Query) -> Result<Option<Value>, String> {
    let notice = notice(query, "closed by the operator")?;
    Ok(sole(gateway, conn).map(|live| {
        live.leash.tell(Order { at: clock::now(), idle: None, notice });
        json!({ "told": 1 })
    }))
}

/// Tells all that are meant to close, spread over `window`; with `idle`, only those that are quiet for that long within it.
pub(super) fn drain(gateway: &Gateway, query: &Query) -> Result<Value, QueryError> {
    let notice = notice(query, "drained by the operator")?;
    let window = duration(query, "window")?;
    if query.text("idle").is_some() && window.is_zero() {
        return Err("idle needs a window: how long to wait for them to be quiet".to_owned().into());
    }
    let quiet = query.text("idle").map(|_| duration(query, "idle")).transpose()?;
    let meant = gateway.service.live.sessions(&filter(gateway, query)?);
    let now = clock::now();
    // Who is waited for to be quiet is looked at soon, but not all at once: many of them may be.
    let spread = if quiet.is_some() { Duration::ZERO } else { window };
    let pace = Pace::over(spread, meant.len(), gateway.service.drain_rate(), now);
    for live in &meant {
        let at = pace.next();
        // The first look is at its own time, and there has to be a second one.
        let idle = quiet.map(|quiet| Idle::new(quiet, (now + window).max(at + quiet)));
        live.leash.tell(Order { at, idle, notice: Arc::clone(&notice) });
    }
    let over = if quiet.is_some() { window } else { pace.span(meant.len()) };
    Ok(json!({ "told": meant.len(), "over_seconds": over.as_secs() }))
}

/// How many WebSockets do what they were told, and close.
pub(super) fn closing(gateway: &Gateway) -> usize {
    gateway.service.live.sessions(&Filter::default()).iter().filter(|live| is_closing(live)).count()
}

fn sole(gateway: &Gateway, conn: u64) -> Option<Arc<Live>> {
    gateway.service.live.sessions(&Filter { conn: Some(conn), ..Filter::default() }).pop()
}

fn shown(live: &Live) -> Value {
    let (about, counts) = (&live.about, live.traffic.counts());
    let client = match (about.client, about.port) {
        (None, _) => "unix:".to_owned(),
        (Some(client), 0) => client.to_string(),
        (Some(client), port) => std::net::SocketAddr::new(client, port).to_string(),
    };
    json!({
        "conn": about.conn,
        "route": about.route.name,
        "client": client,
        "backend": about.backend,
        "protocol": if about.hybi00 { "hybi-00" } else { "rfc6455" },
        "subprotocol": about.subprotocol,
        "state": if is_closing(live) { "closing" } else { "open" },
        "age_seconds": (clock::now() - live.since).as_secs(),
        "in": { "messages": counts.messages_in, "bytes": counts.bytes_in },
        "out": { "messages": counts.messages_out, "bytes": counts.bytes_out },
    })
}

/// It was told to close, and does.
fn is_closing(live: &Live) -> bool {
    live.leash.reason().is_some()
}

fn filter(gateway: &Gateway, query: &Query) -> Result<Filter, QueryError> {
    let network = |text: &str| {
        // A client of IPv4 is known by that address, however its socket calls it.
        let address = text.parse::<IpAddr>().map(|ip| IpNet::from(ip.to_canonical()));
        let network = address.or_else(|_| text.parse::<IpNet>());
        network.map_err(|_| "client has to be an address, or a network such as 192.0.2.0/24".to_owned())
    };
    let client = query.text("client").map(network).transpose()?;
    let route = query.text("route").map(|name| known_route(gateway, name)).transpose()?;
    Ok(Filter { conn: None, route, client })
}

/// A slip in the name of a route must not look as if nobody were connected through it.
fn known_route(gateway: &Gateway, name: &str) -> Result<String, QueryError> {
    let generation = gateway.service.generation();
    let filter = Filter { route: Some(name.to_owned()), ..Filter::default() };
    let is_known = generation.table.routes().any(|(route, _)| route.name == name)
        || !gateway.service.live.sessions(&filter).is_empty(); // of a generation before this one
    if is_known {
        return Ok(name.to_owned());
    }
    let names: Vec<_> = generation.table.routes().map(|(route, _)| route.name.as_str()).collect();
    let shown = names[..names.len().min(ROUTES_NAMED_MAX)].join(", ");
    let more = names.len().saturating_sub(ROUTES_NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Err(QueryError::NoRoute(format!("no route is called {name:?}; there are: {shown}{more}")))
}

fn notice(query: &Query, usual: &str) -> Result<Arc<CloseNotice>, String> {
    let code = query.number("code", CloseCode::GOING_AWAY.get().into(), u16::MAX.into())?;
    let code = u16::try_from(code).ok().and_then(close_rules::code);
    let code = code.ok_or_else(|| format!("code has to be {}", close_rules::CODES))?;
    let reason = query.text("reason").unwrap_or(usual);
    close_rules::check_reason(reason).map_err(|_wrong| {
        format!("reason has to have at most {CLOSE_REASON_BYTES_MAX} bytes, and nothing unprintable")
    })?;
    Ok(CloseNotice::new(Cause::Operator, code, reason.to_owned()))
}

/// Zero where it is not set.
fn duration(query: &Query, name: &str) -> Result<Duration, String> {
    let Some(text) = query.text(name) else { return Ok(Duration::ZERO) };
    let time = config::duration(text).ok().filter(|time| *time <= close_rules::WINDOW_MAX);
    time.ok_or_else(|| format!("{name} has to be a duration up to 24h, such as 30s or 10m"))
}
