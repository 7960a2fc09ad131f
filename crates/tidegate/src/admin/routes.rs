//! The route table, with what goes through it.

use serde_json::{Map, Value, json};

use super::Gateway;
use crate::clock;
use crate::config::Route;
use crate::metrics::MovedOneWay;
use crate::pool::{BackendStatus, Pool};

/// All routes, in file order.
pub(super) fn table(gateway: &Gateway) -> Value {
    let generation = gateway.service.generation();
    let routes = generation.table.routes().map(|(route, pool)| shown(gateway, route, pool));
    json!({ "routes": routes.collect::<Vec<_>>() })
}

fn shown(gateway: &Gateway, route: &Route, pool: &Pool) -> Value {
    let metrics = gateway.service.telemetry.metrics.route(&route.name);
    let (moved, _) = metrics.moved();
    json!({
        "name": route.name,
        "host": route.host.as_ref().map(ToString::to_string),
        "path": route.path.to_string(),
        "backends": pool.statuses(clock::now()).iter().map(backend).collect::<Vec<_>>(),
        "websockets_open": metrics.open_now(),
        "websockets_opened": metrics.opened(),
        "in": one_way(&moved.inbound),
        "out": one_way(&moved.outbound),
        "buffered_bytes": moved.buffered,
    })
}

fn one_way(moved: &MovedOneWay) -> Value {
    json!({ "messages": moved.messages(), "bytes": moved.bytes })
}

fn backend(status: &BackendStatus) -> Value {
    let connects: Map<_, _> =
        status.tried.iter().map(|(result, count)| ((*result).to_owned(), (*count).into())).collect();
    json!({
        "name": status.name,
        "connections_open": status.live,
        "resting": status.resting,
        "connects": connects,
    })
}
