//! What is set, and under which conditions.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::position::Position;
use super::value::Value;

/// The whole configuration: the global context first, then the blocks in the order in which they are met.
#[derive(Debug)]
pub(super) struct Contexts {
    all: Vec<Context>,
    /// Of all values that were ever assigned.
    weight: usize,
    /// Includes that could not be read, and where: what they say is not known.
    unread: Vec<(usize, Position)>,
}

/// The top of the file, or what stands in one `{ … }`.
#[derive(Debug)]
pub(super) struct Context {
    /// The block around it; `None` for the top.
    pub(super) parent: Option<usize>,
    /// Its own condition; `None` for the top.
    pub(super) condition: Option<Condition>,
    pub(super) settings: BTreeMap<String, Setting>,
    variables: BTreeMap<String, Value>,
}

/// `$HTTP["host"] == "example.com"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    /// `HTTP["host"]`.
    pub(super) subject: String,
    pub(super) operator: &'static str,
    pub(super) value: Value,
    /// It stands behind an `else`: these contexts before it must not be true. Of a plain condition there are none.
    pub(super) unless: Vec<usize>,
    pub(super) at: Position,
}

/// The value of a directive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) value: Value,
    pub(super) at: Position,
    /// Where it had been set before, in the same context, and what was done to that value then.
    pub(super) before: Vec<(Position, Assignment)>,
}

/// How a value is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Assignment {
    /// `=` and `:=`.
    Set,
    /// `+=`.
    Append,
}

impl Contexts {
    pub(super) const GLOBAL: usize = 0;

    pub(super) fn new() -> Self {
        let top =
            Context { parent: None, condition: None, settings: BTreeMap::new(), variables: BTreeMap::new() };
        Self { all: vec![top], weight: 0, unread: Vec::new() }
    }

    /// Includes that could not be read, with the context that each stands in.
    pub(super) fn unread(&self) -> &[(usize, Position)] {
        &self.unread
    }

    /// Notes an include that cannot be read.
    pub(super) fn is_unread(&mut self, context: usize, at: &Position) {
        self.unread.push((context, at.clone()));
    }

    pub(super) fn all(&self) -> &[Context] {
        &self.all
    }

    pub(super) fn global(&self) -> &Context {
        &self.all[Self::GLOBAL]
    }

    /// The context of this block, which may go on with one that was met before.
    pub(super) fn open(&mut self, parent: usize, condition: Condition) -> Result<usize, String> {
        let same = |context: &Context| {
            let alike = |other: &Condition| {
                !condition.is_else()
                    && !other.is_else()
                    && (&other.subject, other.operator, &other.value)
                        == (&condition.subject, condition.operator, &condition.value)
            };
            context.parent == Some(parent) && context.condition.as_ref().is_some_and(alike)
        };
        if let Some(known) = self.all.iter().position(same) {
            return Ok(known);
        }
        if self.all.len() > BLOCKS_MAX {
            return Err(format!("one condition too many: there are more than {BLOCKS_MAX}"));
        }
        self.all.push(Context {
            parent: Some(parent),
            condition: Some(condition),
            settings: BTreeMap::new(),
            variables: BTreeMap::new(),
        });
        Ok(self.all.len() - 1)
    }

    /// Sets a directive or a variable, which is what a name without a dot is. `+=` in a block adds to what holds around
    /// it.
    pub(super) fn assign(
        &mut self,
        context: usize,
        name: &str,
        how: Assignment,
        value: Value,
        at: &Position,
    ) -> Result<(), String> {
        let value = match how {
            Assignment::Append => match self.lookup(context, name) {
                Some(before) => before.clone().plus(value)?,
                None => value,
            },
            Assignment::Set => value,
        };
        self.weight += value.weight();
        if self.weight > WEIGHT_MAX {
            return Err(format!(
                "one value too many: all together have more than {WEIGHT_MAX} bytes and entries"
            ));
        }
        if name.starts_with(VARIABLE) || !name.contains('.') {
            self.all[context].variables.insert(full_name(name).into_owned(), value);
            return Ok(());
        }
        let settings = &mut self.all[context].settings;
        let mut before = Vec::new();
        if let Some(earlier) = settings.remove(name) {
            before = earlier.before;
            before.push((earlier.at, how));
        }
        settings.insert(name.to_owned(), Setting { value, at: at.clone(), before });
        Ok(())
    }

    /// The value of a variable or a directive as it is known within this context.
    pub(super) fn lookup(&self, context: usize, name: &str) -> Option<&Value> {
        let name = full_name(name);
        let mut context = Some(context);
        while let Some(index) = context {
            let here = &self.all[index];
            let value = here.variables.get(&*name).or_else(|| Some(&here.settings.get(&*name)?.value));
            if value.is_some() {
                return value;
            }
            context = here.parent;
        }
        None
    }

    /// The conditions that must be true for this context, the outermost first.
    pub(super) fn conditions(&self, context: usize) -> Vec<&Condition> {
        let mut conditions = Vec::new();
        let mut context = Some(context);
        while let Some(index) = context {
            conditions.extend(&self.all[index].condition);
            context = self.all[index].parent;
        }
        conditions.reverse();
        conditions
    }
}

impl Condition {
    pub(super) const fn is_else(&self) -> bool {
        !self.unless.is_empty()
    }

    /// As it is written, for the report.
    pub(super) fn title(&self) -> String {
        format!("${}", self.subject)
    }
}

/// A name without a dot is that of a variable.
fn full_name(name: &str) -> Cow<'_, str> {
    if name.contains('.') { name.into() } else { format!("{VARIABLE}{name}").into() }
}

/// The subject of an `else` without a condition of its own.
pub(super) const ELSE: &str = "else";
const VARIABLE: &str = "var.";
/// Far beyond what is written by hand: each line could assign as much as a single value may have.
const WEIGHT_MAX: usize = 16 << 20;
/// Each is compared with each other.
const BLOCKS_MAX: usize = 1000;
