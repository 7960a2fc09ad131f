//! Values, and what `+` makes of two of them.

use super::position::Position;

/// What a directive or a variable is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Number(u64),
    List(Vec<Item>),
    /// Not to be found out here; why.
    Unknown(String),
}

/// One entry of a list: `"key" => value`, or the value alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) key: Option<String>,
    pub(super) value: Value,
    pub(super) at: Position,
}

impl Value {
    pub(super) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(super) fn as_list(&self) -> Option<&[Item]> {
        if let Self::List(items) = self { Some(items) } else { None }
    }

    /// A number, which many write as a string.
    pub(super) fn as_number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
            Self::List(_) | Self::Unknown(_) => None,
        }
    }

    /// `"enable"`, and what else switches something on there.
    pub(super) fn is_enabled(&self) -> bool {
        match self {
            Self::Text(text) => {
                ["enable", "enabled", "true", "1"].iter().any(|on| text.eq_ignore_ascii_case(on))
            }
            Self::Number(number) => *number != 0,
            Self::List(_) | Self::Unknown(_) => false,
        }
    }

    /// What says clearly that something is switched off.
    pub(super) fn is_disabled(&self) -> bool {
        match self {
            Self::Text(text) => {
                ["disable", "disabled", "false", "0"].iter().any(|off| text.eq_ignore_ascii_case(off))
            }
            Self::Number(number) => *number == 0,
            Self::List(_) | Self::Unknown(_) => false,
        }
    }

    /// The value of this entry of a list.
    pub(super) fn entry(&self, key: &str) -> Option<&Item> {
        // Of two entries with one key the later is meant.
        self.as_list()?.iter().rev().find(|item| item.key.as_deref() == Some(key))
    }

    /// `self + other`: lists and strings follow each other, numbers add up.
    pub(super) fn plus(self, other: Self) -> Result<Self, String> {
        let sum = match (self, other) {
            (Self::Unknown(why), _) | (_, Self::Unknown(why)) => Self::Unknown(why),
            (Self::List(mut items), Self::List(more)) => {
                items.extend(more);
                Self::List(items)
            }
            (Self::Number(a), Self::Number(b)) => {
                Self::Number(a.checked_add(b).ok_or("a sum of more than 64 bits")?)
            }
            (Self::Text(a), Self::Text(b)) => Self::Text(a + &b),
            (Self::Text(a), Self::Number(b)) => Self::Text(format!("{a}{b}")),
            (Self::Number(a), Self::Text(b)) => Self::Text(format!("{a}{b}")),
            (list @ Self::List(_), other) | (other, list @ Self::List(_)) => {
                let (list, other) = (list.kind(), other.kind());
                return Err(format!("{list} and {other}, which cannot be added"));
            }
        };
        if sum.weight() > WEIGHT_MAX {
            return Err(format!("a value of more than {WEIGHT_MAX} bytes and entries"));
        }
        Ok(sum)
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Number(_) => "a number",
            Self::List(_) => "a list",
            Self::Unknown(_) => "a value that is not known",
        }
    }

    /// Bytes and entries.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Text(text) | Self::Unknown(text) => text.len(),
            Self::Number(_) => 1,
            Self::List(items) => {
                let weight = |item: &Item| 1 + item.key.as_ref().map_or(0, String::len) + item.value.weight();
                items.iter().map(weight).sum()
            }
        }
    }
}

/// A file of 1 MiB that doubles a variable line by line must not fill the memory.
pub(super) const WEIGHT_MAX: usize = 256 << 10;
