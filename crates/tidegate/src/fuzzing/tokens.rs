//! A file of tokens, and the same read line by line without any care for time.

use std::collections::HashMap;
use std::fs;

use super::folder::Folder;
use crate::lookup::file;
use crate::lookup::kept::Tokens;

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
    let tokens = Tokens::of(path);
    for token in expected.keys().map(String::as_str).chain(["", "a", "nobody", "#"]) {
        let (found, bad_again) = tokens.find(token).expect("the file is there");
        assert_eq!(found.as_ref(), expected.get(token), "{token:?}");
        assert_eq!(bad_again, bad);
    }
    let entries = text.lines().filter(|line| !line.starts_with('#') && halves(line).is_some()).count();
    let comments = text.lines().filter(|line| line.starts_with('#')).count();
    assert_eq!(
        bad.is_some(),
        entries + comments < text.lines().count(),
        "each line is an entry or a comment"
    );
}

fn naive(text: &str) -> HashMap<String, String> {
    let mut all = HashMap::new();
    for line in text.lines() {
        if let (false, Some((token, target))) = (line.starts_with('#'), halves(line)) {
            all.insert(token, target);
        }
    }
    all
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
