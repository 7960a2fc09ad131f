//! `wstunnel.*`: mod_wstunnel.

use super::backends::{self, Kind};
use super::origins;
use super::paths::Paths;
use super::position::Position;
use super::route;
use super::scopes::Situation;
use super::value::Item;
use crate::import::document::Table;
use crate::import::report::Report;

/// What can be set anew for a part of the requests.
pub(super) const DIRECTIVES: &[&str] =
    &[SERVER, BALANCE, MAP_EXTENSIONS, FRAME_TYPE, ORIGINS, PING_INTERVAL, READ_IDLE];

/// The routes of one situation, in the order of the list; suffixes that are mapped to a key come before all keys.
pub(super) fn routes(situation: &Situation<'_>, report: &mut Report<Position>) -> Vec<Table> {
    let Some(server) = situation.setting(SERVER) else { return Vec::new() };
    let Some(keys) = server.value.as_list() else {
        report.without(&server.at, SERVER, "is no list of keys and hosts");
        return Vec::new();
    };
    report.translated(&server.at, SERVER);
    let common = Common::read(situation, report);
    let mut tables = Vec::new();
    for (suffix, key, at) in mapped(situation, keys, report) {
        tables.extend(key_routes(situation, key, &Paths::of_key(&suffix), &at, &common, report));
    }
    for key in keys {
        let own = Paths::of_key(key.key.as_deref().unwrap_or_default());
        tables.extend(key_routes(situation, key, &own, &key.at, &common, report));
    }
    tables
}

/// What is the same for all keys of a situation.
struct Common {
    message: &'static str,
    balance: &'static str,
    origins: Vec<String>,
    is_any_origin: bool,
    ping: u64,
    idle: u64,
}

impl Common {
    fn read(situation: &Situation<'_>, report: &mut Report<Position>) -> Self {
        let origins = origins(situation, report);
        Self {
            message: message(situation, report),
            balance: route::balance(situation, BALANCE, report),
            is_any_origin: origins.is_none(),
            origins: origins.unwrap_or_else(|| vec!["*".to_owned()]),
            ping: route::seconds(situation, PING_INTERVAL, 0, report),
            idle: route::seconds(situation, READ_IDLE, route::READ_IDLE_DEFAULT, report),
        }
    }
}

fn key_routes(
    situation: &Situation<'_>,
    key: &Item,
    own: &Paths,
    at: &Position,
    common: &Common,
    report: &mut Report<Position>,
) -> Vec<Table> {
    let what = format!("{SERVER} {:?}", key.key.as_deref().unwrap_or_default());
    let Some(paths) = route::paths(&situation.scope, own, at, &what, report) else { return Vec::new() };
    let Some(backends) = backends::of_key(key, SERVER, Kind::Raw, report) else { return Vec::new() };
    report.translated(&key.at, &what);
    let complete = |table: Table| {
        let table = route::backend(table, &backends, common.balance)
            .with("message", common.message)
            .with("subprotocols", vec!["binary"])
            .with("origins", common.origins.clone())
            .with("allow_missing_origin", common.is_any_origin);
        route::unlimited_frames(route::timers(table, common.ping, common.idle))
    };
    route::tables(&situation.scope, &paths, &format!("{at} {what}")).into_iter().map(complete).collect()
}

/// `wstunnel.map-extensions`: each suffix, the entry of the key that it stands for, and where it is said.
fn mapped<'s>(
    situation: &Situation<'_>,
    keys: &'s [Item],
    report: &mut Report<Position>,
) -> Vec<(String, &'s Item, Position)> {
    let Some(map) = situation.setting(MAP_EXTENSIONS) else { return Vec::new() };
    report.translated(&map.at, MAP_EXTENSIONS);
    let mut found = Vec::new();
    for item in map.value.as_list().unwrap_or_default() {
        let what = format!("{MAP_EXTENSIONS} {:?}", item.key.as_deref().unwrap_or_default());
        let key = keys.iter().find(|key| key.key.is_some() && key.key.as_deref() == item.value.as_text());
        match (&item.key, key) {
            (Some(suffix), Some(key)) if !suffix.is_empty() => {
                report.translated(&item.at, what);
                found.push((suffix.clone(), key, item.at.clone()));
            }
            _ => report.without(&item.at, what, "is mapped to a key that wstunnel.server does not have"),
        }
    }
    found
}

/// A client that offers the subprotocol `binary` gets binary frames there, whatever the frame type.
fn message(situation: &Situation<'_>, report: &mut Report<Position>) -> &'static str {
    let Some(setting) = situation.setting(FRAME_TYPE) else { return BY_SUBPROTOCOL };
    report.translated(&setting.at, FRAME_TYPE);
    let is_binary = setting.value.as_text().is_some_and(|kind| kind.eq_ignore_ascii_case("binary"));
    if is_binary { "binary" } else { BY_SUBPROTOCOL }
}

/// `None`: there is no list, and every site is let in, as well as what sends no Origin.
fn origins(situation: &Situation<'_>, report: &mut Report<Position>) -> Option<Vec<String>> {
    let setting = situation.setting(ORIGINS)?;
    let Some(entries) = setting.value.as_list() else {
        report.without(&setting.at, ORIGINS, "is no list: nobody is let in");
        return Some(Vec::new());
    };
    report.translated(&setting.at, ORIGINS);
    if entries.is_empty() { None } else { Some(origins::by_suffix(entries, ORIGINS, report)) }
}

const BY_SUBPROTOCOL: &str = "by-subprotocol";
const SERVER: &str = "wstunnel.server";
const BALANCE: &str = "wstunnel.balance";
const MAP_EXTENSIONS: &str = "wstunnel.map-extensions";
const FRAME_TYPE: &str = "wstunnel.frame-type";
const ORIGINS: &str = "wstunnel.origins";
const PING_INTERVAL: &str = "wstunnel.ping-interval";
const READ_IDLE: &str = route::READ_IDLE;
