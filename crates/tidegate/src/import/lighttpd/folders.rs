//! `server.document-root` and what goes with it: files.

use std::borrow::Cow;

use super::position::Position;
use super::route;
use super::scopes::Situation;
use crate::import::document::Table;
use crate::import::report::Report;

/// What can be set anew for a part of the requests.
pub(super) const DIRECTIVES: &[&str] = &[ROOT, INDEX, LISTING, LISTING_OLD];

/// The route of one situation, if there are files in it.
pub(super) fn routes(situation: &Situation<'_>, report: &mut Report<Position>) -> Vec<Table> {
    let Some(root) = situation.setting(ROOT) else { return Vec::new() };
    let Some(folder) = root.value.as_text().filter(|folder| !folder.is_empty()) else {
        report.without(&root.at, ROOT, "its value is not known");
        return Vec::new();
    };
    match std::fs::metadata(folder) {
        Ok(found) if found.is_dir() => report.translated(&root.at, ROOT),
        _ => {
            let note =
                format!("{folder} is no folder that can be read here: until it is, tidegate check says so");
            report.note(&root.at, ROOT, note);
        }
    }
    index(situation, report);
    let listing = [LISTING, LISTING_OLD].iter().find_map(|name| {
        let setting = situation.setting(name)?;
        report.translated(&setting.at, *name);
        Some(setting.value.is_enabled())
    });
    let tables = route::tables(&situation.scope, &situation.scope.paths, &format!("{} {ROOT}", root.at));
    let complete = |table: Table| {
        table
            .with("backend", format!("file:{}", one_slash(folder)))
            .with_some("listing", listing.filter(|listing| *listing))
    };
    tables.into_iter().map(complete).collect()
}

/// A path with one slash in front, where there were several: what follows two would be read as the host of a URL.
pub(super) fn one_slash(path: &str) -> Cow<'_, str> {
    if path.starts_with("//") { format!("/{}", path.trim_start_matches('/')).into() } else { path.into() }
}

/// Only one name is looked for in a folder.
fn index(situation: &Situation<'_>, report: &mut Report<Position>) {
    let Some(setting) = situation.setting(INDEX) else { return };
    let is_all = |item: &super::value::Item| item.value.as_text() == Some("index.html");
    if setting.value.as_list().is_some_and(|names| names.iter().all(is_all)) {
        report.translated(&setting.at, INDEX);
    } else {
        report.note(&setting.at, INDEX, "a folder is shown as its index.html, and by no other name");
    }
}

const ROOT: &str = "server.document-root";
const INDEX: &str = "index-file.names";
const LISTING: &str = "dir-listing.activate";
const LISTING_OLD: &str = "server.dir-listing";
