//! The inputs that the fuzzer keeps, once through each body: what was found stays found.

#![cfg(feature = "deflate")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[path = "../../../fuzz/bodies/mod.rs"]
mod bodies;

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

/// A test of the same name for each target.
macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name), bodies::$name::run);
        })*

        #[test]
        fn every_corpus_has_its_target() {
            let known = [$(stringify!($name)),*];
            for folder in files(&corpora()) {
                let name = folder.file_name().unwrap().to_str().unwrap();
                assert!(known.contains(&name), "nothing replays {name}");
            }
        }
    };
}

targets! {
    close_payload
    connection
    extension_list
    frame_decoder
    handshake_request
    handshake_response
    hybi00_frames
    hybi00_handshake
    inflate
    message_client
    message_server
    subprotocol_list
    uri
}

fn replay(name: &str, body: fn(&[u8])) {
    let inputs = files(&corpora().join(name));
    assert!(!inputs.is_empty(), "{name} has no inputs");
    let failed: Vec<_> =
        inputs.iter().filter(|path| catch_unwind(|| body(&fs::read(path).unwrap())).is_err()).collect();
    assert!(failed.is_empty(), "fails on {failed:?}");
}

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}
