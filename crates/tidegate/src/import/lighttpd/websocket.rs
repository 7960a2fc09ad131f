//! `websocket.*`: mod_websocket.

use super::backends::{authority, port_number};
use super::contexts::{Context, Setting};
use super::origins;
use super::paths::{Anchor, Paths};
use super::position::Position;
use super::route;
use super::scopes::Situation;
use super::value::{Item, Value};
use crate::config;
use crate::import::document::Table;
use crate::import::report::Report;

/// What can be set anew for a part of the requests.
pub(super) const DIRECTIVES: &[&str] = &[SERVER];

/// What holds for all of them, wherever it is set.
pub(super) fn globals(contexts: &[Context], report: &mut Report<Position>) {
    for (index, context) in contexts.iter().enumerate() {
        for name in [TIMEOUT, PING_INTERVAL] {
            if let Some(setting) = context.settings.get(name).filter(|_| index > 0) {
                report.note(
                    &setting.at,
                    name,
                    "mod_websocket ignores it within a condition: so it is left out",
                );
            }
        }
    }
}

/// The routes of one situation: later entries of the list come first.
pub(super) fn routes(
    situation: &Situation<'_>,
    global: &Context,
    report: &mut Report<Position>,
) -> Vec<Table> {
    let Some(server) = situation.setting(SERVER) else { return Vec::new() };
    let Some(entries) = server.value.as_list() else {
        report.without(&server.at, SERVER, not_list(&server.value));
        return Vec::new();
    };
    report.translated(&server.at, SERVER);
    let timers = Timers {
        ping: number(global.settings.get(PING_INTERVAL), PING_INTERVAL, 0, report),
        idle: number(global.settings.get(TIMEOUT), TIMEOUT, TIMEOUT_DEFAULT, report),
    };
    entries.iter().rev().flat_map(|entry| entry_routes(situation, entry, timers, report)).collect()
}

/// In seconds; 0 is never.
#[derive(Debug, Clone, Copy)]
struct Timers {
    ping: u64,
    idle: u64,
}

fn entry_routes(
    situation: &Situation<'_>,
    entry: &Item,
    timers: Timers,
    report: &mut Report<Position>,
) -> Vec<Table> {
    let pattern = entry.key.as_deref().unwrap_or_default();
    let what = format!("{SERVER} {pattern:?}");
    let (own, address) = match (Paths::of_regex(pattern, Anchor::Start), address(&entry.value)) {
        (Ok(own), Ok(address)) => (own, address),
        (own, address) => {
            for why in [own.err(), address.err()].into_iter().flatten() {
                let why = format!("{why}; what it matched goes on to the entries above it");
                report.without(&entry.at, &what, why);
            }
            return Vec::new();
        }
    };
    let Some(paths) = route::paths(&situation.scope, &own, &entry.at, &what, report) else {
        return Vec::new();
    };
    check_options(&entry.value, &what, report);
    let (origins, comment) = (origins(entry, &what, report), format!("{} {what}", entry.at));
    let complete = |table: Table| {
        let table = if is_proxy(&entry.value) {
            relayed(table.with("backend", format!("ws://{address}")))
        } else {
            terminated(table.with("backend", format!("tcp://{address}")), &entry.value, timers)
        };
        table.with("legacy", "hybi-00").with("origins", origins.clone()).with("allow_missing_origin", false)
    };
    report.translated(&entry.at, &what);
    route::tables(&situation.scope, &paths, &comment).into_iter().map(complete).collect()
}

/// `proto = "websocket"`: frames pass as they are, and nothing but the two ends decides how long. `type` means nothing
/// there, so what a client of hybi-00 says is text and no base64.
fn relayed(table: Table) -> Table {
    route::unlimited_messages(route::timers(table.with("message", "text"), 0, 0))
}

/// `proto = "tcp"`.
fn terminated(table: Table, options: &Value, timers: Timers) -> Table {
    let is_token = |name: &&str| config::check_subprotocol(name).is_ok();
    let subprotocols: Vec<&str> = text(options, "subproto").filter(is_token).into_iter().collect();
    let is_binary = text(options, "type").is_some_and(begins_with_binary);
    let table =
        table.with("message", if is_binary { "binary" } else { "text" }).with("subprotocols", subprotocols);
    route::unlimited_frames(route::timers(table, timers.ping, timers.idle))
}

/// Without `origins` every site is let in; but a request without Origin never is.
fn origins(entry: &Item, what: &str, report: &mut Report<Position>) -> Vec<String> {
    match entry.value.entry("origins") {
        None => vec!["*".to_owned()],
        Some(item) => match item.value.as_list() {
            Some(entries) => origins::by_regex(entries, &format!("{what} origins"), report),
            None => {
                let why = "is no list: nobody is let in";
                report.without(&item.at, format!("{what} origins"), why);
                Vec::new()
            }
        },
    }
}

fn address(options: &Value) -> Result<String, String> {
    let host = text(options, "host").ok_or("host is missing, without which no request was ever served")?;
    let port = options.entry("port").ok_or("port is missing, without which no request was ever served")?;
    authority(host, port_number(&port.value)?)
}

fn is_proxy(options: &Value) -> bool {
    text(options, "proto").is_some_and(|proto| proto.eq_ignore_ascii_case("websocket"))
}

fn begins_with_binary(kind: &str) -> bool {
    kind.get(.."binary".len()).is_some_and(|start| start.eq_ignore_ascii_case("binary"))
}

fn check_options(options: &Value, what: &str, report: &mut Report<Position>) {
    for item in options.as_list().unwrap_or_default() {
        let option = item.key.as_deref().unwrap_or_default();
        let known = ["host", "port", "proto", "type", "subproto", "origins"];
        if !known.contains(&option) {
            report.without(&item.at, format!("{what} {option}"), "is not known to mod_websocket either");
        }
        if is_proxy(options) && matches!(option, "type" | "subproto") {
            let note = "has no effect beside proto = \"websocket\", as there";
            report.note(&item.at, format!("{what} {option}"), note);
        } else if option == "subproto" {
            let name = item.value.as_text().unwrap_or_default();
            if let Err(why) = config::check_subprotocol(name) {
                report.without(&item.at, format!("{what} {option}"), format!("{name:?} {why}"));
            }
        }
    }
}

fn text<'v>(options: &'v Value, option: &str) -> Option<&'v str> {
    options.entry(option)?.value.as_text()
}

fn number(setting: Option<&Setting>, name: &str, default: u64, report: &mut Report<Position>) -> u64 {
    let Some(setting) = setting else { return default };
    match setting.value.as_number() {
        Some(number) => {
            report.translated(&setting.at, name);
            number
        }
        None => {
            report.without(
                &setting.at,
                name,
                format!("is no number of seconds; the default, {default}, is taken"),
            );
            default
        }
    }
}

fn not_list(value: &Value) -> String {
    match value {
        Value::Unknown(why) => format!("its value is not known: {why}"),
        Value::Text(_) | Value::Number(_) | Value::List(_) => "is no list of routes".to_owned(),
    }
}

const SERVER: &str = "websocket.server";
pub(super) const TIMEOUT: &str = "websocket.timeout";
pub(super) const PING_INTERVAL: &str = "websocket.ping_interval";
/// In seconds.
const TIMEOUT_DEFAULT: u64 = 30;
