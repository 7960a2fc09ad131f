//! Turns a file, the command line, or both into a `Config`, and finds everything that is wrong with them.
//!
//! Nothing stops at the first error: broken syntax is stepped over, every key of every table is read, and what
//! tables have to do with each other is compared at the end.

mod address;
mod admin;
mod auth;
mod authority;
mod backend;
mod certificate;
mod cross;
mod effect;
mod files;
mod flags;
mod found;
mod guarded;
mod handoff;
mod keys;
mod listener;
mod lookup;
mod needless;
mod numbers;
mod origin;
mod own;
mod pattern;
mod proxy;
mod reach;
mod rebinding;
mod record;
mod reference;
mod report;
mod route;
mod section;
mod served_names;
mod suggest;
mod syntax;
mod top;

use std::io::{self, Read as _};
use std::path::Path;

use toml::de::{DeTable, DeValue};

use self::flags::{FlagTable, listener_table};
use self::found::describe;
use self::keys::Place;
use self::report::{Report, Spot};
use self::section::{Layer, Section};
use super::diagnostic::Diagnostic;
use super::{AdminPlace, Config, builtin};
use crate::named_file;

pub(crate) use self::address::check_address;
pub(crate) use self::backend::check_backend;
pub(super) use self::backend::{takes_requests, takes_upgrades};
pub use self::flags::Overrides;
pub(super) use self::lookup::source as lookup_source;
pub(super) use self::pattern::without_anchors;
pub(crate) use self::pattern::{check_host, check_path};
pub(crate) use self::reference::{Chapter, Row, chapters};
pub(crate) use self::route::check_subprotocol;
pub(crate) use self::suggest::in_place_of_flag;

/// What came of checking a configuration.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The configuration; `None` exactly if a diagnostic is an error.
    pub config: Option<Config>,
    /// Everything found: flags first, then the file by line and column.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a file that is to be checked, as long as one may be.
///
/// # Errors
/// What the system says; that it is longer, or no text.
pub(crate) fn read(file: &Path) -> io::Result<String> {
    let mut text = Vec::new();
    named_file::open(file)?.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut text)?;
    if text.len() > FILE_BYTES_MAX {
        let problem = format!("it has more than {FILE_BYTES_MAX} bytes, and is no configuration");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
    }
    String::from_utf8(text).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

/// Checks the text of a file, with the command line on top of it.
///
/// Relative paths in the text start at the folder of `file`, which is not read.
pub fn parse(text: &str, file: &Path, overrides: &Overrides) -> Checked {
    check(text, file, overrides, true)
}

