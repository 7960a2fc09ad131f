//! `path = …` and `host = …` of a route, and the regular expressions that may stand in a configuration.

use regex::{Regex, RegexBuilder};

use super::authority::{host_name, host_port};
use crate::config::diagnostic::{Fault, quoted};
use crate::config::{HostPattern, PathPattern};
use crate::path::canonical_path;

/// Reads `"/exact"`, `"/prefix/*"` or `"~regex"`.
pub(super) fn path(text: &str) -> Result<PathPattern, Fault> {
    if text.len() > PATTERN_BYTES_MAX {
        return Err(too_long(text));
    }
    if let Some(pattern) = text.strip_prefix('~') {
        let regex = anchored(pattern)?;
        matchable(pattern)?;
        return Ok(PathPattern::Regex(regex, text.to_owned()));
    }
    if !text.starts_with('/') {
        let remedy = format!("write {}, or ~ and a regular expression", quoted(&format!("/{text}")));
        return Err(Fault::new("does not begin with / or ~", remedy));
    }
    if text.contains(['?', '#']) {
        return Err(Fault::new("has a query or a fragment", "leave it out: only the path is compared"));
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(Fault::new("has characters that no request path has", "percent-encode them"));
    }
    let (path, is_prefix) = text.strip_suffix("/*").map_or((text, false), |path| (path, true));
    if let Some((before, _)) = path.split_once('*') {
        let remedy = format!(
            "write {} for everything below a path",
            quoted(&format!("{}/*", before.trim_end_matches('/')))
        );
        return Err(Fault::new("has a * that is not a last /*", remedy));
    }
    // In the form that requests are brought into: another spelling would match none of them.
    if is_prefix {
        let folder = canonical_path(&format!("{path}/")).map_err(|_| unmatchable())?;
        Ok(PathPattern::Prefix(folder.trim_end_matches('/').to_owned()))
    } else {
        Ok(PathPattern::Exact(canonical_path(path).map_err(|_| unmatchable())?))
    }
}

/// Whether a configuration takes this for the path of a route; else what is wrong with it.
pub(crate) fn check_path(text: &str) -> Result<(), String> {
    path(text).map(drop).map_err(|fault| fault.problem)
}

/// Whether a configuration takes this for the host of a route; else what is wrong with it.
pub(crate) fn check_host(text: &str) -> Result<(), String> {
    host(text).map(drop).map_err(|fault| fault.problem)
}

/// Whether the expression in such a text (`~regex`) wants something else than a slash first. Seen is only what stands there
/// as it is: a letter, a digit or a literal dot, which nothing makes optional and no other branch makes up for.
pub(super) fn begins_without_slash(text: &str) -> bool {
    let pattern = text.trim_start_matches('~').trim_start_matches('^');
    let (first, rest) = match pattern.strip_prefix("\\.") {
        Some(rest) => (Some('x'), rest),
        None => (pattern.chars().next(), pattern.get(1..).unwrap_or_default()),
    };
    first.is_some_and(|first| first.is_ascii_alphanumeric())
        && !rest.starts_with(['?', '*', '{'])
        && !pattern.contains('|')
}

fn unmatchable() -> Fault {
    Fault::new(
        "can match no request: such paths are refused",
        "leave out . and .. segments, backslashes, %2F, %5C, %00, and write a % itself as %25",
    )
}

