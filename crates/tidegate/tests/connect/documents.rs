//! What docs/connect.md and docs/rpc-frmwrk.md show works as it stands there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tidegate_testkit::Backend;

use crate::rig::listen;

fn document(name: &str) -> String {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    fs::read_to_string(docs.join(name)).unwrap()
}

/// The first block of code in this language.
#[track_caller]
fn block<'a>(document: &'a str, language: &str) -> &'a str {
    let (_, rest) = document.split_once(&format!("```{language}\n")).expect("there is such a block");
    rest.split_once("```").expect("a block has an end").0
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let file = folder.join(name);
    fs::write(&file, text).unwrap();
    file
}

fn tidegate() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tidegate"))
}

#[test]
fn the_description_in_the_document_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let document = document("rpc-frmwrk.md");
    let description = write(folder.path(), "exampledesc.json", block(&document, "json"));
    let proxy = Backend::bind();
    let client = listen("stdio:").arg("--desc").arg(description);
    let client = client.arg("--proxy").arg(format!("http://{}", proxy.address())).start();
    assert_eq!(proxy.accept().read_head().target(), "server.example.com:443");
    client.diagnosis("ExampleService of");
    client.diagnosis("is at wss://server.example.com/chat");
}

#[test]
fn the_configuration_in_the_document_is_good() {
    let folder = tempfile::tempdir().unwrap();
    let document = document("rpc-frmwrk.md");
    let config = write(folder.path(), "tidegate.toml", block(&document, "toml"));
    let checked = tidegate().args(["check", "-c"]).arg(config).output().unwrap();
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(checked.status.success() && said.is_empty(), "{said}");
}

#[test]
fn every_flag_is_in_the_document_and_the_other_way_round() {
    let help = tidegate().args(["connect", "--help"]).output().unwrap();
    let (help, document) = (String::from_utf8(help.stdout).unwrap(), document("connect.md"));
    let flags = |text: &str| {
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        let mut flags: Vec<_> = words.filter(|word| word.starts_with("--")).map(str::to_owned).collect();
        flags.retain(|flag| flag.len() > 2 && !flag.starts_with("---") && flag != "--help");
        flags.sort();
        flags.dedup();
        flags
    };
    assert_eq!(flags(&help), flags(&document));
}
