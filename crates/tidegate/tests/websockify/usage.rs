//! What is no command line, and what cannot be served.

use tidegate_testkit::Backend;

use crate::rig::{ANY_PORT, Place};

#[test]
fn wrong_usage_ends_with_2_and_says_what_is_wrong() {
    let place = Place::new();
    for (line, problem) in [
        ("", "too few arguments: where to listen is missing"),
        ("6080", "too few arguments: the target is missing"),
        ("6080 localhost", "has no colon"),
        ("http localhost:5900", "has no port to listen on"),
        ("6080 localhost:vnc", "has no port"),
        ("6080 localhost:5900 more", "too many arguments"),
        ("6080 localhost:5900 --token-source x", "--token-source needs --token-plugin"),
        ("6080 localhost:5900 --host-token", "--host-token needs --token-plugin"),
        ("6080 localhost:5900 --auth-source x", "--auth-source needs --auth-plugin"),
        ("6080 localhost:5900 --web-auth --web .", "--web-auth needs --auth-plugin"),
        ("6080 localhost:5900 --web-auth --auth-plugin X", "--web-auth needs --web"),
        ("6080 localhost:5900 --legacy-syslog", "--legacy-syslog needs --syslog"),
        ("6080 localhost:5900 --ssl-only", "--ssl-only needs a certificate"),
        ("6080 localhost:5900 --nonsense", "--nonsense"),
    ] {
        let (status, said) = place.ended(line);
        assert_eq!(status, 2, "{line}: {said}");
        assert!(said.contains(problem), "{line}: {said}");
    }
}

/// Where files are looked for that are not there, nobody would notice until a browser does.
#[test]
fn files_that_are_not_there_are_told_at_the_start() {
    let place = Place::new();
    let (status, said) = place.ended(&format!("{ANY_PORT} 127.0.0.1:1 --web nodir"));
    assert!(status == 1 && said.contains("--web: there is no folder nodir"), "{status}: {said}");
    let (status, said) = place.ended(&format!("{ANY_PORT} 127.0.0.1:1 --cert mistyped.pem --timeout 1"));
    assert!(
        status == 0 && said.contains("--cert: there is no file mistyped.pem, and so there is no TLS"),
        "{said}"
    );
}

#[test]
fn help_is_no_mistake() {
    let (status, said) = Place::new().ended("--help");
    assert_eq!(status, 0);
    for line in ["websockify [options] [ADDR:]PORT TARGET_ADDR:TARGET_PORT", "--run-once", "--token-plugin"] {
        assert!(said.contains(line), "{said}");
    }
}

#[test]
fn what_cannot_be_served_says_so_and_names_the_way_out() {
    let (place, backend) = (Place::new(), Backend::bind());
    let target = backend.address();
    place.write("self.pem", "no certificate");
    let (status, said) = place.ended(&format!("{ANY_PORT} {target}"));
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("is no PEM file"), "{said}");
    let (status, said) = place.ended(&format!("no.such.name.invalid:0 {target} --cert none"));
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("cannot listen on \"no.such.name.invalid\""), "{said}");
}
