//! A file of tokens, and the same read line by line without any care for time; and the places that it names.

use std::collections::HashMap;
use std::fs;

use super::folder::Folder;
use crate::config::Authority;
use crate::lookup::file;
use crate::lookup::kept::Tokens;
use crate::lookup::target::Target;

thread_local! {
    static FOLDER: Folder = Folder::new("tokens");
}

/// Reads an input.
pub fn run(data: &[u8]) {
    let path = FOLDER.with(|folder| folder.0.join("tokens"));
    fs::write(&path, data).expect("the folder takes files");
    let text = String::from_utf8_lossy(data);
    let expected = naive(&text);
    let (all, bad) = file::read_all(&path).expect("the file is there");
    assert_eq!(all, expected);
    assert_eq!(bad.as_ref().map(|line| line.number), first_bad(&text), "{bad:?}");
    let tokens = Tokens::of(path);
    // Also what nearly is a token: the beginnings of some, and lines that have none.
    let near = lines(&text).flat_map(|line| [line, line.split(':').next().unwrap_or_default()]);
    for token in expected.keys().map(String::as_str).chain(near.take(12)).chain(["", "a", "nobody", "#"]) {
        let (found, bad_again) = tokens.find(token).expect("the file is there");
        assert_eq!(found.as_ref(), expected.get(token), "{token:?}");
        assert_eq!(bad_again, bad);
    }
    for target in expected.values().map(String::as_str).chain(lines(&text).take(12)) {
        assert_eq!(Target::parse(target), naive_target(target), "{target:?}");
    }
}

/// The lines of a text, as an editor counts them.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let whole = text.strip_suffix('\n').unwrap_or(text);
    let has_any = !text.is_empty();
    let ends = text.ends_with('\n');
    let last = whole.matches('\n').count();
    let each = whole.split('\n').enumerate();
    // A carriage return belongs to the end of a line, and a text that stops there has none.
    let bare = move |(at, line): (usize, _)| {
        let line: &str = line;
        if at < last || ends { line.strip_suffix('\r').unwrap_or(line) } else { line }
    };
    each.map(bare).filter(move |_| has_any)
}

fn naive(text: &str) -> HashMap<String, String> {
    let entries = lines(text).filter(|line| !line.starts_with('#')).filter_map(halves);
    entries.collect() // of two with one token the later stays
}

/// The number of the first line that is neither an entry nor a comment.
fn first_bad(text: &str) -> Option<usize> {
    let is_bad = |line: &str| !line.starts_with('#') && halves(line).is_none();
    lines(text).position(is_bad).map(|at| at + 1)
}

/// What stands before and behind the only colon that a blank follows.
fn halves(line: &str) -> Option<(String, String)> {
    let letters: Vec<char> = line.chars().collect();
    let is_parting =
        |at: &usize| letters[*at] == ':' && letters.get(at + 1).is_some_and(|c| c.is_whitespace());
    let partings: Vec<usize> = (0..letters.len()).filter(is_parting).collect();
    let [at] = partings[..] else { return None };
    let target: String = letters[at + 1..].iter().collect();
    Some((letters[..at].iter().collect(), target.trim().to_owned()))
}

/// A host and the figures of a port behind the last colon, or a path that a socket may have.
fn naive_target(text: &str) -> Option<Target> {
    let text = text.trim();
    if let Some(path) = text.strip_prefix("unix_socket:") {
        let is_path = path.starts_with('/') && path.len() < 108 && !path.contains('\0');
        return is_path.then(|| Target::Unix(path.into()));
    }
    let letters: Vec<char> = text.chars().collect();
    let colon = letters.iter().rposition(|c| *c == ':')?;
    let mut host = &letters[..colon];
    if let ['[', inner @ .., ']'] = host {
        host = inner;
    }
    let mut port: u32 = 0;
    for digit in &letters[colon + 1..] {
        port = (port * 10 + digit.to_digit(10)?).min(1_000_000);
    }
    let port = u16::try_from(port).ok().filter(|port| *port != 0)?;
    let is_name = (1..254).contains(&host.len())
        && host.iter().all(|c| c.is_ascii_alphanumeric() || "-._:%".contains(*c));
    is_name.then(|| Target::Tcp(Authority { host: host.iter().collect(), port }))
}
