use std::fs;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::crypto::aws_lc_rs;
use tempfile::TempDir;

use super::*;

/// A certificate for `gw.test` and its key, as PEM.
fn issued(change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["gw.test".to_owned()]).unwrap();
    change(&mut params);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn load(cert: &[u8], key: &[u8]) -> Result<Certificate, Unusable> {
    let folder = TempDir::new().unwrap();
    let [cert_path, key_path] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    fs::write(&cert_path, cert).unwrap();
    fs::write(&key_path, key).unwrap();
    Certificate::load(&cert_path, &key_path, None, &aws_lc_rs::default_provider())
}

fn at(text: &str) -> SystemTime {
    humantime::parse_rfc3339(&format!("{text}T00:00:00Z")).unwrap()
}

/// Which of the files is at fault, and what is said of it.
fn fault(cert: &[u8], key: &[u8]) -> (Part, String) {
    let unusable = load(cert, key).unwrap_err();
    (unusable.part, unusable.fault.to_string())
}

#[test]
fn a_chain_and_its_key() {
    let (cert, key) = issued(|_| {});
    let certificate = load(cert.as_bytes(), key.as_bytes()).unwrap();
    assert_eq!(certificate.certified.cert.len(), 1);
    let (another, _) = issued(|_| {});
    let certificate = load(format!("# the chain\n{cert}{another}").as_bytes(), key.as_bytes()).unwrap();
    assert_eq!(certificate.certified.cert.len(), 2);
    let both = format!("{key}{cert}");
    assert!(load(both.as_bytes(), both.as_bytes()).is_ok(), "one file for both");
}

#[test]
fn f44_half_written_files() {
    let (cert, key) = issued(|_| {});
    let (good_cert, good_key) = (cert.as_bytes(), key.as_bytes());
    let broken = "breaks off in the middle of a block".to_owned();
    // Wherever it is cut, the last line, which ends the block, is not whole.
    for length in [1, 20, 40, 200, cert.trim_end().len() - 1] {
        let (part, said) = fault(&good_cert[..length], good_key);
        assert_eq!(part, Part::Chain);
        assert!(said == broken || said.starts_with("is no PEM file"), "{length}: {said}");
    }
    assert_eq!(fault(good_cert, &good_key[..key.len() / 2]), (Part::Key, broken.clone()));
    assert_eq!(fault(format!("{cert}{}", &cert[..100]).as_bytes(), good_key), (Part::Chain, broken));
    assert_eq!(fault(b"", good_key), (Part::Chain, "is empty".to_owned()));
    assert_eq!(fault(good_cert, b""), (Part::Key, "is empty".to_owned()));
    let damaged = cert.replacen("MII", "M!I", 1);
    assert_eq!(fault(damaged.as_bytes(), good_key).1, "is damaged: a block of it is not base64");
    let large = vec![b'\n'; (1 << 20) + 1];
    assert_eq!(fault(&large, good_key).1, "has more than 1 MiB");
}

#[test]
fn files_that_are_something_else() {
    let (cert, key) = issued(|_| {});
    let (cert, key) = (cert.as_bytes(), key.as_bytes());
    let (part, said) = fault(key, cert);
    assert_eq!((part, said.as_str()), (Part::Chain, "has no CERTIFICATE in it, only PRIVATE KEY"));
    assert_eq!(fault(cert, cert), (Part::Key, "has no PRIVATE KEY in it, only CERTIFICATE".to_owned()));
    let no_pem = "is no PEM file: none of its lines begins with -----BEGIN";
    assert_eq!(fault(b"\x30\x82\x01\x00", key).1, no_pem);
    assert_eq!(fault(cert, b"secret").1, no_pem);
    let trusted = String::from_utf8_lossy(cert).replace("CERTIFICATE", "TRUSTED CERTIFICATE");
    assert_eq!(fault(trusted.as_bytes(), key).1, "has no CERTIFICATE in it, only TRUSTED CERTIFICATE");
    let block = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n").into_bytes();
    assert!(fault(&block("CERTIFICATE"), key).1.starts_with("has a certificate that cannot be read"));
    assert!(fault(cert, &block("PRIVATE KEY")).1.starts_with("has a private key that cannot be used"));
    let encrypted = "has a private key that is encrypted";
    assert_eq!(fault(cert, &block("ENCRYPTED PRIVATE KEY")).1, encrypted);
    let older =
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    assert_eq!(fault(cert, older.as_bytes()).1, encrypted);
    let many: String = (0..9).map(|n| format!("-----BEGIN {n}{}-----\n", "X".repeat(90))).collect();
    assert!(fault(format!("{many}-----END 8{}-----", "X".repeat(90)).as_bytes(), key).1.len() < 300);
}

