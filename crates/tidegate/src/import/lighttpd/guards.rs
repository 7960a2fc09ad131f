//! Access rules. None has an equivalent, and nothing may stand open for that reason alone: a route that one of them
//! could have guarded is printed as a comment, for the reader to decide. So are files among which there are programs.

use super::contexts::{Contexts, Setting};
use super::position::Position;
use super::scopes::Scope;
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
    /// It concerns nothing but files.
    is_of_files: bool,
}

impl Guards {
    /// `scopes` are those of the contexts. Where one cannot be told, the rule may be about all that is around it.
    pub(super) fn of(contexts: &Contexts, scopes: &[Option<Scope>]) -> Self {
        let told = |mut index: usize| loop {
            match (&scopes[index], contexts.all()[index].parent) {
                (Some(scope), _) => break scope.clone(),
                (None, Some(parent)) => index = parent,
                (None, None) => break Scope::ALL,
            }
        };
        let of_context = |index: usize| {
            let settings = &contexts.all()[index].settings;
            let set = RULES.iter().filter_map(move |(name, of)| Some((*name, *of, settings.get(*name)?)));
            set.filter(|(.., setting)| guards_anything(&setting.value)).map(move |(name, of, setting)| {
                Guard {
                    name,
                    at: setting.at.clone(),
                    scope: told(index),
                    is_of_files: match of {
                        Of::Everything => false,
                        Of::Files => true,
                        Of::FilesIfEndings => is_of_endings(setting),
                    },
                }
            })
        };
        let unread = contexts.unread().iter().map(|(context, at)| Guard {
            name: "what this include may say",
            at: at.clone(),
            scope: told(*context),
            is_of_files: false,
        });
        Self((0..contexts.all().len()).flat_map(of_context).chain(unread).collect())
    }

    /// The routes of this scope, as comments if any of their requests may be guarded. A rule for a part of them counts
    /// for the whole: what is left open there would be open to everybody.
    pub(super) fn hold(&self, scope: &Scope, are_files: bool, routes: Vec<Table>) -> Vec<Table> {
        let guard = self.0.iter().find(|guard| (are_files || !guard.is_of_files) && guard.scope.meets(scope));
        let Some(Guard { name, at, .. }) = guard else { return routes };
        let why = format!(
            "LEFT OUT: {name} at {at} guards it, or a part of it. See [route.auth], and what is to be open"
        );
        routes.into_iter().map(|route| route.left_out(why.clone())).collect()
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

/// What a rule concerns.
#[derive(Debug, Clone, Copy)]
enum Of {
    Everything,
    Files,
    /// Files, where it is about the endings of their names.
    FilesIfEndings,
}

/// What guards, and what is run or kept there and would be handed out as it is here.
const RULES: &[(&str, Of)] = &[
    ("auth.require", Of::Everything),
    ("url.access-allow", Of::Everything),
    ("url.access-deny", Of::FilesIfEndings),
    ("ssl.verifyclient.activate", Of::Everything),
    ("ssl.verifyclient.enforce", Of::Everything),
    ("static-file.exclude-extensions", Of::Files),
    ("fastcgi.server", Of::Files),
    ("scgi.server", Of::Files),
    ("cgi.assign", Of::Files),
];
