//! What all translated routes have in common.

use super::backends::Backends;
use super::paths::{Common, Paths};
use super::position::Position;
use super::scopes::{Scope, Situation};
use super::value::Value;
use crate::import::document::{Table, Toml};
use crate::import::report::Report;

/// One table for each host of the scope, with `host` and `path` set.
pub(super) fn tables(scope: &Scope, paths: &Paths, comment: &str) -> Vec<Table> {
    let table = |host: Option<&String>| {
        Table::new(comment).with_some("host", host.cloned()).with("path", paths.to_string())
    };
    match &scope.hosts {
        None => vec![table(None)],
        Some(hosts) => hosts.names().iter().map(|host| table(Some(host))).collect(),
    }
}

/// The paths that an entry is about, within the scope that it stands in. `None`: there are none, or they cannot be said.
pub(super) fn paths(
    scope: &Scope,
    own: &Paths,
    at: &Position,
    what: &str,
    report: &mut Report<Position>,
) -> Option<Paths> {
    match scope.paths.and(own) {
        Common::Paths(paths) => match paths.check() {
            Ok(()) => Some(paths),
            Err(why) => {
                report.without(at, what, format!("its path, {:?}, {why}", paths.to_string()));
                None
            }
        },
        Common::Nothing => {
            report.note_otherwise(
                at,
                what,
                "matches nothing under the condition that it stands in: left out",
            );
            None
        }
        Common::Unknown => {
            let why = "this pattern and the condition for the path that it stands in cannot be made one";
            report.without(at, what, why);
            None
        }
    }
}

/// How pings and silence end a connection.
///
/// There, whatever comes from the client counts as a sign of life, answers to pings too; here they do not count for
/// `idle_timeout`. So where pings are sent, it is the unanswered ping that ends the connection.
pub(super) fn timers(table: Table, ping: u64, idle: u64) -> Table {
    let ping = ping.min(PING_MAX);
    match (ping, idle.min(IDLE_MAX)) {
        (ping, idle) if ping > 0 && (idle == 0 || ping < idle) => table
            .with("ping_interval", duration(ping))
            .with("ping_timeout", duration(idle.min(PING_MAX)))
            .with("idle_timeout", duration(0)),
        (_, idle) => table.with("ping_interval", duration(0)).with("idle_timeout", duration(idle)),
    }
}

/// A number of seconds; 0 is never.
fn duration(seconds: u64) -> Toml {
    if seconds == 0 { Toml::Number(0) } else { format!("{seconds}s").into() }
}

/// Neither module has a limit for frames, and payload is passed on as it comes.
pub(super) fn unlimited_frames(table: Table) -> Table {
    table.with("max_frame", UNLIMITED)
}

/// The same where messages have a meaning.
pub(super) fn unlimited_messages(table: Table) -> Table {
    unlimited_frames(table).with("max_message", UNLIMITED).with("max_fragments", FRAGMENTS)
}

/// One backend; or a list, and how it is balanced.
pub(super) fn backend(table: Table, backends: &Backends, balance: &'static str) -> Table {
    let table = match backends.urls.as_slice() {
        [only] => table.with("backend", only.as_str()),
        several => table
            .with("backend", several.to_vec())
            .with("balance", balance)
            .with("disable_time", duration(backends.disable_time)),
    };
    table.with("connect_timeout", duration(backends.connect_timeout))
}

/// The rule for several hosts; those of lighttpd are ours, under other names.
pub(super) fn balance(situation: &Situation<'_>, name: &str, report: &mut Report<Position>) -> &'static str {
    let Some(setting) = situation.setting(name) else { return LEAST };
    let rule = match setting.value.as_text() {
        Some("least-connection" | "fair") => LEAST,
        Some("round-robin") => "round-robin",
        Some("hash") => "hash",
        Some("sticky") => "sticky",
        Some(_) | None => {
            report.note(&setting.at, name, "is no rule there either: the least connections count");
            return LEAST;
        }
    };
    report.translated(&setting.at, name);
    rule
}

/// A number of seconds that is set in this situation.
pub(super) fn seconds(
    situation: &Situation<'_>,
    name: &str,
    default: u64,
    report: &mut Report<Position>,
) -> u64 {
    let Some(setting) = situation.setting(name) else { return default };
    match setting.value.as_number() {
        Some(seconds) => {
            report.translated(&setting.at, name);
            seconds
        }
        None => {
            report.without(
                &setting.at,
                name,
                format!("{}; the default, {default}, is taken", not_number(&setting.value)),
            );
            default
        }
    }
}

fn not_number(value: &Value) -> String {
    match value {
        Value::Unknown(why) => format!("its value is not known: {why}"),
        Value::Text(_) | Value::Number(_) | Value::List(_) => "is no number of seconds".to_owned(),
    }
}

/// How long lighttpd waits for a byte of a client, in whatever module.
pub(super) const READ_IDLE: &str = "server.max-read-idle";
pub(super) const READ_IDLE_DEFAULT: u64 = 60;
/// The greatest that the gateway takes, in seconds: a day, and thirty.
const PING_MAX: u64 = 24 * 60 * 60;
const IDLE_MAX: u64 = 30 * PING_MAX;
const LEAST: &str = "least-connections";
const UNLIMITED: &str = "1TiB";
const FRAGMENTS: u64 = 1_000_000_000;
