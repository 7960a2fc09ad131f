//! The configuration file that serves the same as a command line, and what of the command line has no place in it.

use std::path::{Path, PathBuf};

use super::args::SslVersion;
use super::mapping::{self, Unserved};
use super::options::{From, Lookup, Options, Target};
use super::plugins;
use crate::config::{
    Auth, AuthKind, Backend, CertificateAuth, CertificateFiles, ListenAddress, Listener, ListenerTls,
    LookupSource, OriginPolicy, Route, Secret, TlsVersion, User,
};
use crate::import::{self, Document, Outcome, Report, Table, Toml};

/// Translates a command line.
///
/// # Errors
/// What keeps it from being served at all.
pub(super) fn import(options: &Options) -> Result<Outcome, Unserved> {
    let document = document(options)?;
    let mut report = Report::new();
    say(options, &mut report);
    let comments = COMMENTS.iter().map(|line| (*line).to_owned()).collect();
    Ok(import::outcome(Document { comments, ..document }, report.to_string(), report.is_incomplete()))
}

fn document(options: &Options) -> Result<Document, Unserved> {
    let config = mapping::config(options, Some(wrapped_port(options)))?;
    let has_address = |listener: &&Listener| listener.address != ListenAddress::Stdin;
    let listeners = config.listeners.iter().filter(has_address).map(listener).collect();
    let routes = config.routes.iter().map(|route| self::route(route, options)).collect();
    Ok(Document { listeners, routes, ..Document::default() })
}

/// Where the wrapped command has to be told to listen: next to the gateway, as no port can be chosen for good.
fn wrapped_port(options: &Options) -> u16 {
    match &options.listen {
        From::Address(listen) => listen.port.checked_add(1).unwrap_or(u16::MAX - 1),
        From::Unix(_) | From::Inherited => 5900,
    }
}

fn listener(listener: &Listener) -> Table {
    let table = Table::new(about(&listener.tls)).with("address", listener.address.to_string());
    let mode = matches!(listener.address, ListenAddress::Unix(_));
    let table = table.with_some("socket_mode", mode.then(|| format!("{:04o}", listener.socket_mode)));
    let table = match &listener.tls {
        ListenerTls::Off => table,
        ListenerTls::Auto(files) => files
            .iter()
            .flat_map(certificate)
            .fold(table.with("tls", "auto"), |table, (key, value)| table.with(key, value)),
        ListenerTls::Required(files) => {
            files.iter().fold(table, |table, files| table.with("tls", Toml::Table(certificate(files))))
        }
    };
    let table = match listener.tls_version_min {
        TlsVersion::V1_2 => table,
        TlsVersion::V1_3 => table.with("tls_min_version", "1.3"),
    };
    let clients = listener.client_certificates.as_ref();
    let ca = clients.and_then(|clients| clients.ca.as_ref());
    table
        .with_some("client_cert", clients.map(|_| "required"))
        .with_some("client_ca", ca.map(|path| path.display().to_string()))
}

/// The password stays out of the file: it is to stand in one of its own, which nobody else may read.
fn certificate(files: &CertificateFiles) -> Vec<(&'static str, Toml)> {
    let shown = |path: &Path| Toml::from(path.display().to_string());
    let mut entries = vec![("cert", shown(&files.cert)), ("key", shown(&files.key))];
    if files.key_password.is_some() {
        entries.push(("key_password_file", shown(&password_file(&files.key))));
    }
    entries
}

fn password_file(key: &Path) -> PathBuf {
    key.with_added_extension("password")
}

fn route(route: &Route, options: &Options) -> Table {
    let backend = route.backends.first().expect("a route has a backend");
    let table = Table::new(comment(backend)).with("name", route.name.as_str()).with("path", "/*");
    let table = match (&options.target, backend) {
        (Target::Lookup(asked), Backend::Lookup(found)) => {
            table.with("lookup", lookup(asked, &found.source, options))
        }
        (Target::Tcp(_) | Target::Unix(_) | Target::Command(_) | Target::Lookup(_), _) => {
            table.with("backend", backend.to_string())
        }
    };
    let table = table.with_some("auth", route.auth.as_ref().map(auth));
    if let Backend::File(folder) = backend {
        return table.with("listing", folder.listing);
    }
    let ping = match route.ping_interval {
        Some(interval) => Toml::from(format!("{}s", interval.as_secs())),
        None => Toml::Number(0),
    };
    table
        .with("origins", origins(&route.origins, options))
        .with("allow_missing_origin", route.allow_missing_origin)
        .with("subprotocols", vec!["binary"])
        .with("accept", "binary")
        .with("ping_interval", ping)
        .with("ping_timeout", Toml::Number(0))
        .with("max_frame", "1TiB")
        .with_some("record", options.args.record.as_deref().map(record))
}

