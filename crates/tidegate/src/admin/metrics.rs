//! `/metrics`: everything that is counted, gathered when it is asked for.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::UNIX_EPOCH;

use super::Gateway;
use crate::clock;
use crate::metrics::exposition::Exposition;
use crate::metrics::families as f;
use crate::metrics::{Process, RouteMetrics};

/// The text of all metrics.
pub(super) fn text(gateway: &Gateway) -> String {
    let mut exposition = Exposition::default();
    gateway_itself(&mut exposition, gateway);
    connections(&mut exposition, gateway);
    let generation = gateway.service.generation();
    let names: HashSet<_> = generation.table.routes().map(|(route, _)| route.name.as_str()).collect();
    gateway.service.telemetry.metrics.forget_others(|name| names.contains(name));
    let routes = gateway.service.telemetry.metrics.routes();
    let routes: Vec<_> = routes.iter().map(|(name, route)| (&**name, &**route)).collect();
    requests(&mut exposition, &routes);
    websockets(&mut exposition, &routes);
    traffic(&mut exposition, &routes);
    backends(&mut exposition, gateway);
    process(&mut exposition, &Process::look());
    exposition.into_text()
}

type Routes<'r> = [(&'r str, &'r RouteMetrics)];

fn gateway_itself(exposition: &mut Exposition, gateway: &Gateway) {
    let service = &gateway.service;
    exposition.family(&f::BUILD).whole(&[env!("CARGO_PKG_VERSION")], 1);
    exposition.family(&f::UPTIME).real(&[], service.uptime().as_secs_f64());
    exposition.family(&f::DRAINING).whole(&[], service.drain.is_started().into());
    exposition.family(&f::GENERATION).whole(&[], service.generation().number);
    let mut reloads = exposition.family(&f::RELOADS);
    for (result, count) in service.telemetry.metrics.reloads.all() {
        reloads.whole(&[result], count);
    }
    let mut handovers = exposition.family(&f::HANDOVERS);
    for (result, count) in service.telemetry.metrics.handovers.all() {
        handovers.whole(&[result], count);
    }
    let taken_over = service.telemetry.metrics.taken_over.load(Ordering::Relaxed);
    exposition.family(&f::TAKEN_OVER).whole(&[], taken_over);
    exposition.family(&f::LINES_LOST).whole(&[], service.telemetry.log.lines_lost());
}

fn connections(exposition: &mut Exposition, gateway: &Gateway) {
    let places = gateway.places.occupancy();
    exposition.family(&f::ACCEPTED).whole(&[], gateway.service.connections());
    exposition.family(&f::CONNECTIONS).whole(&[], gateway.workers.live() as u64);
    exposition.family(&f::CONNECTIONS_MAX).whole(&[], places.connections_max as u64);
    exposition.family(&f::WAITING).whole(&[], places.waiting as u64);
    exposition.family(&f::HANDSHAKES).whole(&[], places.handshakes as u64);
    exposition.family(&f::HANDSHAKES_MAX).whole(&[], places.handshakes_max as u64);
    let mut tls = exposition.family(&f::TLS);
    for (handshake, count) in gateway.service.telemetry.metrics.tls.all() {
        tls.whole(&[handshake.result, handshake.version], count);
    }
    let mut ends = exposition.family(&f::CERTIFICATE_END);
    let mut seen = HashSet::new();
    for certificate in gateway.service.telemetry.metrics.certificates.load().iter() {
        let labels = [certificate.listener.as_str(), certificate.file.as_str()];
        if seen.insert(labels.map(str::to_owned)) {
            let end = certificate.end.duration_since(UNIX_EPOCH).unwrap_or_default();
            ends.real(&labels, end.as_secs_f64());
        }
    }
}

fn requests(exposition: &mut Exposition, routes: &Routes<'_>) {
    let mut samples = exposition.family(&f::REQUESTS);
    for (name, route) in routes {
        for (asked, count) in route.requests.all() {
            let kind = if asked.websocket { "websocket" } else { "http" };
            let status = if asked.status == 0 { "other".to_owned() } else { asked.status.to_string() };
            samples.whole(&[name, kind, &status], count);
        }
    }
    let mut samples = exposition.family(&f::REFUSALS);
    for (name, route) in routes {
        for (reason, count) in route.refusals.all() {
            samples.whole(&[name, reason], count);
        }
    }
}

