//! The tests that there are, by the numbers in their names.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::root;

/// The tests of each number, in the order of their files.
pub(crate) type Tests = BTreeMap<String, Vec<Test>>;

/// A function of a test.
#[derive(Debug, Clone)]
pub(crate) struct Test {
    pub(crate) name: String,
    /// Its file, from the root of the repository on.
    pub(crate) file: String,
}

impl Test {
    /// As a cell of a table of `docs/` names it.
    pub(crate) fn link(&self) -> String {
        format!("[{}](../{})", self.name, self.file)
    }
}

/// Every function of a test that begins with numbers (`c043_c048_…`, `t063_to_t075_…`), by number.
///
/// # Panics
/// A test is ignored: nobody would notice.
pub(crate) fn numbered() -> Tests {
    let mut tests = Tests::new();
    for (file, text) in sources() {
        let is_python = file.ends_with(".py");
        let mut is_test = is_python;
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
            if line.starts_with("#[") {
                is_test |= line.contains("test");
                assert!(!line.starts_with("#[ignore"), "{file} ignores a test");
                continue;
            }
            let Some(name) = function(line) else { continue };
            // Properties stand inside of a macro, which gives them their attribute in the block before the name.
            if std::mem::replace(&mut is_test, is_python) || text.contains("proptest! {") {
                for number in numbers(name) {
                    let test = Test { name: name.to_owned(), file: file.clone() };
                    tests.entry(number.to_uppercase()).or_default().push(test);
                }
            }
        }
    }
    tests
}

/// The name in the line that begins a function.
pub(crate) fn function(line: &str) -> Option<&str> {
    let line =
        line.trim_start_matches("pub(crate) ").trim_start_matches("async ").trim_start_matches("const ");
    let rest = line.strip_prefix("fn ").or_else(|| line.strip_prefix("def "))?;
    rest.split(['(', '<']).next()
}

pub(crate) fn is_number(word: &str) -> bool {
    let is = |digits: &str, len| digits.len() == len && digits.bytes().all(|byte| byte.is_ascii_digit());
    match word.split_at_checked(1) {
        Some(("c" | "t", digits)) => is(digits, 3),
        Some(("f", digits)) => is(digits, 2),
        _ => false,
    }
}

/// The numbers with which a name begins; `t063_to_t075` are thirteen.
fn numbers(name: &str) -> Vec<String> {
    let mut numbers: Vec<String> = Vec::new();
    let mut words = name.split('_').peekable();
    while let Some(word) = words.next() {
        match numbers.last() {
            _ if is_number(word) => numbers.push(word.to_owned()),
            Some(first) if word == "to" => {
                let Some(last) = words.peek().copied().filter(|last| is_number(last)) else { break };
                let (begin, end): (u16, u16) = (first[1..].parse().unwrap(), last[1..].parse().unwrap());
                let (kind, width) = (first[..1].to_owned(), first.len() - 1);
                numbers.extend((begin + 1..end).map(|number| format!("{kind}{number:0width$}")));
            }
            _ => break,
        }
    }
    numbers
}

/// The sources of all tests, with their places from the root of the repository on.
fn sources() -> Vec<(String, String)> {
    let mut sources = Vec::new();
    for folder in ["crates", "fuzz", "interop", "conformance", "browser"] {
        collect(&root().join(folder), &mut sources);
    }
    sources.sort_by(|(one, _), (other, _)| Path::new(one).cmp(Path::new(other)));
    sources
}

fn collect(folder: &Path, sources: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_generated = path.file_name().is_some_and(|name| name == "target" || name == "node_modules");
        if path.is_dir() && !is_generated {
            collect(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "py") {
            let shown = path.strip_prefix(root()).unwrap().display().to_string();
            sources.push((shown, fs::read_to_string(path).unwrap()));
        }
    }
}

#[test]
fn numbers_at_the_front_of_a_name_are_found() {
    assert_eq!(numbers("f10_f18_t154_ends_t155"), ["f10", "f18", "t154"]);
    assert_eq!(numbers("t073_to_t075_the_list"), ["t073", "t074", "t075"]);
    assert_eq!(numbers("t214_to_the_end"), ["t214"]);
    assert_eq!(numbers("t12_f123_nothing"), [""; 0]);
}
