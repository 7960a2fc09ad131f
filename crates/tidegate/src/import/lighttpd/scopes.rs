//! Conditions as what routes can ask for, and what is in force where several of them are true.

use super::contexts::{Condition, Contexts, ELSE, Setting};
use super::hosts::Hosts;
use super::paths::{Anchor, Common, Paths};
use super::position::Position;
use super::value::Value;
use crate::import::report::Report;

/// The requests that a block is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope {
    /// `None`: any.
    pub(super) hosts: Option<Hosts>,
    pub(super) paths: Paths,
}

/// What is in force for some of the requests.
#[derive(Debug)]
pub(super) struct Situation<'c> {
    pub(super) scope: Scope,
    contexts: &'c Contexts,
    /// The contexts that are true there, in the order of the file.
    within: Vec<usize>,
}

/// What conditions about listeners can be told with.
#[derive(Debug, Clone)]
pub(super) struct Doors {
    /// The contexts of `$SERVER["socket"]` whose listener is the only one, or can be reached by all who reach another.
    pub(super) as_open_as_any: Vec<usize>,
    /// How many listeners there are.
    pub(super) count: usize,
    /// All speak TLS, or none does.
    pub(super) secure: Option<bool>,
}

impl Scope {
    pub(super) const ALL: Self = Self { hosts: None, paths: Paths::All };

    pub(super) fn is_within(&self, other: &Self) -> bool {
        let hosts = match (&self.hosts, &other.hosts) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(hosts), Some(others)) => hosts.is_within(others),
        };
        hosts && self.paths.is_within(&other.paths)
    }

    /// Whether a request may be in both. What cannot be told counts as yes.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.and(other) != Ok(None)
    }

    /// What the two have in common. `Ok(None)`: nothing. An error: more than a route can say.
    pub(super) fn and(&self, other: &Self) -> Result<Option<Self>, &'static str> {
        let hosts = match (&self.hosts, &other.hosts) {
            (None, hosts) | (hosts, None) => hosts.clone(),
            (Some(hosts), Some(others)) => match hosts.and(others) {
                Some(common) => Some(common),
                None => return Ok(None),
            },
        };
        match self.paths.and(&other.paths) {
            Common::Nothing => Ok(None),
            Common::Paths(paths) => Ok(Some(Self { hosts, paths })),
            Common::Unknown => Err("two patterns for the path cannot be made one"),
        }
    }
}

impl<'c> Situation<'c> {
    /// The directive as it is in force there: of the blocks that set it, the last one wins.
    pub(super) fn setting(&self, name: &str) -> Option<&'c Setting> {
        self.within.iter().rev().find_map(|context| self.contexts.all()[*context].settings.get(name))
    }

    /// Where these directives are set that are in force there.
    pub(super) fn fingerprint(&self, names: &[&str]) -> Vec<Option<&'c Position>> {
        names.iter().map(|name| self.setting(name).map(|setting| &setting.at)).collect()
    }

    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.scope.is_within(&other.scope)
    }
}

/// The requests that each context is about. `None`: they cannot be told by a route, which is reported, or there are none.
pub(super) fn scopes(
    contexts: &Contexts,
    doors: &Doors,
    report: &mut Report<Position>,
) -> Vec<Option<Scope>> {
    let mut scopes: Vec<Option<Scope>> = Vec::new();
    for index in 0..contexts.all().len() {
        let scope = scope(contexts, index, &scopes, doors, report);
        scopes.push(scope);
    }
    scopes
}

/// The requests that a context, whatever else it is about, is not about: those of the conditions that it is an `else` of,
/// or the opposite of. As far as they can be told, for a context may be about more than this and never about less.
pub(super) fn exceptions(
    contexts: &Contexts,
    context: usize,
    scopes: &[Option<Scope>],
    doors: &Doors,
) -> Vec<Scope> {
    let is_exact = |condition: &Condition| matches!(condition.subject.as_str(), HOST | URL);
    let mut exceptions = Vec::new();
    for condition in contexts.conditions(context) {
        let before = condition
            .unless
            .iter()
            .filter(|context| contexts.all()[**context].condition.as_ref().is_some_and(is_exact));
        exceptions.extend(before.filter_map(|context| scopes[*context].clone()));
        let opposite = match condition.operator {
            "!=" => "==",
            "!~" => "=~",
            _ => continue,
        };
        if is_exact(condition) {
            let opposite = Condition { operator: opposite, unless: Vec::new(), ..condition.clone() };
            exceptions.extend(meaning(&opposite, context, doors));
        }
    }
    exceptions.truncate(EXCEPTIONS_MAX);
    exceptions
}

/// All situations, each before those that it is a part of, the whole last. What cannot be told apart by routes is left
/// out: requests are then served as if the block were not there.
pub(super) fn situations<'c>(contexts: &'c Contexts, scopes: &[Option<Scope>]) -> Vec<Situation<'c>> {
    let mut distinct: Vec<Scope> = Vec::new();
    for scope in scopes.iter().flatten() {
        if !distinct.contains(scope) {
            distinct.push(scope.clone());
        }
    }
    add_overlaps(&mut distinct);
    let mut situations: Vec<Situation<'c>> = distinct
        .into_iter()
        .map(|scope| {
            let is_true = |index: &usize| scopes[*index].as_ref().is_some_and(|outer| scope.is_within(outer));
            let within = (0..scopes.len()).filter(is_true).collect();
            Situation { scope, contexts, within }
        })
        .collect();
    let breadth: Vec<usize> =
        situations.iter().map(|a| situations.iter().filter(|b| a.is_within(b)).count()).collect();
    // A part of another situation lies within it and in all that this one lies in: it has the greater count.
    let mut order: Vec<usize> = (0..situations.len()).collect();
    order.sort_by_key(|index| (std::cmp::Reverse(breadth[*index]), std::cmp::Reverse(*index)));
    let mut slots: Vec<_> = situations.drain(..).map(Some).collect();
    order.into_iter().filter_map(|index| slots[index].take()).collect()
}