#[test]
fn f43_the_key_of_another_certificate() {
    let (cert, _) = issued(|_| {});
    let (_, key) = issued(|_| {});
    let unusable = load(cert.as_bytes(), key.as_bytes()).unwrap_err();
    assert_eq!(unusable.part, Part::Key);
    let said = unusable.to_string();
    assert!(said.contains("key.pem: is not the key of the first certificate in "), "{said}");
    assert!(said.ends_with("the server's own certificate comes first"), "{said}");
}

#[test]
fn a_missing_file_is_named() {
    let nowhere = Path::new("/nonexistent/cert.pem");
    let unusable = Certificate::load(nowhere, nowhere, None, &aws_lc_rs::default_provider()).unwrap_err();
    assert!(unusable.to_string().starts_with("/nonexistent/cert.pem: cannot be read: No such file"));
}

#[test]
fn f44_what_the_dates_mean() {
    let (cert, key) = issued(|params| {
        params.not_before = date_time_ymd(2026, 3, 1);
        params.not_after = date_time_ymd(2026, 6, 1);
    });
    let certificate = load(cert.as_bytes(), key.as_bytes()).unwrap();
    let (start, end) = (at("2026-03-01"), at("2026-06-01"));
    for (now, health) in [
        ("1971-01-01", Health::NotYet(start)),
        ("2026-02-28", Health::NotYet(start)),
        ("2026-03-01", Health::Good),
        ("2026-05-18", Health::Good),
        ("2026-05-19", Health::Ending(end)),
        ("2026-06-01", Health::Ending(end)),
        ("2026-06-02", Health::Expired(end)),
        ("2400-01-01", Health::Expired(end)),
    ] {
        assert_eq!(certificate.health(at(now)), health, "{now}");
    }
}

/// What is not about the dates must not hide them: a certificate of its own authority, and one that is not for servers.
#[test]
fn dates_are_found_in_certificates_of_every_kind() {
    let of_an_authority = issued(|params| {
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.not_after = date_time_ymd(2026, 6, 1);
    });
    let of_a_client = issued(|params| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        params.not_after = date_time_ymd(2026, 6, 1);
    });
    for (cert, key) in [of_an_authority, of_a_client] {
        let certificate = load(cert.as_bytes(), key.as_bytes()).unwrap();
        assert_eq!(certificate.health(at("2026-06-02")), Health::Expired(at("2026-06-01")));
    }
}

#[test]
fn names() {
    let key = KeyPair::generate().unwrap();
    let names = ["example.com", "*.example.com", "192.0.2.1"].map(str::to_owned);
    let cert = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    let certificate = load(cert.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap();
    assert_eq!(certificate.dns_names(), ["example.com", "*.example.com"]);
    for (name, valid) in [
        ("example.com", true),
        ("a.example.com", true),
        ("a.b.example.com", false),
        ("192.0.2.1", true),
        ("192.0.2.2", false),
        ("example.org", false),
    ] {
        assert_eq!(certificate.is_valid_for(&ServerName::try_from(name).unwrap()), valid, "{name}");
    }
}