fn record(file: &Path) -> Toml {
    let path = mapping::recording(file).expect("it was served above");
    Toml::Table(vec![
        ("path", Toml::from(path.display().to_string())),
        ("format", Toml::from("websockify")),
        ("max_bytes", Toml::from("1TiB")),
    ])
}

/// A password is hashed on its way into the file.
fn auth(auth: &Auth) -> Toml {
    let mut entries = match &auth.kind {
        AuthKind::Basic(users) => {
            let users: Vec<_> = users.iter().filter_map(hashed).collect();
            vec![("kind", Toml::from("basic")), ("users", Toml::from(users))]
        }
        AuthKind::ClientCert(CertificateAuth { names, .. }) => vec![
            ("kind", Toml::from("client-cert")),
            ("names", Toml::from(names.clone())),
            ("names_in", Toml::from("common-name")),
        ],
        AuthKind::Jwt(_) | AuthKind::Forward(_) => unreachable!("no plugin becomes this"),
    };
    entries.push(("realm", Toml::from(auth.realm.as_str())));
    Toml::Table(entries)
}

/// `None` for what is no password: then the list is empty, and nobody is let in.
fn hashed(user: &User) -> Option<String> {
    let Secret::Plain(password) = &user.secret else { return None };
    let hash = bcrypt::hash(password, bcrypt::DEFAULT_COST).ok()?;
    Some(format!("{}:{hash}", user.name))
}

const fn about(tls: &ListenerTls) -> &'static str {
    match tls {
        ListenerTls::Off => "Without TLS.",
        ListenerTls::Auto(_) => "Plain connections and TLS on one port.",
        ListenerTls::Required(_) => "TLS only.",
    }
}

const fn comment(backend: &Backend) -> &'static str {
    if matches!(backend, Backend::File(_)) {
        "Plain requests, on the same paths."
    } else {
        "WebSockets, on every path."
    }
}

fn lookup(asked: &Lookup, found: &LookupSource, options: &Options) -> Toml {
    let kind = plugins::kind(asked).expect("it was served above");
    // A path is the one that was found from here: in a file it would start at the folder of that.
    let source = match found {
        LookupSource::File(path) | LookupSource::ReadOnlyFile(path) | LookupSource::Jwt(path) => {
            path.display().to_string()
        }
        LookupSource::Directory(path) | LookupSource::UnixDirectory(path) => path.display().to_string(),
        LookupSource::Http(_) | LookupSource::Json(_) | LookupSource::Redis(_) => {
            asked.source.clone().unwrap_or_default()
        }
    };
    let mut entries = vec![("kind", Toml::from(kind)), ("source", Toml::from(source))];
    if options.args.host_token {
        entries.push(("key", Toml::from("host")));
    }
    if options.args.ssl_target {
        entries.push(("tls", Toml::from(true)));
    }
    Toml::Table(entries)
}

fn origins(policy: &OriginPolicy, options: &Options) -> Toml {
    match policy {
        OriginPolicy::SameOrigin | OriginPolicy::Any => Toml::from(vec!["*"]),
        OriginPolicy::List(_) => {
            let source = options.args.auth_source.as_deref().unwrap_or_default();
            Toml::from(source.split_whitespace().collect::<Vec<_>>())
        }
    }
}

