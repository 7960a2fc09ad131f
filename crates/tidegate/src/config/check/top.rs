//! The keys at the top of the file.

use std::thread;

use super::admin;
use super::files;
use super::keys::Takes;
use super::report::Spot;
use super::section::Section;
use crate::config::{AccessLog, Config};

/// Reads the keys at the top; listeners and routes are left empty.
pub(super) fn read(section: &mut Section<'_, '_>) -> Config {
    let config = Config {
        workers: or_one_per_core(as_usize(section.count_or_default("workers"))),
        connections_max: section.count("max_connections").map(as_usize),
        connections_per_client_max: as_usize(section.count_or_default("max_connections_per_client")),
        handshakes_max: as_usize(section.count_or_default("max_handshakes")),
        buffered_max: section.size("max_buffered"),
        admin: admin::read(section),
        drain: section.duration("drain"),
        drain_rate: u32::try_from(section.count_or_default("drain_rate")).unwrap_or(u32::MAX),
        traffic_symbols: false,
        access_log: section.text("access_log", files::access_log).unwrap_or(AccessLog::Stdout),
        listeners: Vec::new(),
        routes: Vec::new(),
    };
    if let AccessLog::File(file) = &config.access_log {
        section.guard("access_log", file);
    }
    handshakes_for_all(section, &config);
    below_all_connections(section, &config);
    section.finish();
    config
}

/// What one client may have, it may have in its handshake: others should still find a place there.
fn handshakes_for_all(section: &mut Section<'_, '_>, config: &Config) {
    let Some(found) = section.find("max_connections_per_client") else { return };
    let (own, all) = (config.connections_per_client_max, config.handshakes_max);
    if own >= all {
        let message = format!(
            "max_connections_per_client {own} is not below max_handshakes, which is {all}: one client may keep all others out"
        );
        let remedy = format!("raise max_handshakes above {own}, or write a smaller number");
        section.warning(&found.spot, message, remedy);
    }
}

/// What is a part of all connections cannot be limited by more than there are of them.
fn below_all_connections(section: &mut Section<'_, '_>, config: &Config) {
    let Some(all) = config.connections_max else { return };
    for (name, limit) in [
        ("max_connections_per_client", config.connections_per_client_max),
        ("max_handshakes", config.handshakes_max),
    ] {
        if let Some(found) = section.find(name).filter(|_| limit > all) {
            let message = format!("{name} {limit} has no effect: max_connections is {all}");
            section.warning(&found.spot, message, format!("write less than {all}, or raise max_connections"));
        }
    }
}

/// `--workers`: a number already, so only its bounds are left to check.
pub(super) fn workers(section: &mut Section<'_, '_>, workers: usize) -> usize {
    let takes = &section.key("workers").takes;
    if let Takes::Count { min, max } = takes
        && !(*min..=*max).contains(&(workers as u64))
    {
        let message = format!("workers {workers} is out of bounds");
        section.error(&Spot::Flag(format!("--workers {workers}")), message, format!("write {takes}"));
    }
    or_one_per_core(workers)
}

fn or_one_per_core(workers: usize) -> usize {
    if workers == 0 { thread::available_parallelism().map_or(1, usize::from) } else { workers }
}

/// Every count is bounded far below this, so the fallback is never taken.
fn as_usize(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
