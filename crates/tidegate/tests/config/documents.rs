//! What documents and examples show is what the gateway takes.

use std::fs;
use std::path::{Path, PathBuf};

use tidegate::config::{Overrides, parse};

use super::{lines, read, with_certificates};

fn repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

/// What stands between the marks of a block of TOML.
fn blocks(text: &str) -> Vec<&str> {
    text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// A folder with every file that examples and documents name.
fn with_files() -> tempfile::TempDir {
    let folder = with_certificates();
    let at = |name: &str| folder.path().join(name);
    for name in ["novnc", "site", "novnc/usr/share/novnc"] {
        fs::create_dir_all(at(name)).unwrap();
    }
    fs::write(at("tokens"), "").unwrap();
    fs::write(at("public.pem"), rcgen::KeyPair::generate().unwrap().public_key_pem()).unwrap();
    for name in ["clients.pem", "internal-ca.pem"] {
        fs::copy(at("cert.pem"), at(name)).unwrap();
    }
    fs::copy(at("token"), at("admin-token")).unwrap();
    folder
}

#[test]
fn every_example_is_correct() {
    let folder = with_files();
    let mut count = 0;
    for entry in fs::read_dir(repository("examples")).unwrap() {
        let example = entry.unwrap().path();
        if example.extension().is_some_and(|extension| extension == "toml") {
            let file = folder.path().join(example.file_name().unwrap());
            let checked = parse(&read(&example), &file, &Overrides::default());
            assert!(checked.diagnostics.is_empty(), "{}", lines(&checked));
            count += 1;
        }
    }
    assert!(count >= 5);
}

/// Each block of TOML stands alone, with its files where the guide says.
#[test]
fn every_example_of_the_guide_to_look_ups_is_correct() {
    let folder = with_files();
    let text = read(&repository("docs/lookup-and-auth.md")).replace("/etc/tidegate/", "");
    let blocks = blocks(&text);
    assert_eq!(blocks.len(), 6);
    for block in blocks {
        let text = format!("{block}\norigins = ['https://example.com']\n");
        let checked = parse(&text, &folder.path().join("tidegate.toml"), &Overrides::default());
        assert_eq!(lines(&checked), "", "{text}");
    }
}

/// A block that is only a part of a file is put where it belongs.
#[test]
fn every_block_of_the_documents_can_be_served() {
    const ROUTE: &str = "[[route]]\npath = '/'\nbackend = 'tls://a:1'\n";
    let folder = with_files();
    let mut documents = vec![repository("README.md")];
    for name in ["docs", "docs/migrating", "docs/recipes"] {
        let entries = fs::read_dir(repository(name)).unwrap().map(|entry| entry.unwrap().path());
        documents.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    let mut count = 0;
    for document in documents {
        let folders = ["/var/log/tidegate/", "/etc/tidegate/", "/run/credentials/tidegate.service/"];
        let text = folders.iter().fold(read(&document), |text, folder| text.replace(folder, ""));
        for block in blocks(&text) {
            let is_of = |keys: &[&str]| keys.iter().any(|key| block.starts_with(key));
            let whole = if block.contains("[[route]]") {
                block.to_owned()
            } else if is_of(&["backend_tls", "record"]) {
                format!("{ROUTE}{block}")
            } else if is_of(&["tls"]) {
                format!("[[listener]]\naddress = '127.0.0.1:1'\n{block}{ROUTE}")
            } else if is_of(&["admin_token_file"]) {
                format!("admin = '127.0.0.1:9090'\n{block}{ROUTE}")
            } else {
                format!("{block}{ROUTE}")
            };
            let checked = parse(&whole, &folder.path().join("tidegate.toml"), &Overrides::default());
            assert!(checked.config.is_some(), "{}: {}in\n{whole}", document.display(), lines(&checked));
            count += 1;
        }
    }
    assert!(count > 20, "{count} blocks");
}