/// What becomes of each option that was given.
fn say(options: &Options, report: &mut Report<&'static str>) {
    let args = &options.args;
    match &options.listen {
        From::Address(_) => report.translated(&HERE, "[ADDR:]PORT"),
        From::Unix(_) => report.translated(&HERE, "--unix-listen"),
        From::Inherited => {
            report.without(&HERE, "--inetd", "write a [[listener]] with the address that inetd listens on");
        }
    }
    match &options.target {
        Target::Tcp(_) => report.translated(&HERE, "TARGET_ADDR:TARGET_PORT"),
        Target::Unix(_) => report.translated(&HERE, "--unix-target"),
        Target::Lookup(_) => report.translated(&HERE, "--token-plugin"),
        Target::Command(_) => {
            let port = wrapped_port(options);
            let why = format!("start it by other means, so that it listens on 127.0.0.1:{port}");
            report.without(&HERE, "-- COMMAND", why);
        }
    }
    let translated = [
        ("--cert", args.cert.exists()),
        ("--web", args.web.is_some()),
        ("--heartbeat", args.heartbeat > 0),
        ("--ssl-target", args.ssl_target),
        ("--host-token", args.host_token),
        ("--auth-plugin", args.auth_plugin.is_some()),
        ("--verify-client", args.verify_client),
        ("--record", args.record.is_some()),
    ];
    for (option, _) in translated.into_iter().filter(|(_, given)| *given) {
        report.translated(&HERE, option);
    }
    if !args.cert.exists() {
        let note = format!("there is no {} here, so there is no TLS, as there", args.cert.display());
        report.note(&HERE, "--cert", note);
    }
    match args.ssl_version {
        SslVersion::Default => {}
        SslVersion::Tls11 | SslVersion::Tls12 => {
            report.note(&HERE, "--ssl-version", "TLS 1.2 and 1.3 are spoken");
        }
        SslVersion::Tls13 => report.translated(&HERE, "--ssl-version"),
    }
    if args.key_password.is_some() && args.cert.exists() {
        let key = std::path::absolute(args.key.as_ref().unwrap_or(&args.cert)).expect("it was served above");
        let note =
            format!("write it into {}, which only the gateway may read", password_file(&key).display());
        report.note(&HERE, "--key-password", note);
    }
    for (option, _, why) in without(options).into_iter().filter(|(_, given, _)| *given) {
        report.without(&HERE, option, why);
    }
}

/// What concerns the process, and so whatever starts it.
fn without(options: &Options) -> [(&'static str, bool, &'static str); 10] {
    let args = &options.args;
    let life = "no file says when the gateway ends; tidegate websockify does it";
    [
        ("--verbose", args.verbose, "set TIDEGATE_LOG=debug in its environment"),
        ("--daemon", args.daemon, "let a service manager start it"),
        ("--run-once", args.run_once, life),
        ("--timeout", args.timeout > 0, life),
        ("--idle-timeout", args.idle_timeout > 0, life),
        ("--log-file", args.log_file.is_some(), "redirect its standard error"),
        ("--syslog", args.syslog.is_some(), "pass its standard error on, as a service manager does"),
        ("--ssl-ciphers", args.ssl_ciphers.is_some(), "every suite that is offered is strong"),
        ("--traffic", args.traffic, "record a session to see what passes"),
        ("--libserver", args.libserver, "it chooses an engine of websockify's"),
    ]
}

/// The place that everything is said of.
const HERE: &str = "websockify";

const COMMENTS: [&str; 4] = [
    "From a command line of websockify, by tidegate import websockify.",
    "",
    "What websockify did, this does as well. Two things of it are worth a second thought:",
    "origins = [\"*\"] lets every site connect, and max_frame = \"1TiB\" is no limit.",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{AccessLog, Config, Overrides, parse};
    use crate::websockify::Args;

    /// What is served by the command line, and by the file that it becomes.
    fn both(line: &str) -> [Config; 2] {
        let words: Vec<_> = line.split_whitespace().collect();
        let options = Options::new(Args::read(&words).unwrap(), words.contains(&"--")).unwrap();
        let mut served = mapping::config(&options, Some(wrapped_port(&options))).unwrap();
        let text = document(&options).unwrap().to_string();
        let checked = parse(&text, Path::new("tidegate.toml"), &Overrides::default());
        let read = checked.config.unwrap_or_else(|| panic!("{text}\n{:?}", checked.diagnostics));
        for route in &mut served.routes {
            route.pages_not_allowed = false; // no file can say that
        }
        [served, Config { access_log: AccessLog::Diagnosis, ..read }]
    }

    #[test]
    fn the_file_serves_what_the_command_line_serves() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = folder.path().join("tokens");
        std::fs::write(&tokens, "").unwrap();
        for line in [
            "6080 localhost:5900",
            "[::1]:6080 [::1]:5900 --heartbeat 30",
            "-6 6080 a:1 --ssl-target",
            "--unix-listen /tmp/a.sock --unix-listen-mode 0666 --unix-target /tmp/b.sock",
            "6080 a:1 --web /tmp",
            "6080 a:1 --web /tmp --file-only",
            "6080 a:1 --auth-plugin ExpectOrigin --auth-source https://a.test",
            "6080 a:1 --record /tmp/100%",
            "6080 -- vncserver :1",
            "6080 --target-config Cargo.toml", // which is no list of tokens, but a file with a name that starts here
            &format!("6080 --target-config {}", tokens.display()),
            &format!("6080 --target-config {} --host-token --ssl-target", tokens.display()),
        ] {
            let [served, read] = both(line);
            assert_eq!(format!("{served:#?}"), format!("{read:#?}"), "{line}");
        }
    }
}
