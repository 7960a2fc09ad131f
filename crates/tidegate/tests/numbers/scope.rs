//! Where a test runs, as far as its source says it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::root;
use crate::tests::{Test, function};

/// What a test that says this word runs over. The words are those of the gateway tests' rig.
const WORDS: [(&str, &str); 15] = [
    ("Rig::each", "TLS"),
    ("secure_with", "TLS"),
    (".secure(", "TLS"),
    ("Issued::", "TLS"),
    ("EVERY_FAR", "WS→TCP"),
    ("Far::Tcp", "WS→TCP"),
    ("open_tcp", "WS→TCP"),
    ("tcp.accept", "WS→TCP"),
    ("EVERY_FAR", "WS→WS"),
    ("Far::Ws", "WS→WS"),
    ("open_ws", "WS→WS"),
    ("ask_ws", "WS→WS"),
    ("ws.accept", "WS→WS"),
    ("Tripwire", "HTTP"),
    ("\"http://", "HTTP"),
];

/// What these tests run over, all together: in the order of a reader, each once.
pub(crate) fn of(tests: &[Test]) -> String {
    let mut scopes = BTreeSet::new();
    for test in tests {
        match kind(&test.file) {
            Some(kind) => drop(scopes.insert((usize::MAX, kind))),
            None => gateway_scopes(test, &mut scopes),
        }
    }
    scopes.into_iter().map(|(_, scope)| scope).collect::<Vec<_>>().join(", ")
}

/// Of tests that do not drive the built gateway between a client and a backend.
fn kind(file: &str) -> Option<&'static str> {
    let kinds = [
        ("crates/tidegate/tests/gateway/", None),
        ("crates/tidegate/tests/connect/", Some("client side")),
        ("crates/tidegate/tests/", Some("command line")),
        ("crates/", Some("unit")),
        ("fuzz/", Some("fuzzing")),
        ("", Some("other programs")),
    ];
    kinds.iter().find(|(folder, _)| file.starts_with(folder)).and_then(|(_, kind)| *kind)
}

fn gateway_scopes(test: &Test, scopes: &mut BTreeSet<(usize, &'static str)>) {
    let text = fs::read_to_string(root().join(&test.file)).unwrap();
    let functions = functions(&text);
    let said = with_what_it_calls(&test.name, &functions);
    scopes.insert((0, "plain"));
    for (at, (word, scope)) in WORDS.iter().enumerate() {
        if said.contains(word) {
            let first = WORDS.iter().position(|(_, other)| other == scope).unwrap_or(at);
            scopes.insert((1 + first, scope));
        }
    }
}

/// The text of each function of a file, which ends where its indentation is left.
fn functions(text: &str) -> BTreeMap<&str, String> {
    let mut functions = BTreeMap::<&str, String>::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(name) = function(line.trim_start()) else { continue };
        let end = format!("{}}}", &line[..line.len() - line.trim_start().len()]);
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
        functions.entry(name).or_default().push_str(&format!("{line}\n{}\n", body.join("\n")));
    }
    functions
}

/// The text of a function, and of those of its file that it uses, and that these use.
fn with_what_it_calls(name: &str, functions: &BTreeMap<&str, String>) -> String {
    let (mut said, mut seen, mut open) = (String::new(), BTreeSet::new(), vec![name]);
    while let Some(name) = open.pop() {
        let Some((name, body)) = functions.get_key_value(name) else { continue };
        if seen.insert(*name) {
            let words = body.split(|c: char| !c.is_alphanumeric() && c != '_');
            open.extend(words.filter(|word| functions.contains_key(word)));
            said.push_str(body);
        }
    }
    said
}
