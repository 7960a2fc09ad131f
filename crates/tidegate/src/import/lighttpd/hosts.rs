//! Sets of host names, as conditions describe them and as routes do.

use crate::config;

/// Which hosts: names and `*.example.com`, never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hosts(Vec<String>);

impl Hosts {
    /// `$HTTP["host"] == "…"`. lighttpd compares with a port only if one is written.
    pub(super) fn exact(name: &str) -> Result<Self, String> {
        if name.contains('*') {
            return Err(format!("{name:?} is no host name"));
        }
        Self::of(vec![name.to_owned()])
    }

    /// `$HTTP["host"] =$ "…"`.
    pub(super) fn ending(end: &str) -> Result<Self, String> {
        match end.strip_prefix('.') {
            Some(parent) => Self::of(vec![format!("*.{parent}")]),
            None => Err(format!("a host that ends with {end:?}, within a label, is not to be had")),
        }
    }

    /// `$HTTP["host"] =~ "…"`: the expressions that name hosts, written in the ways in which it is done.
    pub(super) fn matching(pattern: &str) -> Result<Self, String> {
        let unknown = || format!("the hosts that {pattern:?} means cannot be listed");
        let core = PORTS.iter().find_map(|port| pattern.strip_suffix(port)).or(pattern.strip_suffix('$'));
        let core = core.ok_or_else(unknown)?;
        let (stars, names): (&[&str], &str) = if let Some(core) = strip_any(core, &ANY_DEPTH) {
            (&["", "*."], core)
        } else if let Some(core) = strip_any(core, &BELOW) {
            (&["*."], core)
        } else if let Some(core) = core.strip_prefix('^') {
            (&[""], core)
        } else {
            return Err(unknown());
        };
        let names = alternatives(names).ok_or_else(unknown)?;
        let with = |name: &String| stars.iter().map(|star| format!("{star}{name}")).collect::<Vec<_>>();
        Self::of(names.iter().flat_map(with).collect())
    }

    fn of(mut names: Vec<String>) -> Result<Self, String> {
        for name in &mut names {
            name.make_ascii_lowercase();
            let bare = name.strip_prefix("*.").unwrap_or(name);
            let is_address = bare.starts_with('[') && bare.ends_with(']');
            if !is_address && bare.contains(':') {
                return Err("routes are chosen by host without its port".to_owned());
            }
            // By the rule that what comes of it is read with.
            config::check_host(name).map_err(|why| format!("{name:?} {why}"))?;
        }
        Ok(Self(names))
    }

    pub(super) fn names(&self) -> &[String] {
        &self.0
    }

    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.0.iter().all(|name| other.0.iter().any(|pattern| is_name_within(name, pattern)))
    }

    /// What the two have in common; `None` is nothing.
    pub(super) fn and(&self, other: &Self) -> Option<Self> {
        let mut common: Vec<String> = Vec::new();
        for (a, b) in self.0.iter().flat_map(|a| other.0.iter().map(move |b| (a, b))) {
            let narrower = if is_name_within(a, b) {
                a
            } else if is_name_within(b, a) {
                b
            } else {
                continue;
            };
            if !common.contains(narrower) {
                common.push(narrower.clone());
            }
        }
        (!common.is_empty()).then_some(Self(common))
    }
}

fn is_name_within(name: &str, pattern: &str) -> bool {
    name == pattern
        || pattern
            .strip_prefix('*')
            .is_some_and(|end| name.trim_start_matches('*').len() > end.len() && name.ends_with(end))
}

fn strip_any<'t>(text: &'t str, prefixes: &[&str]) -> Option<&'t str> {
    prefixes.iter().find_map(|prefix| text.strip_prefix(prefix))
}

