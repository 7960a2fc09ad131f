//! What the lock files may not fall back to: versions before a fix of something that would concern us, and crates that
//! were given up with a hole in them.
//!
//! `deny.toml` asks the database of advisories for the same where there is a network; this needs none.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The first version without it, and what it is. A crate that is not there at all is well.
const FLOOR: &[(&str, &str, &str)] = &[
    ("h2", "0.4.16", "RUSTSEC-2026-0258: empty DATA frames without end"),
    ("httparse", "1.8.0", "before it, a chunk size could overflow on its way to hyper"),
    ("hyper", "1.0.0", "RUSTSEC-2021-0078, -0079: lengths that two parties read in two ways"),
    ("quinn-proto", "0.11.15", "RUSTSEC-2026-0037, -0185: a panic and memory without end from one packet"),
    ("rustls", "0.23.18", "RUSTSEC-2024-0336, -0399: an endless loop, and a panic on a cut ClientHello"),
    ("rustls-webpki", "0.103.13", "RUSTSEC-2026-0049, -0098, -0099, -0104: names and revocation"),
    ("tokio-rustls", "0.23.0", "RUSTSEC-2020-0019: memory without end"),
    ("tower-http", "0.2.1", "RUSTSEC-2021-0135, 2022-0043: a path out of the folder"),
    ("tungstenite", "0.20.1", "RUSTSEC-2023-0065: a head read again with each byte"),
    ("zlib-rs", "0.4.0", "RUSTSEC-2024-0401: the stack, by a stream"),
];

/// Nobody mends them.
const GIVEN_UP: &[(&str, &str)] = &[
    ("hpack", "RUSTSEC-2023-0085: panics"),
    ("tiny_http", "RUSTSEC-2020-0031: smuggling"),
    ("websocket", "RUSTSEC-2022-0035: allocates what a header declares"),
    ("ws", "RUSTSEC-2020-0043: sends from a buffer without a bound"),
];

#[test]
fn no_dependency_is_older_than_the_fix_that_it_needs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let lock_files = lock_files(&root);
    for known in ["Cargo.lock", "fuzz/gateway/Cargo.lock"] {
        assert!(lock_files.contains(&root.join(known)), "{known} is not among {lock_files:?}");
    }
    for path in lock_files {
        let file = path.strip_prefix(&root).unwrap().display();
        let lock: Lock = toml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let versions = |name| lock.package.iter().filter(move |package| package.name == name);
        for &(name, first_fixed, why) in FLOOR {
            for Package { version, .. } in versions(name) {
                assert!(
                    numbers(version) >= numbers(first_fixed),
                    "{file}: {name} {version} is before {first_fixed}: {why}"
                );
            }
        }
        for (name, why) in GIVEN_UP {
            assert!(versions(name).next().is_none(), "{file}: {name}: {why}");
        }
    }
}

#[test]
fn versions_are_compared_as_numbers() {
    assert!(numbers("0.23.9") < numbers("0.23.18"));
    assert!(numbers("1.0.0-rc.1") < numbers("1.0.1"));
    assert_eq!(numbers("0.103.13+build"), [0, 103, 13]);
}

/// Of a lock file, what is looked at here.
#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
}

/// Every lock file below a folder: that of the workspace, and those of the packages beside it. Not those of others, in what
/// is built or fetched.
fn lock_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (name, path) = (entry.file_name(), entry.path());
        if name == "Cargo.lock" {
            found.push(path);
        } else if entry.file_type().unwrap().is_dir() && !is_of_others(&path) {
            found.extend(lock_files(&path));
        }
    }
    found
}

/// `.git` and `.test`, what cargo has marked as its own, and what npm fetches.
fn is_of_others(folder: &Path) -> bool {
    let name = folder.file_name().unwrap().to_str().unwrap();
    name.starts_with('.') || matches!(name, "target" | "node_modules") || folder.join("CACHEDIR.TAG").exists()
}

/// Major, minor and patch. What comes before or after a release does not count.
fn numbers(version: &str) -> [u64; 3] {
    let release = version.split(['-', '+']).next().unwrap();
    let mut numbers = release.split('.').map(|number| number.parse().unwrap());
    [(); 3].map(|()| numbers.next().unwrap())
}