/// A regular expression cannot be brought into that form, but what is in it and never in a path can be named.
fn matchable(pattern: &str) -> Result<(), Fault> {
    if !pattern.is_ascii() {
        return Err(Fault::new("has characters that no canonical path has", "percent-encode them"));
    }
    for (at, _) in pattern.match_indices('%') {
        let escape = pattern.get(at..at + 3).unwrap_or_default();
        let is_escape = escape.bytes().skip(1).filter(u8::is_ascii_hexdigit).count() == 2;
        match canonical_path(&format!("/{escape}")) {
            Ok(path) if is_escape && path[1..] != *escape => {
                let problem = format!("has {escape}, which no canonical path has");
                return Err(Fault::new(problem, format!("write {}", &path[1..])));
            }
            Err(_) if is_escape => return Err(unmatchable()),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

/// Reads `"example.com"` or `"*.example.com"`.
pub(super) fn host(text: &str) -> Result<HostPattern, Fault> {
    if text.contains("://") || text.contains('/') {
        return Err(Fault::new("is more than a host", "write the host name alone, without scheme or path"));
    }
    let (name, is_wildcard) = text.strip_prefix("*.").map_or((text, false), |name| (name, true));
    if name.contains('*') {
        return Err(Fault::new(
            "has a * that is not a leading *.",
            "write \"*.example.com\", or leave host out for any",
        ));
    }
    let host = plain_host(name)?;
    Ok(if is_wildcard { HostPattern::Subdomains(host) } else { HostPattern::Exact(host) })
}

/// A host without a port, in lower case; an IPv6 address in brackets.
pub(super) fn plain_host(text: &str) -> Result<String, Fault> {
    if let Some((_, rest)) = text.split_once("://") {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host =
            host_port(host).map_or_else(|_| "the host name alone".to_owned(), |found| quoted(&found.host));
        return Err(Fault::new(
            "is a URL",
            format!("write {host}: hosts are compared without scheme and port"),
        ));
    }
    if text.starts_with('[') || !text.contains(':') {
        let host = host_port(text)?;
        if host.port.is_none() {
            return Ok(host.host);
        }
    }
    Err(Fault::new("has a port", "leave the port out: hosts are compared without it"))
}

/// A host name for TLS: no port, no brackets.
pub(super) fn server_name(text: &str) -> Result<String, Fault> {
    host_name(text)
}

/// Compiles a regular expression that has to match a whole text.
pub(super) fn anchored(pattern: &str) -> Result<Regex, Fault> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(too_long(pattern));
    }
    // Compiled alone first: only then do messages speak of what the operator wrote, and `a)(?:b` is refused.
    compile(pattern)?;
    compile(&format!("{ANCHOR_START}{pattern}{ANCHOR_END}"))
}

/// What the operator wrote, without the anchors.
pub(in crate::config) fn without_anchors(regex: &Regex) -> &str {
    let text = regex.as_str();
    text.strip_prefix(ANCHOR_START).and_then(|text| text.strip_suffix(ANCHOR_END)).unwrap_or(text)
}

fn compile(pattern: &str) -> Result<Regex, Fault> {
    let result = RegexBuilder::new(pattern)
        .size_limit(REGEX_BYTES_MAX)
        .dfa_size_limit(REGEX_BYTES_MAX)
        .nest_limit(REGEX_DEPTH_MAX)
        .build();
    result.map_err(|error| {
        // The crate draws several lines; the last one is the cause.
        let text = error.to_string();
        let cause = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
        Fault::new(format!("is no regular expression: {cause}"), "correct what stands after the ~")
    })
}

fn too_long(text: &str) -> Fault {
    Fault::new(format!("is {} bytes long", text.len()), format!("write at most {PATTERN_BYTES_MAX}"))
}

/// `\A` and `\z` mean the ends of the text in every mode; `^` and `$` would not.
const ANCHOR_START: &str = r"\A(?:";
const ANCHOR_END: &str = r")\z";

/// Longer than any path that a request may have here.
const PATTERN_BYTES_MAX: usize = 4096;
/// A compiled expression is kept once and its cache once for each worker.
const REGEX_BYTES_MAX: usize = 1 << 20;
const REGEX_DEPTH_MAX: u32 = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for text in ["/", "/vnc", "/vnc/", "/vnc/*", "/*", "/a/b/*", "~/app[0-9]+", "/%20", "/a=b"] {
            assert_eq!(path(text).unwrap().to_string(), text);
        }
        assert!(matches!(path("/vnc/*").unwrap(), PathPattern::Prefix(p) if p == "/vnc"));
        assert!(matches!(path("/*").unwrap(), PathPattern::Prefix(p) if p.is_empty()));
        for (text, problem) in [
            ("", "does not begin with / or ~"),
            ("vnc", "does not begin with / or ~"),
            ("*", "does not begin with / or ~"),
            ("/a?b", "has a query or a fragment"),
            ("/a#b", "has a query or a fragment"),
            ("/a b", "has characters that no request path has"),
            ("/a/../b", "can match no request: such paths are refused"),
            ("/a%2Fb/*", "can match no request: such paths are refused"),
            ("/100%/*", "can match no request: such paths are refused"),
            ("~/a%2fb", "can match no request: such paths are refused"),
            ("~/caf%c3%a9/.*", "has %c3, which no canonical path has"),
            ("~/%7Euser", "has %7E, which no canonical path has"),
            ("~/café", "has characters that no canonical path has"),
            ("/vnc*", "has a * that is not a last /*"),
            ("/*/vnc", "has a * that is not a last /*"),
            ("/a*/*", "has a * that is not a last /*"),
            ("/a/**", "has a * that is not a last /*"),
        ] {
            assert_eq!(path(text).unwrap_err().problem, problem, "{text}");
        }
        assert_eq!(path("/vnc*").unwrap_err().remedy, r#"write "/vnc/*" for everything below a path"#);
        assert!(path(&format!("/{}", "a".repeat(PATTERN_BYTES_MAX))).is_err());
    }

    /// However a path is written, it is what requests are compared with.
    #[test]
    fn t055_paths_have_the_form_of_requests() {
        for (text, form) in [
            ("/caf%c3%a9/*", "/caf%C3%A9/*"),
            ("/café/*", "/caf%C3%A9/*"),
            ("/%7Euser", "/~user"),
            ("/%40team/*", "/@team/*"),
            ("//a///b//*", "/a/b/*"),
            ("//*", "/*"),
            ("/a|b", "/a%7Cb"),
        ] {
            assert_eq!(path(text).unwrap().to_string(), form, "{text}");
        }
        for text in ["~/caf%C3%A9/.*", "~/.*%", "~/%(25|2B)"] {
            assert_eq!(path(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_regular_expression_matches_the_whole_text_only() {
        let regex = anchored("a|b").unwrap();
        for (text, matches) in [("a", true), ("b", true), ("ab", false), ("xb", false), ("a\n", false)] {
            assert_eq!(regex.is_match(text), matches, "{text:?}");
        }
        let multiline = anchored("(?m)^a$").unwrap();
        assert!(!multiline.is_match("b\na") && multiline.is_match("a"));
        assert_eq!(without_anchors(&regex), "a|b");
    }

    #[test]
    fn a_regular_expression_cannot_leave_its_anchors() {
        for pattern in ["a)(?:b", "a)|(?:b", "(", "[", "*", "(?x) a # comment"] {
            let fault = anchored(pattern).unwrap_err();
            assert!(fault.problem.starts_with("is no regular expression: "), "{}", fault.problem);
            assert!(!fault.problem.contains('\n'));
        }
    }

    #[test]
    fn a_regular_expression_is_bounded() {
        assert!(anchored(r"\w{1000}{1000}").is_err());
        assert!(anchored(&format!("{}a{}", "(".repeat(60), ")".repeat(60))).is_err());
        assert!(anchored(&"a".repeat(PATTERN_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn a_path_begins_with_a_slash() {
        for (text, expected) in [
            ("~a.*", true),
            ("~^app/.*", true),
            ("~\\.well-known/.*", true),
            ("~v+", true),
            ("~/a", false),
            ("~^/a$", false),
            ("~.*a", false),
            ("~a?/b", false),
            ("~a*/b", false),
            ("~a{0,1}/b", false),
            ("~a|/b", false),
            ("~(a|/b)", false),
            ("~[/a]b", false),
            ("~(?i)/a", false),
            ("~\\x2fa", false),
            ("~", false),
        ] {
            assert_eq!(begins_without_slash(text), expected, "{text}");
        }
    }

    #[test]
    fn hosts() {
        for (text, shown) in [
            ("example.com", "example.com"),
            ("Example.COM", "example.com"),
            ("*.example.com", "*.example.com"),
            ("127.0.0.1", "127.0.0.1"),
            ("[::1]", "[::1]"),
        ] {
            assert_eq!(host(text).unwrap().to_string(), shown);
        }
        for (text, problem) in [
            ("", "has no host"),
            ("example.com:443", "has a port"),
            ("[::1]:443", "has a port"),
            ("https://example.com", "is more than a host"),
            ("example.com/", "is more than a host"),
            ("*", "has a * that is not a leading *."),
            ("www.*.com", "has a * that is not a leading *."),
            ("*.", "has no host"),
        ] {
            assert_eq!(host(text).unwrap_err().problem, problem, "{text}");
        }
    }
}