/// `is_file`: the text is the operator's, and not ours.
fn check(text: &str, file: &Path, overrides: &Overrides, is_file: bool) -> Checked {
    if text.len() > FILE_BYTES_MAX {
        return too_large(text, file);
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut report = Report::new(file, text);
    syntax::report(&errors, text, &mut report);
    if is_file && file.exists() {
        report.guard(file, "this file".to_owned());
    }
    let given = Given {
        admin: overrides.admin_table(),
        listeners: overrides.listener_tables(),
        tls: overrides.tls_table(&mut report),
        routes: overrides.route_tables(&mut report),
        any_route: !overrides.routes.is_empty(),
        default_listener: listener_table(builtin::DEFAULT_LISTEN),
    };
    let source = Source { table: table.get_ref(), folder: file.parent().unwrap_or(Path::new("")) };
    let mut config = read_top(&mut report, &source, &given, overrides);
    let listeners = read_listeners(&mut report, &source, &given);
    let mut routes = read_routes(&mut report, &source, &given);
    let is_default = given.listeners.is_empty() && !source.table.contains_key("listener");
    let admin = config.admin.as_ref().map(|admin| (admin, admin_spot(&source, &given)));
    cross::listeners(&mut report, &listeners, is_default, admin.as_ref());
    cross::name(&mut routes);
    cross::routes(&mut report, &routes);
    cross::hosts(&mut report, &listeners, &routes);
    cross::handoffs(&mut report, &listeners, &routes);
    cross::client_certificates(&mut report, &listeners, &routes);
    own::check(&mut report, &listeners, config.admin.as_ref(), &routes);
    guarded::check(&mut report, &routes);
    if !report.has_errors() {
        // With an error there may be a host or an origin that was not understood.
        let known: Vec<_> = routes.iter().filter_map(|draft| draft.route.as_ref()).collect();
        served_names::check(&mut report, &listeners, &known);
        cross::passwords(&mut report, &listeners, &routes);
        if is_file || given.any_route {
            rebinding::warn(&mut report, &listeners, &routes, is_default);
        }
    }
    config.listeners = listeners.into_iter().filter_map(|draft| draft.listener).collect();
    config.routes = routes.into_iter().filter_map(|draft| draft.route).collect();
    let config = (!report.has_errors()).then_some(config);
    Checked { config, diagnostics: report.into_diagnostics() }
}

/// Where the admin listener of a file is, if it has one. Nothing else in the file is looked at: whoever asks a gateway that
/// runs need not be able to start one.
///
/// # Errors
/// What is wrong, if that keeps the place from being known.
pub(crate) fn admin_place(text: &str, file: &Path) -> Result<Option<AdminPlace>, Vec<Diagnostic>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut report = Report::new(file, text);
    syntax::report(&errors, text, &mut report);
    let folder = file.parent().unwrap_or(Path::new(""));
    let layer = Layer { table: table.get_ref(), flag: None, start: 0, folder };
    let place = admin::place(&mut Section::new(&mut report, Place::Top, "", vec![layer]));
    if place.is_none() && report.has_errors() { Err(report.into_diagnostics()) } else { Ok(place) }
}

/// Checks the command line alone. Without any `--route` it serves the routes of the embedded default.
pub fn from_routes(overrides: &Overrides) -> Checked {
    if !overrides.routes.is_empty() {
        return from_text("", overrides);
    }
    let mut checked = from_text(builtin::TEXT, overrides);
    if let Some(config) = &mut checked.config {
        builtin::add_pages(config);
    }
    checked
}

/// Checks the command line on top of a text of our own.
pub(super) fn from_text(text: &str, overrides: &Overrides) -> Checked {
    check(text, Path::new("(command line)"), overrides, false)
}

/// The tables of the file.
struct Source<'t> {
    table: &'t DeTable<'t>,
    folder: &'t Path,
}

/// What is given beside the file.
struct Given {
    admin: Option<FlagTable>,
    listeners: Vec<FlagTable>,
    tls: Option<FlagTable>,
    routes: Vec<FlagTable>,
    /// Is there a `--route`, even one that cannot be read?
    any_route: bool,
    default_listener: FlagTable,
}

/// Where the address of the admin listener stands.
fn admin_spot(source: &Source<'_>, given: &Given) -> Spot {
    let in_file = || source.table.get("admin").map_or(0, |value| value.span().start);
    given.admin.as_ref().map_or_else(|| Spot::Offset(in_file()), FlagTable::spot)
}

fn read_top<'t>(
    report: &mut Report<'t>,
    source: &Source<'t>,
    given: &'t Given,
    overrides: &Overrides,
) -> Config {
    let file = Layer { table: source.table, flag: None, start: 0, folder: source.folder };
    let layers = given.admin.iter().map(FlagTable::layer).chain([file]).collect();
    let mut section = Section::new(report, Place::Top, "", layers);
    let mut config = top::read(&mut section);
    if let Some(workers) = overrides.workers {
        config.workers = top::workers(&mut section, workers);
    }
    config
}

