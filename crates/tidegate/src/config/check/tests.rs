use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::keys::{KEYS, Key, Takes};
use super::reference::Row;
use super::*;
use crate::config::{
    AccessLog, Authority, Backend, Folder, ListenAddress, ListenerTls, MessageType, OriginPolicy,
    ProxyVersion, Severity, Subprotocols,
};

#[test]
fn every_key_takes_a_legal_value() {
    let text = fs::read_to_string(data("every-key.toml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path(), "", "example.com");
    certificate(folder.path(), "other-", "::1");
    fs::create_dir(folder.path().join("pages")).unwrap();
    fs::write(folder.path().join("token"), "0123456789abcdef\n").unwrap();
    fs::write(folder.path().join("password"), "swordfish\n").unwrap();
    for key in KEYS {
        let assignment = format!("{} = ", key.name);
        let header = format!("[[{}]]", key.name);
        let stands_in = |line: &str| {
            let before = line.split_once(&assignment).map(|(before, _)| before);
            line == header || before.is_some_and(|before| before.is_empty() || before.ends_with(' '))
        };
        assert!(text.lines().any(stands_in), "{} does not stand in the file", key.name);
    }
    let checked = parse(&text, &folder.path().join("every-key.toml"), &Overrides::default());
    let errors: Vec<_> =
        checked.diagnostics.iter().filter(|found| found.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let config = checked.config.unwrap();
    top_is_as_written(&config, folder.path());
    listeners_are_as_written(&config, folder.path());
    routes_are_as_written(&config);
    every_key_is_shown(&config);
}

/// Every key stands in what is shown of a configuration, where it stands in the file.
fn every_key_is_shown(config: &Config) {
    let shown = crate::config::shown(config);
    let all = |list: &serde_json::Value, name: &str| -> Vec<serde_json::Value> {
        list.as_array().unwrap().iter().map(|table| table[name].clone()).collect()
    };
    for key in KEYS {
        let tables = match key.place {
            Place::Top => vec![shown.clone()],
            Place::Listener => shown["listener"].as_array().unwrap().clone(),
            Place::Tls => vec![shown["listener"][0]["tls"][0].clone()],
            Place::Route => shown["route"].as_array().unwrap().clone(),
            Place::BackendTls => all(&shown["route"], "backend_tls"),
            Place::Lookup => all(&shown["route"], "lookup"),
            Place::Record => all(&shown["route"], "record"),
            Place::Auth => all(&shown["route"], "auth"),
        };
        assert!(tables.iter().any(|table| table.get(key.name).is_some()), "{} is not shown", key.name);
    }
}

fn top_is_as_written(config: &Config, folder: &Path) {
    assert_eq!(config.workers, 4);
    assert_eq!(config.connections_max, Some(10_000));
    assert_eq!(config.connections_per_client_max, 100);
    assert_eq!(config.handshakes_max, 500);
    let admin = config.admin.as_ref().unwrap();
    assert_eq!(admin.listener.address, ListenAddress::Tcp(SocketAddr::from(([127, 0, 0, 1], 9090))));
    assert_eq!(
        (admin.listener.socket_mode, admin.names.as_slice()),
        (0o600, &["gateway.example.com".to_owned()][..])
    );
    let clients = admin.listener.client_certificates.as_ref().unwrap();
    assert_eq!((clients.ca.as_ref(), clients.required), (Some(&folder.join("cert.pem")), true));
    assert!(
        matches!(&admin.listener.tls, ListenerTls::Required(files) if files[0].key == folder.join("key.pem"))
    );
    let token = admin.token.as_ref().unwrap();
    assert_eq!(
        (token.file.as_path(), token.secret.as_str()),
        (folder.join("token").as_path(), "0123456789abcdef")
    );
    assert!(!format!("{config:?}").contains("0123456789abcdef"), "no token is ever shown");
    assert_eq!(config.drain, Duration::from_secs(60));
    assert_eq!(config.drain_rate, 1000);
    assert_eq!(config.access_log, AccessLog::File(folder.join("access.log")));
}

fn listeners_are_as_written(config: &Config, folder: &Path) {
    let [tls, auto, unix] = config.listeners.as_slice() else { panic!("there are three listeners") };
    assert!(matches!(&tls.tls, ListenerTls::Required(files) if files.len() == 2));
    assert_eq!(
        tls.trusted_proxies.networks.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["10.0.0.0/8", "::1/128"]
    );
    assert!(tls.proxy_protocol && tls.lenient_key);
    assert_eq!(tls.server_names, Some(vec!["example.com".to_owned(), "[::1]".to_owned()]));
    assert_eq!((tls.head_timeout, tls.tls_timeout), (Duration::from_millis(250), Duration::from_secs(5)));
    assert!(matches!(&auto.tls, ListenerTls::Auto(files) if files[0].cert == folder.join("cert.pem")));
    assert!(!tls.trusted_proxies.unix && unix.trusted_proxies.unix);
    assert_eq!(unix.address, ListenAddress::Unix("/run/tidegate.sock".into()));
    assert_eq!((tls.socket_mode, unix.socket_mode), (0o660, 0o666));
    assert_eq!(unix.tls, ListenerTls::Off);
    assert!(!unix.proxy_protocol && !unix.lenient_key && unix.server_names.is_none());
    assert_eq!((unix.head_timeout, unix.tls_timeout), (Duration::from_secs(10), Duration::from_secs(10)));
}

fn routes_are_as_written(config: &Config) {
    let route = &config.routes[0];
    assert_eq!(route.name, "raw");
    assert_eq!(route.host.as_ref().unwrap().to_string(), "*.example.com");
    assert_eq!(route.path.to_string(), "/raw/*");
    assert_eq!(route.backends[0], Backend::Tcp(Authority { host: "127.0.0.1".to_owned(), port: 5900 }));
    assert_eq!(route.backends.len(), 3);
    assert!(matches!(&route.origins, OriginPolicy::List(patterns) if patterns.len() == 4));
    assert!(!route.allow_missing_origin);
    let names = vec!["mqtt".to_owned(), "chat.v2".to_owned()];
    assert_eq!(route.subprotocols, Subprotocols::List { names, required: true });
    assert_eq!(route.message, MessageType::Text);
    assert!(route.legacy_hybi00 && route.compression && route.binary_only);
    assert_eq!(route.ping_interval, Some(Duration::from_secs(60)));
    assert_eq!(route.ping_timeout, None);
    assert_eq!(route.idle_timeout, Some(Duration::from_secs(7200)));
    assert_eq!((route.frame_bytes_max, route.message_bytes_max), (65_536, Some(16 << 20)));
    assert_eq!(route.fragments_max, Some(7));
    assert_eq!(route.connect_timeout, Duration::from_millis(500));
    assert_eq!(config.routes[2].upgrade_timeout, Duration::from_secs(3));
    assert_eq!(route.send_proxy, Some(ProxyVersion::V2));
    assert!(matches!(config.routes[1].origins, OriginPolicy::Any));
    assert!(matches!(&config.routes[3].backends[..], [Backend::File(Folder { listing: true, .. })]));
    assert_eq!(config.routes[4].subprotocols, Subprotocols::List { names: Vec::new(), required: false });
    let names: Vec<_> = config.routes[1..].iter().map(|route| route.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "~/app[0-9]+",
            "/http/*",
            "/files/*",
            "/echo",
            "/handoff",
            "/token",
            "/users",
            "/certified",
            "/signed",
            "/asked"
        ]
    );
}

#[test]
fn what_is_not_set_has_its_default() {
    let text = "[[route]]\npath = \"/\"\nbackend = \"tcp://127.0.0.1:1\"\n";
    let checked = check(text, Path::new("tidegate.toml"), &Overrides::default(), false);
    assert!(checked.diagnostics.is_empty(), "{:?}", checked.diagnostics);
    let config = checked.config.unwrap();
    assert!(config.workers >= 1);
    assert_eq!((config.connections_max, config.connections_per_client_max), (None, 0));
    assert_eq!((config.handshakes_max, config.admin.is_none()), (1000, true));
    assert_eq!((config.drain, config.drain_rate), (Duration::from_secs(30), 500));
    assert_eq!(config.access_log, AccessLog::Stdout);
    let route = &config.routes[0];
    assert!(route.host.is_none() && route.allow_missing_origin);
    assert!(matches!(route.origins, OriginPolicy::SameOrigin));
    assert_eq!((&route.subprotocols, route.message), (&Subprotocols::Unset, MessageType::Binary));
    assert_eq!(
        (route.ping_interval, route.ping_timeout),
        (Some(Duration::from_secs(20)), Some(Duration::from_secs(20)))
    );
    assert_eq!((route.idle_timeout, route.send_proxy), (None, None));
    assert_eq!((route.frame_bytes_max, route.message_bytes_max, route.fragments_max), (1 << 20, None, None));
    assert_eq!(
        (route.connect_timeout, route.upgrade_timeout),
        (Duration::from_secs(5), Duration::from_secs(10))
    );
    assert!(!route.legacy_hybi00 && !route.compression && !route.binary_only);
}

/// The reference lists each key as a row: `` | `key` | default | what it takes | … |``, under a heading of its place.
#[test]
fn the_reference_has_every_key_with_its_default_and_its_bounds() {
    let rows = reference::rows();
    for Row { place, name, default, takes, meaning } in &rows {
        let key = keys::find(*place, name).unwrap_or_else(|| panic!("the code does not know {name}"));
        assert_eq!(*default, expected_default(key), "default of {name}");
        if matches!(
            key.takes,
            Takes::Count { .. } | Takes::Duration { .. } | Takes::Size { .. } | Takes::Flag
        ) {
            assert_eq!(*takes, key.takes.to_string(), "bounds of {name}");
        }
        assert!(!meaning.is_empty(), "meaning of {name}");
    }
    for key in KEYS.iter().filter(|key| !["listener", "route"].contains(&key.name)) {
        let has_row = rows.iter().any(|row| (row.place, row.name) == (key.place, key.name));
        assert!(has_row, "no row for {}", key.name);
    }
}

/// Values are set as code, words are not.
fn expected_default(key: &Key) -> String {
    let is_value = match key.takes {
        Takes::Count { .. } => key.default.parse::<u64>().is_ok(),
        Takes::Flag => true,
        Takes::Duration { .. } | Takes::Size { .. }
            if !key.default.starts_with(|c: char| c.is_ascii_digit()) =>
        {
            false
        }
        Takes::Duration { .. } | Takes::Size { .. } => {
            return format!("`\"{}\"`", key.default).replace("\"0\"", "0");
        }
        Takes::Text(takes) => takes.contains(&format!("\"{}\"", key.default)),
        Takes::Other(_) => key.default == "[]",
    };
    match (is_value, &key.takes) {
        (false, _) => key.default.to_owned(),
        (true, Takes::Text(_)) => format!("`\"{}\"`", key.default),
        (true, _) => format!("`{}`", key.default),
    }
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config").join(name)
}

/// A certificate for this name, with its key, in two files.
fn certificate(folder: &Path, prefix: &str, name: &str) {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    fs::write(folder.join(format!("{prefix}cert.pem")), params.self_signed(&key).unwrap().pem()).unwrap();
    fs::write(folder.join(format!("{prefix}key.pem")), key.serialize_pem()).unwrap();
}