/// Where two conditions can both be true, a situation of its own: the later block wins there for what both set.
fn add_overlaps(scopes: &mut Vec<Scope>) {
    let plain = scopes.len();
    for a in 0..plain {
        for b in a + 1..plain {
            if scopes.len() >= SITUATIONS_MAX {
                return;
            }
            if let Ok(Some(common)) = scopes[a].and(&scopes[b])
                && !scopes.contains(&common)
            {
                scopes.push(common);
            }
        }
    }
}

fn scope(
    contexts: &Contexts,
    index: usize,
    known: &[Option<Scope>],
    doors: &Doors,
    report: &mut Report<Position>,
) -> Option<Scope> {
    let context = &contexts.all()[index];
    let (Some(parent), Some(condition)) = (context.parent, &context.condition) else {
        return Some(Scope::ALL);
    };
    let outer = known[parent].as_ref()?;
    let own = match meaning(condition, index, doors) {
        Ok(own) => own,
        Err(why) => {
            report.without(&condition.at, condition.title(), why);
            return None;
        }
    };
    if condition.subject == SOCKET && doors.count > 1 {
        report.note(&condition.at, condition.title(), "what it holds is served on every listener");
    }
    match outer.and(&own) {
        Ok(Some(common)) if !is_apart(&common, condition, known) => {
            report.without(&condition.at, condition.title(), NOT_ELSE);
            None
        }
        Ok(common) => {
            if common.is_none() {
                report.note(&condition.at, condition.title(), "is never true here: left out");
            }
            common
        }
        Err(why) => {
            report.without(&condition.at, condition.title(), why);
            None
        }
    }
}

/// Whether an `else` says no more than its own condition, as what it is an `else` of cannot be true at the same time.
fn is_apart(scope: &Scope, condition: &Condition, known: &[Option<Scope>]) -> bool {
    condition.unless.iter().all(|before| known[*before].as_ref().is_some_and(|before| !before.meets(scope)))
}

/// The requests that a condition is about, whatever it is an `else` of.
fn meaning(condition: &Condition, index: usize, doors: &Doors) -> Result<Scope, String> {
    if condition.subject == ELSE {
        return Err(NOT_ELSE.to_owned());
    }
    let value = match &condition.value {
        Value::Text(text) => text,
        Value::Unknown(why) => return Err(format!("what it is compared with is not known: {why}")),
        Value::Number(_) | Value::List(_) => return Err("it is compared with what is no string".to_owned()),
    };
    let hosts = |hosts: Result<Hosts, String>| Ok(Scope { hosts: Some(hosts?), ..Scope::ALL });
    let paths = |paths: Paths| match paths.check() {
        Ok(()) => Ok(Scope { paths, ..Scope::ALL }),
        Err(why) => Err(format!("{value:?} {why}")),
    };
    match (condition.subject.as_str(), condition.operator) {
        (_, "!=" | "!~") => Err("routes cannot ask for what is not the case".to_owned()),
        (HOST, "==") => hosts(Hosts::exact(value)),
        (HOST, "=$") => hosts(Hosts::ending(value)),
        (HOST, "=~") => hosts(Hosts::matching(value)),
        (URL, "==") => paths(Paths::Exact(value.clone())),
        (URL, "=^") => paths(Paths::of_start(value)),
        (URL, "=$") => paths(Paths::Suffix(value.clone())),
        (URL, "=~") => paths(Paths::of_regex(value, Anchor::Nowhere)?),
        (SOCKET, "==") if doors.as_open_as_any.contains(&index) => Ok(Scope::ALL),
        (SOCKET, _) => Err(NOT_BY_DOOR.to_owned()),
        (SCHEME, "==") => match doors.secure {
            Some(secure) if secure == (value == "https") => Ok(Scope::ALL),
            _ => Err("routes are served on every listener, with TLS and without".to_owned()),
        },
        _ => Err("routes are chosen by host and path only".to_owned()),
    }
}

pub(super) const HOST: &str = "HTTP[\"host\"]";
const URL: &str = "HTTP[\"url\"]";
const NOT_ELSE: &str = "routes cannot ask for what is not the case, as else does";
const SCHEME: &str = "HTTP[\"scheme\"]";
pub(super) const SOCKET: &str = "SERVER[\"socket\"]";
const NOT_BY_DOOR: &str = "routes are served on every listener, and others can be reached from further away than this \
                           one: what is for it alone belongs into a configuration of its own";
/// Each rule is held against each route with all of them; a chain of more conditions is rare, and one too few leaves a
/// route out that could have stayed.
const EXCEPTIONS_MAX: usize = 64;
/// Overlaps are looked for up to this; blocks beyond it are rare, and those that overlap are rarer.
const SITUATIONS_MAX: usize = 512;