fn read_listeners<'t>(
    report: &mut Report<'t>,
    source: &Source<'t>,
    given: &'t Given,
) -> Vec<listener::Draft> {
    let tls = || given.tls.iter().map(FlagTable::layer);
    let of_flag = |flag: &'t FlagTable| tls().chain([flag.layer()]).collect::<Vec<_>>();
    let sections: Vec<Vec<Layer<'t>>> = if !given.listeners.is_empty() {
        given.listeners.iter().map(of_flag).collect()
    } else if source.table.contains_key("listener") {
        if let Some(tls) = &given.tls {
            let message = "belongs to no listener: those of the file have their own certificates".to_owned();
            report.error(&tls.spot(), message, "add --listen ADDR".to_owned());
        }
        tables(report, source, "listener").into_iter().map(|layer| vec![layer]).collect()
    } else {
        vec![of_flag(&given.default_listener)]
    };
    let mut drafts = Vec::new();
    for (index, layers) in sections.into_iter().enumerate() {
        let title = format!("listener {}", index + 1);
        drafts.push(listener::read(&mut Section::new(report, Place::Listener, &title, layers)));
    }
    drafts
}

fn read_routes<'t>(report: &mut Report<'t>, source: &Source<'t>, given: &'t Given) -> Vec<route::Draft> {
    let flags = given.routes.iter().map(FlagTable::layer);
    let layers: Vec<Layer<'t>> = flags.chain(tables(report, source, "route")).collect();
    let is_written = |table: &DeTable<'_>| {
        table.iter().any(|(key, _)| {
            let key = key.get_ref();
            key == "route" || suggest::is_meant(key, "route") // a slip is told as such, and not as an absence
        })
    };
    if layers.is_empty() && !given.any_route && !is_written(source.table) {
        let remedy =
            "write [[route]] with path = \"/vnc\" and backend = \"tcp://127.0.0.1:5900\", or give --route";
        report.missing(&Spot::Offset(0), "no route is set".to_owned(), remedy.to_owned());
    }
    let mut drafts = Vec::new();
    for (index, layer) in layers.into_iter().enumerate() {
        let title = format!("route {}", index + 1);
        drafts.push(route::read(&mut Section::new(report, Place::Route, &title, vec![layer])));
    }
    drafts
}

/// The tables under `[[name]]`.
fn tables<'t>(report: &mut Report<'t>, source: &Source<'t>, name: &str) -> Vec<Layer<'t>> {
    let Some(found) = source.table.get(name) else {
        return Vec::new();
    };
    let layer = |table, start| Layer { table, flag: None, start, folder: source.folder };
    let spot = Spot::Offset(found.span().start);
    let remedy = format!("write [[{name}]] and its keys below it");
    match found.get_ref() {
        DeValue::Array(items) if items.is_empty() => {
            report.error(&spot, format!("{name} is an empty list"), remedy);
            Vec::new()
        }
        DeValue::Array(items) if items.len() > TABLES_MAX => {
            report.error(
                &spot,
                format!("{} {name}s are set", items.len()),
                format!("write at most {TABLES_MAX}"),
            );
            Vec::new()
        }
        DeValue::Array(items) => {
            let mut layers = Vec::new();
            for item in items.iter() {
                if let Some(table) = item.get_ref().as_table() {
                    layers.push(layer(table, item.span().start));
                } else {
                    let message = format!("{name} lists {}", describe(item.get_ref()));
                    report.error(&Spot::Offset(item.span().start), message, remedy.clone());
                }
            }
            layers
        }
        DeValue::Table(table) => {
            let message = format!("[{name}] stands in single brackets");
            report.error(&spot, message, format!("write [[{name}]]: there may be several"));
            vec![layer(table, found.span().start)]
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => {
            report.error(&spot, format!("{name} is {}", describe(found.get_ref())), remedy);
            Vec::new()
        }
    }
}

fn too_large(text: &str, file: &Path) -> Checked {
    let mut report = Report::new(file, "");
    let message = format!("the file has {} bytes", text.len());
    report.error(&Spot::Offset(0), message, format!("write at most {FILE_BYTES_MAX}"));
    Checked { config: None, diagnostics: report.into_diagnostics() }
}

/// Far beyond any configuration written by hand, and read in a moment.
pub(crate) const FILE_BYTES_MAX: usize = 1 << 20;
/// Routes are looked through one by one.
const TABLES_MAX: usize = 4096;

#[cfg(test)]
mod tests;
