//! lighttpd's configuration, and what its WebSocket modules made of it.
//!
//! The files are read with the language's own rules (`lexer`, `parser`, `contexts`); conditions become sets of hosts and
//! paths, and where they overlap, situations of their own (`scopes`). Each module then says which routes a situation
//! comes to. A route that is narrower stands before one that is wider, as the first match wins.

mod backends;
mod contexts;
mod files;
mod folders;
mod guards;
mod hosts;
mod lexer;
mod listeners;
mod origins;
mod others;
mod parser;
mod paths;
mod position;
mod proxy;
mod route;
mod scopes;
mod value;
mod websocket;
mod wstunnel;

use std::path::Path;

use self::contexts::{Assignment, Context, Contexts};
use self::files::Files;
use self::guards::Guards;
use self::others::Verdict;
use self::position::Position;
use self::scopes::Situation;
use self::value::Value;
use super::document::{Document, Table};
use super::report::Report;

/// What became of a configuration of lighttpd.
pub(super) struct Imported {
    pub(super) document: Document,
    pub(super) report: String,
    /// Something has no equivalent.
    pub(super) is_incomplete: bool,
}

/// Translates a configuration and all files that it includes.
///
/// # Errors
/// The place of what lighttpd itself could not read, and what was expected there; or that it comes to more routes than
/// the gateway takes.
pub(super) fn import(file: &Path) -> Result<Imported, String> {
    let mut report = Report::new();
    let contexts = parser::read(&mut Files::new(file), &mut report).map_err(|error| error.to_string())?;
    let listeners = listeners::translate(&contexts, &mut report);
    let scopes = scopes::scopes(&contexts, &listeners.doors, &mut report);
    let guards = Guards::of(&contexts, &scopes, &listeners.doors);
    let situations = scopes::situations(&contexts, &scopes);
    websocket::globals(contexts.all(), &mut report);
    let mut document = Document { listeners: listeners.tables, ..Document::default() };
    for (index, situation) in situations.iter().enumerate() {
        let broader = situations[index + 1..].iter().find(|other| situation.is_within(other));
        for module in &MODULES {
            let own = situation.fingerprint(module.directives);
            // Where nothing is different from the whole that this is a part of, its routes will do.
            if broader.is_none_or(|broader| broader.fingerprint(module.directives) != own) {
                let routes = (module.routes)(situation, contexts.global(), &mut report);
                document.routes.extend(guards.hold(&situation.scope, module.serves_files, routes));
                if document.routes.len() > ROUTES_MAX {
                    return Err(format!("{}: comes to more than {ROUTES_MAX} routes", file.display()));
                }
            }
        }
    }
    conclude(&contexts, &mut report);
    Ok(Imported { document, is_incomplete: report.is_incomplete(), report: report.to_string() })
}

/// As many as the gateway takes.
const ROUTES_MAX: usize = 4096;

/// A module of lighttpd that answers requests.
struct Module {
    directives: &'static [&'static str],
    routes: fn(&Situation<'_>, &Context, &mut Report<Position>) -> Vec<Table>,
    serves_files: bool,
}

/// In the order in which a request meets them.
const MODULES: [Module; 4] = [
    Module { directives: websocket::DIRECTIVES, routes: websocket::routes, serves_files: false },
    Module {
        directives: wstunnel::DIRECTIVES,
        routes: |situation, _, report| wstunnel::routes(situation, report),
        serves_files: false,
    },
    Module {
        directives: proxy::DIRECTIVES,
        routes: |situation, _, report| proxy::routes(situation, report),
        serves_files: false,
    },
    Module {
        directives: folders::DIRECTIVES,
        routes: |situation, _, report| folders::routes(situation, report),
        serves_files: true,
    },
];

/// Says what has become of the directives that nobody has said anything about yet.
fn conclude(contexts: &Contexts, report: &mut Report<Position>) {
    for context in contexts.all() {
        for (name, setting) in &context.settings {
            for (earlier, then) in &setting.before {
                match then {
                    Assignment::Set => {
                        let note = format!("is set again, up to {}", setting.at);
                        report.note(earlier, name, note);
                    }
                    Assignment::Append => report.translated(earlier, name),
                }
            }
            if report.knows(&setting.at, name) {
                continue;
            }
            let is_module = MODULES.iter().any(|module| module.directives.contains(&name.as_str()));
            let is_of_websocket = [websocket::TIMEOUT, websocket::PING_INTERVAL].contains(&name.as_str());
            if let Value::Unknown(why) = &setting.value {
                report.without(&setting.at, name, format!("its value is not known: {why}"));
            } else if is_module && context.parent.is_none() || is_of_websocket {
                report.note(&setting.at, name, "there is nothing that it could be for: left out");
            } else if is_module || listeners::is_of_listeners(name, context) {
                let why = "nothing is made of it: it stands under a condition that cannot be told, or beside nothing \
                           that it could be for";
                report.without(&setting.at, name, why);
            } else {
                match others::verdict(name) {
                    Verdict::Note(note) => report.note(&setting.at, name, note),
                    Verdict::Without(why) => report.without(&setting.at, name, why),
                }
            }
        }
    }
    report.close();
}
