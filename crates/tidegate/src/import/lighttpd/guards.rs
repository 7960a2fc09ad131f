//! Access rules. None has an equivalent, and nothing may stand open for that reason alone: a route that one of them
//! could have guarded is printed as a comment, for the reader to decide. So are files among which there are programs.

use super::contexts::{Contexts, Setting};
use super::paths::Paths;
use super::position::Position;
use super::scopes::{Doors, Scope, exceptions};
use super::value::{Item, Value};
use crate::import::document::Table;

/// All access rules, and the requests that each is about.
#[derive(Debug)]
pub(super) struct Guards(Vec<Guard>);

#[derive(Debug)]
struct Guard {
    name: &'static str,
    at: Position,
    scope: Scope,
    /// What it is not about, although its scope may say so.
    exceptions: Vec<Scope>,
    /// It concerns nothing but files.
    is_of_files: bool,
}

impl Guards {
    /// `scopes` are those of the contexts. Where one cannot be told, the rule may be about all that is around it.
    pub(super) fn of(contexts: &Contexts, scopes: &[Option<Scope>], doors: &Doors) -> Self {
        let told = |mut index: usize| loop {
            match (&scopes[index], contexts.all()[index].parent) {
                (Some(scope), _) => break scope.clone(),
                (None, Some(parent)) => index = parent,
                (None, None) => break Scope::ALL,
            }
        };
        let excepted = |index| exceptions(contexts, index, scopes, doors);
        let folds_case = contexts.all().iter().any(|context| context.settings.contains_key(FOLDS_CASE));
        let of_context = |index: usize| {
            let settings = &contexts.all()[index].settings;
            let set = RULES.iter().filter_map(move |(name, of)| Some((*name, *of, settings.get(*name)?)));
            set.filter(|(.., setting)| guards_anything(&setting.value)).flat_map(
                move |(name, of, setting)| {
                    let is_of_files = match of {
                        Of::Everything | Of::PathsBelow => false,
                        Of::Files => true,
                        Of::FilesIfEndings => is_of_endings(setting),
                    };
                    let scopes = match of {
                        Of::PathsBelow if !folds_case => below(setting, &told(index)),
                        Of::Everything | Of::PathsBelow | Of::Files | Of::FilesIfEndings => vec![told(index)],
                    };
                    scopes.into_iter().map(move |scope| Guard {
                        name,
                        at: setting.at.clone(),
                        scope,
                        exceptions: excepted(index),
                        is_of_files,
                    })
                },
            )
        };
        let unread = contexts.unread().iter().map(|(context, at)| Guard {
            name: "what this include may say",
            at: at.clone(),
            scope: told(*context),
            exceptions: excepted(*context),
            is_of_files: false,
        });
        Self((0..contexts.all().len()).flat_map(of_context).chain(unread).collect())
    }

    /// The routes of this scope, as comments where any of their requests may be guarded. A rule for a part of a route
    /// counts for the whole: what is left open there would be open to everybody.
    pub(super) fn hold(&self, scope: &Scope, are_files: bool, routes: Vec<Table>) -> Vec<Table> {
        let held = |route: Table| {
            let paths = route.text("path").map_or(Paths::All, Paths::of_route);
            let served = Scope { hosts: scope.hosts.clone(), paths };
            let concerns = |guard: &&Guard| (are_files || !guard.is_of_files) && guard.may_be_about(&served);
            let Some(Guard { name, at, .. }) = self.0.iter().find(concerns) else { return route };
            let why = format!(
                "LEFT OUT: {name} at {at} guards it, or a part of it. See [route.auth], and what is to be open"
            );
            route.left_out(why)
        };
        routes.into_iter().map(held).collect()
    }
}

impl Guard {
    /// Whether any of these requests may be guarded.
    fn may_be_about(&self, served: &Scope) -> bool {
        self.scope.meets(served) && !self.exceptions.iter().any(|exception| served.is_within(exception))
    }
}

/// Whether a rule with this value keeps anybody out. What is not known may.
fn guards_anything(value: &Value) -> bool {
    match value {
        Value::List(items) => !items.is_empty(),
        Value::Text(_) | Value::Number(_) | Value::Unknown(_) => !value.is_disabled(),
    }
}

/// Endings of file names. There they are compared with the whole path, whatever answers: an empty one is that of every
/// path, and one with a slash names places and no files.
fn is_of_endings(setting: &Setting) -> bool {
    let is_ending = |ending: &str| ending == "~" || ending.starts_with('.') && !ending.contains('/');
    let all = |items: &[Item]| items.iter().all(|item| item.value.as_text().is_some_and(is_ending));
    setting.value.as_list().is_some_and(all)
}

/// What lies below the keys of a rule, within what its block is about; all of that, where a key is no path.
fn below(setting: &Setting, around: &Scope) -> Vec<Scope> {
    let start = |item: &Item| {
        let start = item.key.as_deref().filter(|key| key.starts_with('/'))?;
        Some(Scope { paths: Paths::of_start(start), ..Scope::ALL })
    };
    let starts: Option<Vec<_>> = setting.value.as_list().and_then(|items| items.iter().map(start).collect());
    let Some(starts) = starts else { return vec![around.clone()] };
    // What the two have in common may be more than a scope can say, and then it is a part of the second.
    starts.into_iter().filter_map(|start| around.and(&start).unwrap_or(Some(start))).collect()
}

/// What a rule concerns.
#[derive(Debug, Clone, Copy)]
enum Of {
    Everything,
    /// What lies below the paths that are its keys.
    PathsBelow,
    Files,
    /// Files, where it is about the endings of their names.
    FilesIfEndings,
}

/// Then paths are compared without their case, which routes cannot do.
const FOLDS_CASE: &str = "server.force-lowercase-filenames";

/// What guards, and what is run or kept there and would be handed out as it is here.
const RULES: &[(&str, Of)] = &[
    ("auth.require", Of::PathsBelow),
    ("magnet.attract-raw-url-to", Of::Everything),
    ("magnet.attract-physical-path-to", Of::Everything),
    ("url.access-allow", Of::Everything),
    ("url.access-deny", Of::FilesIfEndings),
    ("ssl.verifyclient.activate", Of::Everything),
    ("ssl.verifyclient.enforce", Of::Everything),
    ("static-file.exclude-extensions", Of::Files),
    ("fastcgi.server", Of::Files),
    ("scgi.server", Of::Files),
    ("cgi.assign", Of::Files),
    ("uwsgi.server", Of::Files),
    ("ajp13.server", Of::Files),
    ("ssi.extension", Of::Files),
    ("cml.extension", Of::Files),
    ("webdav.activate", Of::Files),
    ("magnet.attract-response-start-to", Of::Everything),
    ("trigger-before-download.deny-url", Of::Everything),
];
