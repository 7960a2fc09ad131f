//! Sets of paths, as lighttpd's keys and conditions describe them, and as a route does.

use std::fmt;

use regex::Regex;

use crate::config;
use crate::path::is_pchar;

/// Which paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Paths {
    All,
    Exact(String),
    /// Those that begin like this, wherever a segment ends.
    Prefix(String),
    Suffix(String),
    /// Those that this matches from end to end.
    Regex(String),
}

/// Where a regular expression of the old configuration has to match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    /// From the first character on.
    Start,
    /// Anywhere.
    Nowhere,
}

/// What two sets have in common.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Common {
    Nothing,
    Paths(Paths),
    /// More than one pattern can say.
    Unknown,
}

impl Paths {
    /// A key of `wstunnel.server` or `proxy.server`.
    pub(super) fn of_key(key: &str) -> Self {
        match key {
            "" => Self::All,
            _ if key.starts_with('/') => Self::of_start(key),
            _ => Self::Suffix(key.to_owned()),
        }
    }

    /// The paths that begin like this; all of them begin with a slash.
    pub(super) fn of_start(start: &str) -> Self {
        if matches!(start, "" | "/") { Self::All } else { Self::Prefix(start.to_owned()) }
    }

    /// What a route serves whose path is written so. Everything, where that cannot be told.
    pub(super) fn of_route(path: &str) -> Self {
        // An alternative may begin with anything; what is encoded has another form in the old configuration.
        if path.contains(['|', '%']) {
            return Self::All;
        }
        match (path.strip_prefix('~'), path.strip_suffix("/*")) {
            (Some(pattern), _) => Self::Regex(pattern.to_owned()),
            (None, Some(prefix)) => Self::of_start(prefix),
            (None, None) => Self::Exact(path.to_owned()),
        }
    }

    /// A regular expression for PCRE; the error says why it is none here.
    pub(super) fn of_regex(pattern: &str, anchor: Anchor) -> Result<Self, String> {
        let paths = Self::of_any_regex(pattern, anchor)?;
        match paths.check() {
            Ok(()) => Ok(paths),
            Err(why) => Err(format!("the regular expression {pattern:?} {why}")),
        }
    }

    /// Whether a route can have them for its path, by the rule that what comes of them is read with; else why not.
    pub(super) fn check(&self) -> Result<(), String> {
        config::check_path(&self.to_string())
    }

    fn of_any_regex(pattern: &str, anchor: Anchor) -> Result<Self, String> {
        let pattern = without_needless_escapes(pattern);
        Regex::new(&pattern).map_err(|error| {
            let text = error.to_string();
            let cause = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            format!("the regular expression {pattern:?} cannot be used: {cause}")
        })?;
        // An alternative may have anchors of its own, and flags change what follows them.
        let is_simple = !pattern.contains('|') && !pattern.contains("(?");
        if !is_simple {
            let free = if anchor == Anchor::Start { "" } else { ".*" };
            return Ok(Self::Regex(format!("{free}(?:{pattern}).*")));
        }
        let (from_start, core) = match pattern.strip_prefix('^') {
            Some(core) => (true, core),
            None => (anchor == Anchor::Start, pattern.as_str()),
        };
        let (to_end, core) = match core.strip_suffix('$') {
            Some(core) if !ends_in_escape(core) => (true, core),
            _ => (false, core),
        };
        let before = if from_start { "" } else { ".*" };
        let after = if to_end { "" } else { ".*" };
        Ok(match (literal(core), from_start, to_end) {
            (Some(text), ..) if text.is_empty() && !(from_start && to_end) => Self::All,
            (Some(text), true, true) => Self::Exact(text),
            (Some(text), true, false) => Self::of_start(&text),
            (Some(text), false, true) => Self::Suffix(text),
            (Some(_), false, false) | (None, ..) => Self::Regex(format!("{before}{core}{after}")),
        })
    }