fn websockets(exposition: &mut Exposition, routes: &Routes<'_>) {
    let routes = || routes.iter().filter(|(name, _)| !name.is_empty()); // only a route can open one
    let mut samples = exposition.family(&f::OPEN);
    routes().for_each(|(name, route)| samples.whole(&[name], route.open_now()));
    let mut samples = exposition.family(&f::OPENED);
    routes().for_each(|(name, route)| samples.whole(&[name], route.opened()));
    let mut samples = exposition.family(&f::CLOSED);
    for (name, route) in routes() {
        for (closed, count) in route.closed.all() {
            let code = match closed.code {
                3000 => "3xxx".to_owned(),
                4000 => "4xxx".to_owned(),
                code => code.to_string(),
            };
            samples.whole(&[name, closed.end, &code, closed.by.label()], count);
        }
    }
    let mut samples = exposition.family(&f::DURATION);
    routes().for_each(|(name, route)| samples.times(&[name], route.durations()));
}

fn traffic(exposition: &mut Exposition, routes: &Routes<'_>) {
    let named = routes.iter().filter(|(name, _)| !name.is_empty());
    let routes: Vec<_> = named.map(|(name, route)| (*name, route.moved())).collect();
    let mut samples = exposition.family(&f::MESSAGES);
    for (name, (moved, _)) in &routes {
        for (direction, moved) in [("in", moved.inbound), ("out", moved.outbound)] {
            samples.whole(&[name, direction, "text"], moved.text);
            samples.whole(&[name, direction, "binary"], moved.binary);
        }
    }
    let mut samples = exposition.family(&f::BYTES);
    for (name, (moved, _)) in &routes {
        samples.whole(&[name, "in"], moved.inbound.bytes);
        samples.whole(&[name, "out"], moved.outbound.bytes);
    }
    let mut samples = exposition.family(&f::CONTROLS);
    routes.iter().for_each(|(name, (moved, _))| samples.whole(&[name], moved.controls));
    let mut samples = exposition.family(&f::PINGS);
    routes.iter().for_each(|(name, (moved, _))| samples.whole(&[name], moved.pings));
    let mut samples = exposition.family(&f::BUFFERED);
    routes.iter().for_each(|(name, (moved, _))| samples.whole(&[name], moved.buffered));
    let mut samples = exposition.family(&f::ROUND_TRIP);
    routes.into_iter().for_each(|(name, (_, times))| samples.times(&[name], times));
}

fn backends(exposition: &mut Exposition, gateway: &Gateway) {
    let now = clock::now();
    let generation = gateway.service.generation();
    let pools = generation.table.routes().map(|(route, pool)| (route.name.as_str(), pool.statuses(now)));
    let pools: Vec<_> = pools.collect();
    let statuses =
        || pools.iter().flat_map(|(route, pool)| pool.iter().map(move |backend| (*route, backend)));
    let mut samples = exposition.family(&f::BACKEND_OPEN);
    for (route, backend) in statuses() {
        samples.whole(&[route, &backend.name], backend.live as u64);
    }
    let mut samples = exposition.family(&f::BACKEND_CONNECTS);
    for (route, backend) in statuses() {
        for (result, count) in &backend.tried {
            samples.whole(&[route, &backend.name, result], *count);
        }
    }
    let mut samples = exposition.family(&f::BACKEND_RESTING);
    for (route, backend) in statuses() {
        samples.whole(&[route, &backend.name], backend.resting.into());
    }
}

fn process(exposition: &mut Exposition, process: &Process) {
    let real = [(&f::CPU, process.cpu_seconds), (&f::START, process.start)];
    for (family, value) in real {
        let mut samples = exposition.family(family);
        value.into_iter().for_each(|value| samples.real(&[], value));
    }
    let whole = [
        (&f::RESIDENT, process.resident_bytes),
        (&f::VIRTUAL, process.virtual_bytes),
        (&f::THREADS, process.threads),
        (&f::DESCRIPTORS, process.open_descriptors),
        (&f::DESCRIPTORS_MAX, process.max_descriptors),
    ];
    for (family, value) in whole {
        let mut samples = exposition.family(family);
        value.into_iter().for_each(|value| samples.whole(&[], value));
    }
}
