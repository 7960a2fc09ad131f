//! The configuration as an operator meets it: files and flags in, findings and a route table out.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use tidegate::config::{Checked, Location, Overrides, Severity, embedded, from_routes, parse, table};

#[test]
fn ten_mistakes_are_ten_lines_with_place_and_remedy() {
    let checked = parse(&read(&data("mistakes.toml")), Path::new("tidegate.toml"), &Overrides::default());
    assert!(checked.config.is_none());
    assert_eq!(checked.diagnostics.len(), 10);
    insta::assert_snapshot!(lines(&checked), @r#"
    tidegate.toml:1:11: error: workers is the string "many"; write a whole number from 0 to 1024
    tidegate.toml:2:1: error: unknown key "max_conections"; did you mean max_connections? allowed here: workers, max_connections, max_connections_per_client, max_handshakes, admin, drain, drain_rate, access_log, listener, route
    tidegate.toml:3:9: error: drain "2d" has an unknown unit; write a whole number and a unit, ms, s, m or h, such as "250ms" or "30s"
    tidegate.toml:6:11: error: listener "localhost:8080": address "localhost:8080" is no IP address with a port; write 127.0.0.1:8080 or [::1]:8080
    tidegate.toml:7:16: error: listener "localhost:8080": head_timeout 0 is out of bounds; write a duration from 10ms to 1h
    tidegate.toml:11:8: error: route "vnc": path "vnc" does not begin with / or ~; write "/vnc", or ~ and a regular expression
    tidegate.toml:12:11: error: route "vnc": backend "vnc:5900" has no scheme; write tcp://vnc:5900
    tidegate.toml:15:8: error: name "vnc" stands twice; give each route a name of its own
    tidegate.toml:18:12: error: route "vnc": origins "https://example.com/" has a path; write https://example.com: an origin is scheme, host and port
    tidegate.toml:19:13: error: route "vnc": max_frame "64K" has an unknown unit; write a whole number and a unit, KiB, MiB or GiB (or kB, MB, GB), such as "64KiB"
    "#);
}

#[test]
fn mistakes_in_flags_name_the_flag() {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let checked = from_routes(&Overrides {
        listen: texts(&["8080", "127.0.0.1:80", "127.0.0.1:80"]),
        routes: texts(&["/vnc", "/vnc=vnc:5900"]),
        tls_cert: Some(PathBuf::from("cert.pem")),
        tls_key: None,
        workers: Some(5000),
        admin: Some(":9090".to_owned()),
    });
    assert!(checked.config.is_none());
    insta::assert_snapshot!(lines(&checked), @r#"
    --tls-cert "cert.pem": error: stands without --tls-key; add --tls-key FILE
    --route "/vnc": error: has no = between path and backend; write PATH=BACKEND, such as /vnc=tcp://127.0.0.1:5900
    --admin ":9090": error: admin ":9090" is no IP address with a port; write 127.0.0.1:9090, or 0.0.0.0:9090 for all of IPv4
    --workers 5000: error: workers 5000 is out of bounds; write a whole number from 0 to 1024
    --listen "8080": error: listener "8080": address "8080" is no IP address with a port; write 127.0.0.1:8080, or 0.0.0.0:8080 for all of IPv4
    --route "/vnc=vnc:5900": error: route "/vnc": backend "vnc:5900" has no scheme; write tcp://vnc:5900
    --listen "127.0.0.1:80": error: listener "127.0.0.1:80" stands twice; keep one, or give the other a port of its own
    "#);
}

#[test]
fn broken_syntax_does_not_hide_other_mistakes() {
    insta::assert_snapshot!(
        found_in("workers = four\n[[route]]\npath = /vnc\nbackend = \"tcp://a\"\nname = 5\n[[route]\n"),
        @r#"
    tidegate.toml:1:11: error: a string without quotes: four; write "four"
    tidegate.toml:3:8: error: a string without quotes: /vnc; write "/vnc"
    tidegate.toml:4:11: error: route "/vnc": backend "tcp://a" has no port; write tcp://a:PORT
    tidegate.toml:5:8: error: route "/vnc": name is the integer 5; write a string of 1 to 64 printable characters
    tidegate.toml:6:9: error: unclosed array table; expected `]`
    "#
    );
}

#[test]
fn tables_of_the_wrong_shape_are_explained() {
    let echo = "path = \"/\"\nbackend = \"echo:\"\n";
    let texts = [
        String::new(),
        "route = []".to_owned(),
        "route = 5".to_owned(),
        "route = [5]".to_owned(),
        "[[route]]".to_owned(),
        format!("[route]\n{echo}"),
        format!("listener = true\n[[route]]\n{echo}"),
        format!("[[listener]]\n[[route]]\n{echo}"),
        format!("[[route]]\n{echo}workers = 4\n"),
        format!("[[listener]]\naddress = \"127.0.0.1:1\"\ntls = \"on\"\ncert = \"a\"\n[[route]]\n{echo}"),
        format!(
            "[[listener]]\naddress = \"127.0.0.1:1\"\ntls = {{ cert = \"a\", chain = \"b\" }}\n[[route]]\n{echo}"
        ),
    ];
    let all: String = texts.iter().map(|text| format!("{}\n", found_in(text))).collect();
    insta::assert_snapshot!(all, @r#"
    tidegate.toml:1:1: error: no route is set; write [[route]] with path = "/vnc" and backend = "tcp://127.0.0.1:5900", or give --route

    tidegate.toml:1:9: error: route is an empty list; write [[route]] and its keys below it

    tidegate.toml:1:9: error: route is the integer 5; write [[route]] and its keys below it

    tidegate.toml:1:10: error: route lists the integer 5; write [[route]] and its keys below it

    tidegate.toml:1:1: error: route 1: path is missing; write path = "/" and what follows it, or path = "/*" for every path
    tidegate.toml:1:1: error: route 1: backend is missing; write backend = "tcp://HOST:PORT", or another of its kinds

    tidegate.toml:1:1: error: [route] stands in single brackets; write [[route]]: there may be several

    tidegate.toml:1:12: error: listener is the boolean true; write [[listener]] and its keys below it

    tidegate.toml:1:1: error: listener 1: address is missing; write address = "127.0.0.1:8080"

    tidegate.toml:4:1: error: route "/": unknown key "workers"; move it to the top of the file, above the first [[listener]] or [[route]]; allowed here: name, host, path, backend, backend_tls, origins, allow_missing_origin, subprotocols, subprotocol_required, message, legacy, ping_interval, ping_timeout, idle_timeout, max_age, max_frame, max_message, max_fragments, connect_timeout, upgrade_timeout, compression, send_proxy, listing

    tidegate.toml:3:7: error: listener "127.0.0.1:1": tls is the string "on"; write { cert = "FILE", key = "FILE" }, a list of them, or "auto"
    tidegate.toml:4:8: error: listener "127.0.0.1:1": cert stands without tls = "auto"; write tls = { cert = "FILE", key = "FILE" }

    tidegate.toml:3:7: error: listener "127.0.0.1:1": tls: key is missing; write key = "FILE", a PEM file
    tidegate.toml:3:16: error: listener "127.0.0.1:1": tls: cert "a" cannot be read: No such file or directory (os error 2); name a PEM file that this user may read
    tidegate.toml:3:21: error: listener "127.0.0.1:1": tls: unknown key "chain"; allowed here: cert, key
    "#);
}

#[test]
fn what_tables_have_to_do_with_each_other_is_checked() {
    insta::assert_snapshot!(found_in(&read(&data("conflicts.toml"))), @r#"
    tidegate.toml:1:9: warning: admin: accepted, but not built yet: the admin listener; until then it has no effect
    tidegate.toml:4:11: error: listener "127.0.0.1:80" has the address of admin; give one of them a port of its own
    tidegate.toml:10:11: error: listener "127.0.0.1:81" stands twice; keep one, or give the other a port of its own
    tidegate.toml:28:1: warning: route "never" can never be reached: route "all" stands before it and takes all that it would; put it first, or remove it
    tidegate.toml:33:1: warning: route "/list" can never be reached: route "all" stands before it and takes all that it would; put it first, or remove it
    tidegate.toml:36:11: error: route "/list": backend lists tcp://127.0.0.1:1 beside ws://127.0.0.1:2; list backends of one kind, all raw, all WebSocket or all HTTP
    tidegate.toml:37:22: error: route "/list": subprotocols "a" stands twice; write it once
    tidegate.toml:41:11: error: route "/none": backend is an empty list; name at least one
    tidegate.toml:42:24: error: route "/none": subprotocol_required is true, but none can be selected; write subprotocols = ["NAME"] beside it
    tidegate.toml:43:11: error: route "/none": origins is the string "https://example.com"; write a list: origins = ["https://example.com"]
    "#);
}

#[test]
fn features_that_are_not_built_yet_are_warned_about_and_accepted() {
    let file = data("every-key.toml");
    let checked = parse(&read(&file), &file, &Overrides::default());
    assert!(checked.config.is_some());
    let folder = format!("{}/", data("").display()).replace("//", "/");
    insta::assert_snapshot!(lines(&checked).replace(&folder, ""), @r#"
    every-key.toml:7:9: warning: admin: accepted, but not built yet: the admin listener; until then it has no effect
    every-key.toml:19:18: warning: listener "[::1]:443": proxy_protocol: accepted, but not built yet: the PROXY protocol on the way in; until then it has no effect
    every-key.toml:32:11: warning: listener "unix:/run/tidegate.sock": address: accepted, but not built yet: listening on a Unix socket; do without it in this version
    every-key.toml:38:11: warning: route "raw": backend: accepted, but not built yet: balancing over several backends; until then only the first is used
    every-key.toml:45:10: warning: route "raw": legacy: accepted, but not built yet: hybi-00 clients; until then it has no effect
    every-key.toml:49:11: warning: route "raw": max_age: accepted, but not built yet: a greatest age of connections; until then it has no effect
    every-key.toml:55:15: warning: route "raw": compression: accepted, but not built yet: compression by the gateway; until then it has no effect
    every-key.toml:56:14: warning: route "raw": send_proxy: accepted, but not built yet: the PROXY protocol on the way out; until then it has no effect
    every-key.toml:57:11: warning: route "raw": listing: accepted, but not built yet: directory listings; until then it has no effect
    every-key.toml:62:11: warning: route "~/app[0-9]+": origins ["*"] lets every site connect; list the sites that may, unless every one of them may
    every-key.toml:66:11: warning: route "/http/*": backend: accepted, but not built yet: balancing over several backends; until then only the first is used
    every-key.toml:79:11: warning: route "/handoff": backend: accepted, but not built yet: handing connections to another process; until then requests for it are answered with an error
    "#);
}

#[test]
fn the_command_line_stands_on_top_of_the_file() {
    let text = "workers = 3\n[[listener]]\naddress = \"127.0.0.1:1\"\n[[route]]\npath = \"/a\"\nbackend = \"echo:\"\n";
    let overrides = Overrides {
        listen: vec!["127.0.0.1:2".to_owned()],
        routes: vec!["/b=tcp://127.0.0.1:5900".to_owned()],
        workers: Some(7),
        ..Overrides::default()
    };
    let config = parse(text, Path::new("tidegate.toml"), &overrides).config.unwrap();
    let routes: Vec<_> = config.routes.iter().map(|route| route.name.as_str()).collect();
    assert_eq!((config.workers, routes), (7, vec!["/b", "/a"]));
    assert_eq!(config.listeners.len(), 1);
    assert_eq!(config.listeners[0].address.to_string(), "127.0.0.1:2");
}

#[test]
fn features_asked_for_by_a_flag_are_warned_about_as_in_a_file() {
    let routes = vec!["/a=handoff:/run/app.sock".to_owned()];
    let checked = from_routes(&Overrides { routes, ..Overrides::default() });
    assert!(checked.config.is_some());
    assert_eq!(
        lines(&checked),
        "--route \"/a=handoff:/run/app.sock\": warning: route \"/a\": backend: accepted, but not built yet: \
         handing connections to another process; until then requests for it are answered with an error\n"
    );
}

#[test]
fn a_certificate_on_the_command_line_is_for_its_own_listeners() {
    let folder = tempfile::tempdir().unwrap();
    let overrides = |listen: Vec<String>| {
        let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
        fs::write(&cert, "").unwrap();
        fs::write(&key, "").unwrap();
        Overrides { listen, tls_cert: Some(cert), tls_key: Some(key), ..Overrides::default() }
    };
    for listen in [vec![], vec!["127.0.0.1:1".to_owned()]] {
        let config = from_routes(&overrides(listen)).config.unwrap();
        assert!(table(&config).contains("wss, https"));
    }
    let text = "[[listener]]\naddress = \"127.0.0.1:1\"\n[[route]]\npath = \"/a\"\nbackend = \"echo:\"\n";
    let checked = parse(text, Path::new("tidegate.toml"), &overrides(vec![]));
    assert!(checked.config.is_none());
    assert!(lines(&checked).contains("belongs to no listener"));
}

#[test]
fn every_example_is_correct() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["cert.pem", "key.pem"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let mut count = 0;
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")).unwrap() {
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

#[test]
fn the_route_table_is_aligned() {
    let config = parse(&read(&data("table.toml")), Path::new("tidegate.toml"), &Overrides::default()).config;
    insta::assert_snapshot!(table(&config.unwrap()), @r#"
    Listeners
      127.0.0.1:8080  ws, http
      [::1]:8081      ws, http

    Routes (the first match of the right kind wins)
      #  name           host           path         kind  backend               origins                                                  limits
      1  vnc            *.example.com  /vnc         ws    tcp://127.0.0.1:5900  https://example.com, https://*.example.com:8443, 2 more  frame 1MiB, message 2MiB, 10 fragments, no ping, idle 90s
      2  ~/app[0-9]+    any            ~/app[0-9]+  ws    ws://[::1]:80/base    none                                                     frame 1MiB, ping 20s
      3  ~/app[0-9]+#2  a.example.com  ~/app[0-9]+  ws    echo:                 every site                                               frame 1MiB, ping 20s+20s
    "#);
    insta::assert_snapshot!(table(&embedded()), @r#"
    Listeners
      127.0.0.1:8080  ws, http

    Routes (the first match of the right kind wins)
      #  name    host  path     kind  backend          origins      limits
      1  echo    any   /echo    ws    echo:            same origin  frame 1MiB, ping 20s+20s
      2  page    any   /        http  (built-in page)  -            -
      3  status  any   /status  http  (built-in page)  -            -
    "#);
}

/// Whatever is written: no panic, one line for each finding, a place within the file, and a configuration exactly if
/// there is no error.
#[test]
fn any_text_is_answered() {
    let seeds = [read(&data("every-key.toml")), read(&data("mistakes.toml")), read(&data("conflicts.toml"))];
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for round in 0..ROUNDS {
        let mut text: Vec<char> = seeds[round % seeds.len()].chars().collect();
        for _ in 0..=random.below(4) {
            mutate(&mut text, &mut random);
        }
        answered(&text.into_iter().collect::<String>());
    }
    for text in [
        "[".repeat(100_000),
        "a = ".to_owned() + &"[".repeat(100_000),
        "a.".repeat(50_000),
        "\u{0}".to_owned(),
    ] {
        answered(&text);
    }
    answered(&" ".repeat(2 << 20));
}

fn answered(text: &str) {
    let checked = parse(text, Path::new("tidegate.toml"), &Overrides::default());
    let errors = checked.diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
    assert_eq!(checked.config.is_some(), errors == 0, "{text}");
    for found in &checked.diagnostics {
        assert!(!found.to_string().chars().any(char::is_control), "{found:?}");
        assert!(!found.message.is_empty() && !found.remedy.is_empty(), "{found:?}");
        let Location::File { line, column, .. } = found.location else { panic!("there is no flag: {found}") };
        let length = text.split('\n').nth(line - 1).map(|line| line.chars().count());
        assert!(length.is_some_and(|length| (1..=length + 1).contains(&column)), "{found} in {text}");
    }
    if let Some(config) = checked.config {
        assert!(!config.listeners.is_empty() && config.routes.iter().all(|route| !route.backends.is_empty()));
        assert!(!table(&config).is_empty());
    }
}

fn mutate(text: &mut Vec<char>, random: &mut Random) {
    const SPICE: [char; 20] = [
        '"', '\'', '[', ']', '{', '}', '=', '.', ',', '#', '\n', '\\', '*', '~', '(', ':', '/', '-', '0', 'ä',
    ];
    if text.is_empty() {
        return;
    }
    let at = random.below(text.len());
    let spice = SPICE[random.below(SPICE.len())];
    match random.below(5) {
        0 => text[at] = spice,
        1 => text.insert(at, spice),
        2 => drop(text.remove(at)),
        3 => drop(text.drain(at..(at + random.below(40)).min(text.len()))),
        _ => text.extend_from_within(at..(at + random.below(200)).min(text.len())),
    }
}

/// Xorshift: the same texts on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).expect("a remainder is below its divisor, which is a usize")
    }
}

fn found_in(text: &str) -> String {
    lines(&parse(text, Path::new("tidegate.toml"), &Overrides::default()))
}

fn lines(checked: &Checked) -> String {
    checked.diagnostics.iter().map(|found| format!("{found}\n")).collect()
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).expect("the file is part of the repository")
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config").join(name)
}

/// A second or so.
const ROUNDS: usize = 3000;
