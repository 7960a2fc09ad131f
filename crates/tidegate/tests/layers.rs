//! No arrow points forward: a module may use only what stands before it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// Leaves, then the stages in the order in which a connection meets them, then the line, the house and the door.
const ORDER: &[&str] = &[
    "clock",
    "named_file",
    "queue",
    "swap",
    "date",
    "path",
    "shown",
    "certificate",
    "recording",
    "ticker",
    "replay",
    "jwt",
    "config",
    "outcome",
    "metrics",
    "pool",
    "handover",
    "tls_socket",
    "io",
    "live",
    "proxy_header",
    "drain",
    "scratch",
    "diagnosis",
    "notify",
    "names",
    "ask",
    "memory",
    "access_log", // leaves
    "listener",
    "proxied",
    "tls",
    "http",
    "via",
    "request",
    "opening",
    "proof",
    "forward",
    "route",
    "policy",
    "auth",
    "lookup",
    "backend",
    "relay", // the line's stages
    "refused",
    "journal",
    "generation",
    "service",
    "files",
    "page", // what else a request can come to
    "conn",
    "worker",
    "admin",
    "app",
    "connect",
    "import",
    "websockify",
    "operator",
    "cli",
    "fuzzing", // where it is tested: bodies of fuzz targets
];

#[test]
fn no_module_uses_one_that_stands_behind_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for file in rust_files(&source) {
        let name = module(&file, &source);
        if matches!(name.as_str(), "lib" | "main") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        // Unit tests at the end of a file may use anything; what else is only for tests may not.
        let production = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for used in used_modules(production) {
            seen += 1;
            let behind = position(&used) > position(&name);
            if behind && used != name {
                wrong.push(format!("{} uses crate::{used}", file.display()));
            }
        }
    }
    assert!(seen > 50, "the test has lost sight of the imports");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn position(module: &str) -> usize {
    ORDER
        .iter()
        .position(|name| *name == module)
        .unwrap_or_else(|| panic!("{module} has no place in the order"))
}

/// The module directly below the crate that a file belongs to.
fn module(file: &Path, source: &Path) -> String {
    let relative = file.strip_prefix(source).unwrap();
    let first = relative.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// Every `crate::NAME` in a text, with the names of `use crate::{…}`.
fn used_modules(text: &str) -> Vec<String> {
    let mut used = Vec::new();
    for rest in text.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => used.push(identifier(rest)),
            Some(list) => {
                let list = list.split('}').next().unwrap();
                used.extend(list.split(',').map(|name| identifier(name.trim())));
            }
        }
    }
    used.retain(|name| !name.is_empty());
    used
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// What a client sends is no command. A process is started by words of the operator alone: by `websockify` the one that it
/// wraps, and itself in the background; by an upgrade the one that takes over.
#[test]
fn t238_only_the_operator_has_a_process_started() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut starting, mut folders) = (Vec::new(), vec![sources.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if fs::read_to_string(&path).unwrap().lines().any(is_about_commands) {
                starting.push(path.strip_prefix(&sources).unwrap().display().to_string());
            }
        }
    }
    starting.sort();
    assert_eq!(starting, ["app/upgrade/giving.rs", "websockify/daemon.rs", "websockify/wrap.rs"]);
}

fn is_about_commands(line: &str) -> bool {
    line.contains("process") && line.contains("Command")
}
