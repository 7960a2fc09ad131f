//! What the lock files may not fall back to: versions before a fix of something that would concern us, and crates that
//! were given up with a hole in them.
//!
//! `deny.toml` asks the database of advisories for the same where there is a network; this needs none.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::fs;
use std::path::Path;

/// Of the workspace, with how many crates are in it at the least, and of what is built beside it.
const LOCK_FILES: [(&str, usize); 5] = [
    ("Cargo.lock", 200),
    ("bench/Cargo.lock", 50),
    ("crates/tidegate-proto/benches/Cargo.lock", 50),
    ("fuzz/Cargo.lock", 10),
    ("fuzz/gateway/Cargo.lock", 200),
];

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
    for (file, crates_min) in LOCK_FILES {
        let locked = locked(file);
        assert!(locked.len() >= crates_min, "{file} was not understood: {} crates", locked.len());
        for &(name, first_fixed, why) in FLOOR {
            for (_, version) in locked.iter().filter(|(locked, _)| locked == name) {
                assert!(
                    numbers(version) >= numbers(first_fixed),
                    "{file}: {name} {version} is before {first_fixed}: {why}"
                );
            }
        }
        for (name, why) in GIVEN_UP {
            assert!(!locked.iter().any(|(locked, _)| locked == name), "{file}: {name}: {why}");
        }
    }
}

#[test]
fn versions_are_compared_as_numbers() {
    assert!(numbers("0.23.9") < numbers("0.23.18"));
    assert!(numbers("1.0.0-rc.1") < numbers("1.0.1"));
    assert_eq!(numbers("0.103.13+build"), [0, 103, 13]);
}

/// Name and version of every crate in a lock file.
fn locked(file: &str) -> Vec<(String, String)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
    let text = fs::read_to_string(file).unwrap();
    let value = |line: Option<&str>, key: &str| {
        let rest = line.and_then(|line| line.strip_prefix(key)?.strip_prefix(" = \""));
        rest.and_then(|rest| rest.strip_suffix('"')).map(str::to_owned)
    };
    let crates = text.split("[[package]]\n").skip(1);
    let named = crates.map(|krate| {
        let mut lines = krate.lines();
        let name = value(lines.next(), "name");
        name.zip(value(lines.next(), "version")).unwrap_or_else(|| panic!("{krate}"))
    });
    named.collect()
}

/// Major, minor and patch. What comes before or after a release does not count.
fn numbers(version: &str) -> [u64; 3] {
    let release = version.split(['-', '+']).next().unwrap();
    let mut numbers = release.split('.').map(|number| number.parse().unwrap());
    [(); 3].map(|()| numbers.next().unwrap())
}
