//! TLS and plain connections on one port, with keys and versions as they are asked for.

use std::process::Command;

use rustls::version::{TLS12, TLS13};
use tidegate_testkit::{Authority, Backend, eventually};

use crate::rig::{ANY_PORT, Place, open, talk, upgrade};

#[test]
fn a_certificate_makes_one_port_serve_both() {
    let (place, backend, authority) = (Place::new(), Backend::bind(), Authority::new());
    let identity = authority.issue("127.0.0.1");
    let chain = std::fs::read_to_string(identity.cert()).unwrap();
    let key = std::fs::read_to_string(identity.key()).unwrap();
    place.write("cert.pem", &chain);
    place.write("key.pem", &key);
    place.write("both.pem", chain + &key);
    for files in ["--cert cert.pem --key key.pem", "--cert both.pem"] {
        for only in ["", "--ssl-only"] {
            let gateway = place.start(&format!("{files} {only} {ANY_PORT} {}", backend.address()));
            let secure = gateway.connect().secured_as_client(&authority.client(), "127.0.0.1");
            let (mut client, mut far) = open(secure, &upgrade("/"), &backend);
            talk(&mut client, &mut far);
            let mut plain = gateway.connect();
            if only.is_empty() {
                let (mut client, mut far) = open(plain, &upgrade("/"), &backend);
                talk(&mut client, &mut far);
            } else {
                plain.send(upgrade("/").encode());
                assert!(!plain.read_to_end().0.starts_with(b"HTTP"), "it was answered without TLS");
            }
        }
    }
}

/// There, files are read for each connection; here they are looked at.
#[test]
fn a_renewed_certificate_is_served_without_a_restart() {
    let (place, backend, former, later) = (Place::new(), Backend::bind(), Authority::new(), Authority::new());
    let both = |authority: &Authority| {
        let identity = authority.issue("127.0.0.1");
        [identity.cert(), identity.key()].map(|file| std::fs::read_to_string(file).unwrap()).concat()
    };
    place.write("self.pem", both(&former));
    let gateway = place.start(&format!("--ssl-only {ANY_PORT} {}", backend.address()));
    let secure = gateway.connect().secured_as_client(&former.client(), "127.0.0.1");
    let (mut client, mut far) = open(secure, &upgrade("/"), &backend);

    place.write("next.pem", both(&later));
    std::fs::rename(place.path().join("next.pem"), place.path().join("self.pem")).unwrap();
    let secure = eventually("the new one is served", || {
        gateway.connect().try_secured_as_client(&later.client(), "127.0.0.1").ok()
    });
    drop(open(secure, &upgrade("/"), &backend));
    talk(&mut client, &mut far);
}

#[test]
fn self_pem_is_served_if_it_is_there() {
    let (place, backend, authority) = (Place::new(), Backend::bind(), Authority::new());
    let identity = authority.issue("127.0.0.1");
    let read = |path| std::fs::read_to_string(path).unwrap();
    place.write("self.pem", read(identity.cert()) + &read(identity.key()));
    let gateway = place.start(&format!("{ANY_PORT} {}", backend.address()));
    let secure = gateway.connect().secured_as_client(&authority.client(), "127.0.0.1");
    drop(open(secure, &upgrade("/"), &backend));
}

#[test]
fn the_lowest_version_of_tls() {
    let (place, backend, authority) = (Place::new(), Backend::bind(), Authority::new());
    let identity = authority.issue("127.0.0.1");
    let files = format!("--cert {} --key {}", identity.cert().display(), identity.key().display());
    for (version, speaks_12) in [("default", true), ("tlsv1_1", true), ("tlsv1_2", true), ("tlsv1_3", false)]
    {
        let gateway =
            place.start(&format!("{files} --ssl-version {version} {ANY_PORT} {}", backend.address()));
        let new = gateway.connect().secured_as_client(&authority.client_speaking(&[&TLS13]), "127.0.0.1");
        let (mut client, mut far) = open(new, &upgrade("/"), &backend);
        talk(&mut client, &mut far);
        let old = authority.client_speaking(&[&TLS12]);
        match gateway.connect().try_secured_as_client(&old, "127.0.0.1") {
            Ok(secure) => {
                assert!(speaks_12, "{version}");
                let (mut client, mut far) = open(secure, &upgrade("/"), &backend);
                talk(&mut client, &mut far);
            }
            Err(error) => {
                assert!(!speaks_12, "{version}");
                assert!(error.to_string().contains("ProtocolVersion"), "{version}: {error}");
            }
        }
    }
}

#[test]
fn a_key_that_is_encrypted_is_opened_with_its_password() {
    let (place, backend, authority) = (Place::new(), Backend::bind(), Authority::new());
    let identity = authority.issue("127.0.0.1");
    std::fs::copy(identity.cert(), place.path().join("cert.pem")).unwrap();
    for form in ["-v2 aes-256-cbc", "-v2 aes-128-cbc -v2prf hmacWithSHA512 -iter 9999"] {
        let mut openssl = Command::new("openssl");
        openssl.args(["pkcs8", "-topk8", "-passout", "pass:swordfish", "-in"]).arg(identity.key());
        openssl.args(form.split(' ')).arg("-out").arg(place.path().join("key.pem"));
        assert!(openssl.status().expect("openssl is there").success(), "{form}");
        let line = |password: &str| {
            format!("--cert cert.pem --key key.pem {password} {ANY_PORT} {}", backend.address())
        };
        let gateway = place.start(&line("--key-password swordfish"));
        gateway.diagnosis("--key-password can be read by every user");
        let secure = gateway.connect().secured_as_client(&authority.client(), "127.0.0.1");
        let (mut client, mut far) = open(secure, &upgrade("/"), &backend);
        talk(&mut client, &mut far);
        for (password, problem) in [
            ("--key-password swordfisher", "encrypted with another password"),
            ("", "has a private key that is encrypted;"),
        ] {
            let (status, said) = place.ended(&line(password));
            assert_eq!(status, 1, "{said}");
            assert!(said.contains(problem) && !said.contains("swordfish"), "{said}");
        }
    }
}