/// The names that a pattern of literal characters, `\.`, `(a|b)` and `(a)?` stands for; a dot is meant to be one.
fn alternatives(pattern: &str) -> Option<Vec<String>> {
    let mut names = vec![String::new()];
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let pieces: Vec<String>;
        if let Some(group) = rest.strip_prefix("(?:").or_else(|| rest.strip_prefix('(')) {
            let (inner, after) = group.split_once(')')?;
            let inner: Option<Vec<_>> = inner.split('|').map(plain).collect();
            let mut inner = inner?;
            rest = after;
            if let Some(after) = rest.strip_prefix('?') {
                inner.push(String::new());
                rest = after;
            }
            pieces = inner;
        } else {
            let end = rest.find('(').unwrap_or(rest.len());
            debug_assert!(end > 0 && first != '(', "a group was looked for above");
            pieces = vec![plain(&rest[..end])?];
            rest = &rest[end..];
        }
        names =
            names.iter().flat_map(|name| pieces.iter().map(move |piece| format!("{name}{piece}"))).collect();
        if names.len() > NAMES_MAX {
            return None;
        }
    }
    Some(names)
}

/// Literal characters. A dot that is not escaped is taken for one: hosts have nothing else where people write it.
fn plain(pattern: &str) -> Option<String> {
    let text = pattern.replace("\\.", ".").replace("\\-", "-");
    text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)).then_some(text)
}

/// Ends of an expression that let a port follow.
const PORTS: [&str; 4] = ["(:[0-9]+)?$", r"(:\d+)?$", "(?::[0-9]+)?$", "(:[0-9]*)?$"];
/// The name itself, and whatever is below it.
const ANY_DEPTH: [&str; 6] = [r"(^|\.)", r"(?:^|\.)", r"^(.*\.)?", r"^(.+\.)?", r"^(?:.*\.)?", r"^(?:.+\.)?"];
/// Only what is below it.
const BELOW: [&str; 3] = [r"^.*\.", r"^.+\.", r"\."];
/// As many routes come of each.
const NAMES_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_that_name_hosts() {
        for (pattern, hosts) in [
            (r"^www\.example\.com$", &["www.example.com"][..]),
            (r"^www\.example\.com(:[0-9]+)?$", &["www.example.com"]),
            (r"(^|\.)example\.com$", &["example.com", "*.example.com"]),
            (r"\.example\.com$", &["*.example.com"]),
            (r"^(www\.)?example\.com$", &["www.example.com", "example.com"]),
            (
                r"^(a|b)\.example\.(com|org)$",
                &["a.example.com", "a.example.org", "b.example.com", "b.example.org"],
            ),
            ("^WWW.example.com$", &["www.example.com"]),
        ] {
            assert_eq!(Hosts::matching(pattern).unwrap().names(), hosts, "{pattern}");
        }
        for pattern in ["example", r"^www\.", r"example\.com$", r"^[a-z]+\.com$", "^((a))$", "^$", "^(a$"] {
            assert!(Hosts::matching(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn names_and_ends() {
        assert_eq!(Hosts::exact("A.b").unwrap().names(), ["a.b"]);
        assert_eq!(Hosts::exact("[::1]").unwrap().names(), ["[::1]"]);
        assert_eq!(Hosts::ending(".a.b").unwrap().names(), ["*.a.b"]);
        for wrong in ["a:80", "", "a/b", "a..b", "a.", "*.a", "[::g]", &"a".repeat(64)] {
            assert!(Hosts::exact(wrong).is_err(), "{wrong:?}");
        }
        assert!(Hosts::ending("a.b").is_err() && Hosts::ending("..a").is_err());
    }

    #[test]
    fn sets() {
        let hosts =
            |names: &[&str]| Hosts::of(names.iter().map(|name| (*name).to_owned()).collect()).unwrap();
        assert!(hosts(&["a.b.c"]).is_within(&hosts(&["*.b.c"])));
        assert!(hosts(&["*.a.b.c"]).is_within(&hosts(&["*.b.c"])));
        assert!(!hosts(&["b.c"]).is_within(&hosts(&["*.b.c"])));
        assert!(!hosts(&["*.b.c"]).is_within(&hosts(&["a.b.c"])));
        assert!(!hosts(&["ab.c"]).is_within(&hosts(&["*.b.c"])));
        assert_eq!(hosts(&["x.b.c", "y.d"]).and(&hosts(&["*.b.c"])), Some(hosts(&["x.b.c"])));
        assert_eq!(hosts(&["a"]).and(&hosts(&["b"])), None);
    }
}
