//! `proxy.*`: mod_proxy, which passes on upgrades if it is told to.

use super::backends::{self, Kind};
use super::paths::Paths;
use super::position::Position;
use super::route;
use super::scopes::Situation;
use super::value::Item;
use crate::import::document::Table;
use crate::import::report::Report;

/// What can be set anew for a part of the requests.
pub(super) const DIRECTIVES: &[&str] = &[SERVER, BALANCE, HEADER, READ_IDLE];

/// The routes of one situation, in the order of the list.
pub(super) fn routes(situation: &Situation<'_>, report: &mut Report<Position>) -> Vec<Table> {
    let Some(server) = situation.setting(SERVER) else { return Vec::new() };
    let Some(keys) = server.value.as_list() else {
        report.without(&server.at, SERVER, "is no list of keys and hosts");
        return Vec::new();
    };
    report.translated(&server.at, SERVER);
    let takes_upgrades = header(situation, report);
    if !takes_upgrades {
        let note =
            "proxy.header has no \"upgrade\" => \"enable\": WebSockets are refused, plain requests pass";
        report.note(&server.at, SERVER, note);
    }
    let common = Common {
        takes_upgrades,
        balance: route::balance(situation, BALANCE, report),
        idle: route::seconds(situation, READ_IDLE, route::READ_IDLE_DEFAULT, report),
    };
    let mut tables = Vec::new();
    for key in keys {
        tables.extend(key_routes(situation, key, &common, report));
    }
    tables
}

/// What is the same for all keys of a situation.
struct Common {
    takes_upgrades: bool,
    balance: &'static str,
    /// In seconds.
    idle: u64,
}

fn key_routes(
    situation: &Situation<'_>,
    key: &Item,
    common: &Common,
    report: &mut Report<Position>,
) -> Vec<Table> {
    let text = key.key.as_deref().unwrap_or_default();
    let what = format!("{SERVER} {text:?}");
    let Some(paths) = route::paths(&situation.scope, &Paths::of_key(text), &key.at, &what, report) else {
        return Vec::new();
    };
    let Some(backends) = backends::of_key(key, SERVER, Kind::Http, report) else { return Vec::new() };
    report.translated(&key.at, &what);
    let complete = |table: Table| {
        let table = route::backend(table, &backends, common.balance);
        if common.takes_upgrades {
            let table = table.with("origins", vec!["*"]);
            route::unlimited_messages(route::timers(table, 0, common.idle))
        } else {
            table.with("origins", Vec::<String>::new()).with("allow_missing_origin", false)
        }
    };
    route::tables(&situation.scope, &paths, &format!("{} {what}", key.at)).into_iter().map(complete).collect()
}

/// Whether upgrades are passed on. Of the header's other entries none is translated.
fn header(situation: &Situation<'_>, report: &mut Report<Position>) -> bool {
    let Some(header) = situation.setting(HEADER) else { return false };
    report.translated(&header.at, HEADER);
    for item in header.value.as_list().unwrap_or_default() {
        let what = format!("{HEADER} {:?}", item.key.as_deref().unwrap_or_default());
        match item.key.as_deref() {
            Some("upgrade") => report.translated(&item.at, what),
            Some("map-urlpath") => {
                let why = "paths pass unchanged: put the new prefix behind the backend, as in http://host:port/base, \
                           and write path as \"/prefix/*\"";
                report.without(&item.at, what, why);
            }
            Some(_) | None => report.without(&item.at, what, "header fields pass as RFC 9110 wants it"),
        }
    }
    header.value.entry("upgrade").is_some_and(|upgrade| upgrade.value.is_enabled())
}

const SERVER: &str = "proxy.server";
const BALANCE: &str = "proxy.balance";
const HEADER: &str = "proxy.header";
const READ_IDLE: &str = route::READ_IDLE;