    /// Whether every path of this set is one of the other's, as far as it can be told.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::All) => true,
            (Self::Exact(path) | Self::Prefix(path), Self::Prefix(prefix)) => {
                path.starts_with(prefix.as_str())
            }
            (Self::Exact(path) | Self::Suffix(path), Self::Suffix(suffix)) => path.ends_with(suffix.as_str()),
            (Self::Exact(path), Self::Regex(pattern)) => {
                Regex::new(&format!(r"\A(?:{pattern})\z")).is_ok_and(|regex| regex.is_match(path))
            }
            _ => self == other,
        }
    }

    /// What the two have in common.
    pub(super) fn and(&self, other: &Self) -> Common {
        if self.is_within(other) {
            return Common::Paths(self.clone());
        }
        if other.is_within(self) {
            return Common::Paths(other.clone());
        }
        match (self, other) {
            (Self::Prefix(start), Self::Suffix(end)) | (Self::Suffix(end), Self::Prefix(start)) => {
                Common::Paths(Self::Regex(beginning_and_ending(start, end)))
            }
            (Self::Prefix(start), Self::Regex(pattern)) | (Self::Regex(pattern), Self::Prefix(start)) => {
                let known = literal_start(pattern);
                if known.starts_with(start.as_str()) {
                    Common::Paths(Self::Regex(pattern.clone()))
                } else if start.starts_with(&known) {
                    Common::Unknown
                } else {
                    Common::Nothing
                }
            }
            (Self::Regex(_), Self::Regex(_) | Self::Suffix(_)) | (Self::Suffix(_), Self::Regex(_)) => {
                Common::Unknown
            }
            _ => Common::Nothing,
        }
    }
}

impl fmt::Display for Paths {
    /// As `path` of a route has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("/*"),
            Self::Exact(path) if path.starts_with('/') && !path.contains('*') => f.write_str(&encoded(path)),
            Self::Exact(path) => write!(f, "~{}", escaped(path)),
            Self::Prefix(start) => write!(f, "~{}.*", escaped(start)),
            Self::Suffix(end) => write!(f, "~.*{}", escaped(end)),
            Self::Regex(pattern) => write!(f, "~{pattern}"),
        }
    }
}

/// `\/` is written by those who know expressions between slashes; it is a slash.
fn without_needless_escapes(pattern: &str) -> String {
    let mut plain = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('/') => plain.push('/'),
                other => plain.extend(std::iter::once(c).chain(other)),
            },
            (_, false) => plain.push(c),
        }
    }
    plain
}

/// The text that a pattern without any freedom stands for.
fn literal(pattern: &str) -> Option<String> {
    let start = literal_start(pattern);
    (escaped_len(&start, pattern) == Some(pattern.len())).then_some(start)
}

/// How many bytes of `pattern` say `text`; `None` if it does not begin with it.
fn escaped_len(text: &str, pattern: &str) -> Option<usize> {
    let mut rest = pattern;
    for c in text.chars() {
        rest = rest.strip_prefix('\\').unwrap_or(rest).strip_prefix(c)?;
    }
    Some(pattern.len() - rest.len())
}

/// The characters that everything that `pattern` matches begins with.
fn literal_start(pattern: &str) -> String {
    let mut start = String::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        let literal = match c {
            '\\' => chars.next().filter(char::is_ascii_punctuation),
            _ if META.contains(c) => None,
            _ => Some(c),
        };
        // What may stand there any number of times may not be there at all.
        let is_counted = chars.peek().is_some_and(|next| "*?{+".contains(*next));
        match literal {
            Some(c) if !is_counted => start.push(c),
            _ => break,
        }
    }
    start
}

fn ends_in_escape(pattern: &str) -> bool {
    pattern.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1
}

/// Both may share characters: `/a.ws` begins with `/a.` and ends with `.ws`.
fn beginning_and_ending(start: &str, end: &str) -> String {
    let mut pattern = format!("{}.*{}", escaped(start), escaped(end));
    for (at, _) in end.char_indices().skip(1) {
        if start.ends_with(&end[..at]) {
            pattern = format!("{pattern}|{}{}", escaped(start), escaped(&end[at..]));
        }
    }
    if start.ends_with(end) { format!("{pattern}|{}", escaped(start)) } else { pattern }
}

/// As the gateway compares paths: what a path cannot have literally is percent-encoded in it.
fn encoded(text: &str) -> String {
    let mut path = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte == b'/' || is_pchar(byte) {
            path.push(char::from(byte));
        } else {
            path += &format!("%{byte:02X}");
        }
    }
    path
}

fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in encoded(text).chars() {
        if META.contains(c) || c == '\\' {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

/// What is not itself in a regular expression.
const META: &str = "^$.|?*+()[]{}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        for (key, path) in [
            ("", "/*"),
            ("/", "/*"),
            ("/ws", "~/ws.*"),
            ("/ws/", "~/ws/.*"),
            (".ws", r"~.*\.ws"),
            ("chat", "~.*chat"),
            ("/a b", "~/a%20b.*"),
            ("/a\"{b}|", "~/a%22%7Bb%7D%7C.*"),
        ] {
            assert_eq!(Paths::of_key(key).to_string(), path);
        }
    }

    #[test]
    fn regular_expressions_that_begin_at_the_start() {
        for (pattern, path) in [
            ("/echo", "~/echo.*"),
            ("^/echo", "~/echo.*"),
            ("^/echo$", "/echo"),
            (r"^\/tcp_proxy\/*", "~/tcp_proxy/*.*"),
            (r"^\/ipython\/kernels\/.+", "~/ipython/kernels/.+.*"),
            (r"^/a\.b$", "/a.b"),
            (r"^/v[0-9]+/ws$", "~/v[0-9]+/ws"),
            (r"/cost\$", r"~/cost\$.*"),
            ("^/", "/*"),
            ("", "/*"),
            ("^/a$|^/b", "~(?:^/a$|^/b).*"),
            ("(?i)^/a", "~(?:(?i)^/a).*"),
        ] {
            assert_eq!(Paths::of_regex(pattern, Anchor::Start).unwrap().to_string(), path, "{pattern}");
        }
    }

    #[test]
    fn regular_expressions_that_match_anywhere() {
        for (pattern, path) in [
            ("ws", "~.*ws.*"),
            ("^/ws", "~/ws.*"),
            (r"\.ws$", r"~.*\.ws"),
            (r"(^\/socket.io\/)", "~.*(^/socket.io/).*"),
            ("^/a$|b", "~.*(?:^/a$|b).*"),
        ] {
            assert_eq!(Paths::of_regex(pattern, Anchor::Nowhere).unwrap().to_string(), path, "{pattern}");
        }
        let paths = Paths::of_regex(r"(^\/socket.io\/)", Anchor::Nowhere).unwrap();
        assert!(Paths::Exact("/socket.io/1".to_owned()).is_within(&paths));
        assert!(!Paths::Exact("/x/socket.io/1".to_owned()).is_within(&paths));
    }

    #[test]
    fn what_only_pcre_has_is_told() {
        for pattern in ["^/(?!admin)", r"^/(a)\1", "^/(", r"^/(?<=a)b", "^/caf\u{e9}*/", "^*", "a)|(?:b"] {
            let why = Paths::of_regex(pattern, Anchor::Start).unwrap_err();
            assert!(why.starts_with("the regular expression ") && !why.contains('\n'), "{why}");
        }
    }

    #[test]
    fn what_two_have_in_common() {
        let of = |text: &str| Paths::of_regex(text, Anchor::Nowhere).unwrap();
        for (a, b, common) in [
            ("", "^/a", Some("~/a.*")),
            ("^/a", "^/a/b", Some("~/a/b.*")),
            ("^/a/b$", "^/a", Some("/a/b")),
            ("^/a", "^/b", None),
            ("^/a$", "^/b$", None),
            (r"^/a", r"\.ws$", Some(r"~/a.*\.ws")),
            (r"^/a\.", r"\.ws$", Some(r"~/a\..*\.ws|/a\.ws")),
            ("^/a[0-9]", "^/a", Some("~/a[0-9].*")),
            ("^/a[0-9]", "^/b", None),
            ("^/a[0-9]$", "^/a7$", Some("/a7")),
            ("^/a[0-9]$", "^/ax$", None),
        ] {
            let expected = |found: Common| match found {
                Common::Nothing => None,
                Common::Paths(paths) => Some(paths.to_string()),
                Common::Unknown => panic!("{a} {b}"),
            };
            assert_eq!(expected(of(a).and(&of(b))).as_deref(), common, "{a} {b}");
            assert_eq!(expected(of(b).and(&of(a))).as_deref(), common, "{b} {a}");
        }
        assert_eq!(of("^/a[0-9]").and(&of("^/a[0-4]")), Common::Unknown);
        assert_eq!(of("^/a[0-9]").and(&of("^/a7")), Common::Unknown);
    }
}
