//! Files that are for the gateway alone, below folders that are served to everybody.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::report::Report;
use super::route;
use super::served_names::listed;
use crate::config::Backend;
use crate::config::diagnostic::quoted;

/// A file that nobody else is to read: a secret, or what is written about clients.
#[derive(Debug)]
pub(super) struct Guarded {
    path: PathBuf,
    /// The key that names it, with its table.
    owner: String,
}

impl Guarded {
    pub(super) fn new(path: &Path, owner: String) -> Self {
        Self { path: path.to_owned(), owner }
    }
}

/// Folders with such a file in them, the configuration itself among them. A link out of a folder leads nobody out.
pub(super) fn check(report: &mut Report<'_>, routes: &[route::Draft]) {
    let folders: Vec<_> = routes.iter().filter_map(served).collect();
    if folders.is_empty() {
        return;
    }
    let guarded: Vec<_> = report.take_guarded().into_iter().filter_map(located).collect();
    for (draft, backend, folder) in folders {
        let mut seen = BTreeSet::new();
        let within = guarded.iter().filter_map(|(path, owner)| {
            let name = path.strip_prefix(&folder).ok().filter(|name| seen.insert(*name))?;
            Some(format!("{} ({owner})", quoted(&name.display().to_string())))
        });
        let within: Vec<String> = within.collect();
        let Some(route) = draft.route.as_ref().filter(|_| !within.is_empty()) else { continue };
        let message =
            format!("route {}: backend {backend} would serve {}", quoted(&route.name), listed(within));
        let remedy = "give what everybody may see a folder of its own, and name that";
        report.error(&draft.backend, message, remedy.to_owned());
    }
}

/// The folder that a route serves, as the system calls it.
fn served(draft: &route::Draft) -> Option<(&route::Draft, &Backend, PathBuf)> {
    let backend = draft.route.as_ref()?.backends.first()?;
    let Backend::File(folder) = backend else { return None };
    Some((draft, backend, folder.path.canonicalize().ok()?))
}

/// The same of a file, which may be still to come. Without its folder it is nowhere.
fn located(Guarded { path, owner }: Guarded) -> Option<(PathBuf, String)> {
    let located = path.canonicalize().ok().or_else(|| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(folder.canonicalize().ok()?.join(path.file_name()?))
    });
    Some((located?, owner))
}
