//! Access rules. None has an equivalent, and nothing may stand open for that reason alone: a route that one of them
//! could have guarded is printed as a comment, for the reader to decide.

use super::contexts::{Contexts, Setting};
use super::position::Position;
use super::scopes::Scope;
use super::value::Value;
use crate::import::document::Table;

/// All access rules, and the requests that each is about.
#[derive(Debug)]
pub(super) struct Guards(Vec<Guard>);

#[derive(Debug)]
struct Guard {
    name: &'static str,
    at: Position,
    scope: Scope,
    /// It denies endings of names, such as those of copies that an editor leaves: only files have them.
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
            let set = RULES.iter().filter_map(move |name| Some((*name, settings.get(*name)?)));
            set.filter(|(_, setting)| guards_anything(&setting.value)).map(move |(name, setting)| Guard {
                name,
                at: setting.at.clone(),
                scope: told(index),
                is_of_files: name == DENY && is_of_endings(setting),
            })
        };
        Self((0..contexts.all().len()).flat_map(of_context).collect())
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
        Value::Text(_) | Value::Number(_) => value.is_enabled(),
        Value::Unknown(_) => true,
    }
}

/// An empty ending is that of every name.
fn is_of_endings(setting: &Setting) -> bool {
    let is_ending = |value: &Value| value.as_text().is_some_and(|ending| !ending.is_empty());
    setting.value.as_list().is_some_and(|items| items.iter().all(|item| is_ending(&item.value)))
}

const DENY: &str = "url.access-deny";
const RULES: [&str; 5] =
    ["auth.require", "url.access-allow", DENY, "ssl.verifyclient.activate", "ssl.verifyclient.enforce"];
