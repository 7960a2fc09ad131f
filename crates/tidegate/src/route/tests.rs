use super::*;
use crate::config::{Overrides, parse};
use std::path::Path;

fn table(routes: &str) -> Table {
    let checked = parse(routes, Path::new("test.toml"), &Overrides::default());
    Table::new(checked.config.unwrap_or_else(|| panic!("{:?}", checked.diagnostics)).routes)
}

fn name(table: &Table, kind: Kind, host: &str, path: &str) -> Result<String, NoRoute> {
    table.select(kind, host, path).map(|selected| selected.route().name.clone())
}

#[test]
fn first_match_among_routes_of_the_right_kind() {
    let table = table(
        r#"
        route = [
            { name = "files", path = "/*", backend = "file:." },
            { name = "vnc", path = "/vnc", backend = "tcp://127.0.0.1:5900" },
            { name = "app", path = "/app/*", backend = "ws://127.0.0.1:9000" },
            { name = "sub", host = "*.example.com", path = "/only-sub", backend = "echo:" },
            { name = "regex", path = "~/v[0-9]+/socket", backend = "echo:" },
        ]
        "#,
    );
    let ws = |path| name(&table, Kind::WebSocket, "a.example.com", path);
    assert_eq!(ws("/vnc").unwrap(), "vnc");
    assert_eq!(ws("/vnc/"), Err(NoRoute::NotWebSocket), "exact is exact");
    assert_eq!(ws("/app").unwrap(), "app");
    assert_eq!(ws("/app/x/y").unwrap(), "app");
    assert_eq!(ws("/apple"), Err(NoRoute::NotWebSocket));
    assert_eq!(ws("/v12/socket").unwrap(), "regex");
    assert_eq!(ws("/x/v12/socket"), Err(NoRoute::NotWebSocket), "anchored");
    assert_eq!(ws("/only-sub").unwrap(), "sub");
    assert_eq!(name(&table, Kind::WebSocket, "example.com", "/only-sub"), Err(NoRoute::NotWebSocket));
    assert_eq!(name(&table, Kind::Http, "a", "/vnc").unwrap(), "files", "one path may serve both");
}

#[test]
fn what_becomes_of_sessions_when_the_table_changes() {
    const MINUTE: OnChange = OnChange::Drain(std::time::Duration::from_secs(60));
    let routes = |text: &str| {
        let file = format!("route = [{text}]");
        parse(&file, Path::new("test.toml"), &Overrides::default()).config.expect("it is valid").routes
    };
    let former = Table::new(routes(
        r#"
        { name = "same", path = "/same", backend = "echo:" },
        { name = "told", path = "/told", backend = "echo:" },
        { name = "changed", path = "/changed", backend = "echo:", on_change = "close" },
        { name = "renamed", path = "~/re.*", backend = "echo:", on_change = "close" },
        { name = "moved", path = "/moved", backend = "echo:", on_change = "close" },
        { name = "gone", path = "/gone", backend = "echo:", on_change = "close" },
        "#,
    ));
    let opened = |name: &str| Arc::clone(&former.named(name).unwrap().route);
    let table = former.succeeded_by(routes(
        r#"
        { name = "same", path = "/same", backend = "echo:" },
        { name = "told", path = "/told", backend = "echo:", on_change = "close" },
        { name = "changed", path = "/changed", backend = "echo:", max_age = "1h", on_change = "drain 1m" },
        { name = "new name", path = "~/re.*", backend = "echo:", on_change = "close" },
        { name = "moved away", path = "/moved", backend = "tcp://a:1", on_change = "drain 1m" },
        { name = "added", path = "/added", backend = "echo:" },
        "#,
    ));
    for (name, fate) in [
        ("same", OnChange::Keep),
        ("told", OnChange::Keep),
        ("changed", MINUTE),
        ("renamed", OnChange::Keep),
        ("moved", MINUTE),
        ("gone", OnChange::Close),
    ] {
        assert_eq!(table.fate(Some(&former), &opened(name)), fate, "{name}");
    }
    assert_eq!(table.differences(&former), [3, 1, 3]);
    let empty = table.succeeded_by(Vec::new());
    assert_eq!(empty.fate(Some(&table), &opened("told")), OnChange::Close, "the last word counts");
    assert_eq!(empty.fate(None, &opened("told")), OnChange::Keep);
    let later = empty.succeeded_by(Vec::new());
    for name in ["told", "gone"] {
        assert_eq!(later.fate(Some(&empty), &opened(name)), OnChange::Keep, "{name} was judged when it went");
    }
}

#[test]
fn t054_t056_what_is_told_where_there_is_no_route() {
    let table = table("route = [{ path = \"/ws\", backend = \"echo:\" }]");
    assert_eq!(name(&table, Kind::Http, "a", "/ws"), Err(NoRoute::NeedsUpgrade));
    assert_eq!(name(&table, Kind::Http, "a", "/"), Err(NoRoute::NotFound));
    assert_eq!(name(&table, Kind::WebSocket, "a", "/WS"), Err(NoRoute::NotFound));
    assert_eq!(name(&table, Kind::WebSocket, "a", "//ws"), Err(NoRoute::NotFound));
    assert_eq!(name(&table, Kind::WebSocket, "a", "/ws;x"), Err(NoRoute::NotFound));
}

#[test]
fn t055_parameters_do_not_lead_past_a_route() {
    let table = table(
        r#"
        route = [
            { name = "kept", path = "/kept;v=1/*", backend = "http://127.0.0.1:9" },
            { name = "told", path = "~/told;v=[0-9]", backend = "http://127.0.0.1:9" },
            { name = "styles", path = "~/.*[.]css", backend = "http://127.0.0.1:9" },
            { name = "admin", path = "/admin/*", backend = "http://127.0.0.1:9" },
            { name = "socket", path = "/socket", backend = "tcp://127.0.0.1:9" },
            { name = "all", path = "/*", backend = "http://127.0.0.1:9" },
        ]
        "#,
    );
    let http = |path| name(&table, Kind::Http, "a", path);
    for path in
        ["/admin;x/secret", "/;x/admin/secret", "/admin;/", "/admin;x", "/admin/a;x.css", "/kept;v=2/a;.css"]
    {
        assert_eq!(http(path), Err(NoRoute::Ambiguous), "{path}");
    }
    for (path, route) in [
        ("/admin/a;x/b", "admin"),
        ("/shop;jsessionid=1", "all"),
        ("/shop/a;x/b", "all"),
        ("/kept;v=1/a;x", "kept"),
        ("/told;v=7", "told"),
        ("/socket;x", "all"),
        ("/a/b.css;v=2/c.css", "styles"),
    ] {
        assert_eq!(http(path).as_deref(), Ok(route), "{path}");
    }
    assert_eq!(name(&table, Kind::WebSocket, "a", "/socket;x"), Err(NoRoute::Ambiguous));
}

#[test]
fn subdomains_are_whole_labels() {
    let pattern = HostPattern::Subdomains("example.com".into());
    for (host, matches) in [
        ("a.example.com", true),
        ("A.B.Example.COM", true),
        ("example.com", false),
        (".example.com", false),
        ("badexample.com", false),
        ("é.example.com", true),
    ] {
        assert_eq!(host_matches(&pattern, host), matches, "{host}");
    }
}
