//! The inputs that are kept, once through each body: what was found stays found. And some that are made of them, without
//! the eyes of a fuzzer: `TIDEGATE_FUZZ_INPUTS` says how many.

use std::env;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use crate::relay::sim::Choices;

/// Inputs of an ordinary run, for each target.
const INPUTS: usize = 200;

/// Bytes that mean something to one parser or the other.
const TELLING: &[u8] = b"\0\n\r\t \"#%'*+,-./:;=?@[\\]^_`{|}~09aZ\x7f\x80\xff";

/// A test of the same name for each target.
macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name), super::$name::run);
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
    access_line
    configuration
    lighttpd
    origin
    proxy_header
    relay
    request
    tokens
}

fn replay(name: &str, body: fn(&[u8])) {
    let kept = files(&corpora().join(name));
    assert!(!kept.is_empty(), "{name} has no inputs");
    let inputs: Vec<_> = kept.iter().map(|path| fs::read(path).unwrap()).collect();
    let fails = |input: &[u8]| catch_unwind(|| body(input)).is_err();
    let failed: Vec<_> =
        kept.iter().zip(&inputs).filter(|(_, input)| fails(input)).map(|(path, _)| path).collect();
    assert!(failed.is_empty(), "fails on {failed:?}");

    let mut choices = Choices::seeded(name.len() as u64);
    let wanted = env::var("TIDEGATE_FUZZ_INPUTS").map_or(INPUTS, |wanted| wanted.parse().unwrap());
    for number in 1..=wanted {
        let input = changed(&mut choices, &inputs);
        assert!(!fails(&input), "fails on input {number}, \"{}\"", input.escape_ascii());
    }
}

/// One of the inputs, changed in a few places.
fn changed(choices: &mut Choices<'_>, inputs: &[Vec<u8>]) -> Vec<u8> {
    let mut input = inputs[choices.below(inputs.len())].clone();
    for _ in 0..=choices.below(4) {
        let at = choices.below(input.len() + 1);
        let end = at + choices.below(input.len() - at + 1).min(choices.of(&[1, 4, 40]));
        match choices.below(6) {
            0 => drop(input.drain(at..end)),
            1 => input.insert(at, choices.of(TELLING)),
            2 => input.splice(at..end, choices.bytes(end - at)).for_each(drop),
            3 => input.extend_from_within(at..end),
            4 => {
                let piece = input[at..end].to_vec();
                let to = choices.below(input.len() + 1);
                input.splice(to..to, piece).for_each(drop);
            }
            _ => {
                let other = &inputs[choices.below(inputs.len())];
                let from = choices.below(other.len() + 1);
                let piece = &other[from..other.len().min(from + choices.of(&[3, 20, 200]))];
                input.splice(at..end, piece.iter().copied()).for_each(drop);
            }
        }
    }
    input
}

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/gateway/corpus")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}
