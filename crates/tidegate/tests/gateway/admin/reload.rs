//! The configuration taken up anew from outside.

use std::fs;
use std::process::Command;

use serde_json::Value;
use tidegate_testkit::{Frame, Gateway};

use super::{address, ask, get, request, scrape};

const TOP: &str = "admin = '127.0.0.1:0'\n[[listener]]\naddress = '127.0.0.1:0'\n";

fn route(path: &str) -> String {
    format!("[[route]]\npath = '{path}'\nbackend = 'echo:'\n")
}

#[test]
fn f40_a_reload_is_ordered_and_says_what_came_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tidegate.toml");
    fs::write(&file, [TOP, &route("/one")].concat()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["serve", "-c"]).arg(&file);
    let gateway = Gateway::run(command);
    let mut kept = gateway.open("/one");
    let reload = || {
        let (head, body) = ask(&gateway, &request("POST", "/reload"));
        (head.status(), serde_json::from_str::<Value>(&body).unwrap())
    };
    fs::write(&file, [TOP, &route("/two")].concat()).unwrap();
    let (status, answer) = reload();
    assert_eq!(status, 200, "{answer}");
    assert!(answer["report"].as_str().unwrap().contains("generation 2; routes: 1 added"), "{answer}");
    drop(gateway.open("/two"));
    fs::write(&file, [TOP, &route("no slash")].concat()).unwrap();
    let (status, answer) = reload();
    assert_eq!(status, 422, "{answer}");
    assert!(answer["error"].as_str().unwrap().contains("tidegate.toml:5:8: error: "), "{answer}");
    drop(gateway.open("/two"));
    kept.send_frame(&Frame::text("still here").masked());
    assert_eq!(kept.read_message().1, b"still here");
    assert_eq!(get(&gateway, "/config")["route"][0]["path"], "/two");
    assert_eq!(get(&gateway, "/status")["generation"], 2);
    let metrics = scrape(&gateway);
    assert_eq!(metrics.value("tidegate_config_generation"), 2.0);
    assert_eq!(metrics.value("tidegate_reloads_total{result=\"ok\"}"), 1.0);
    assert_eq!(metrics.value("tidegate_reloads_total{result=\"failed\"}"), 1.0);
    let open = |route: &str| metrics.find(&format!("tidegate_websockets_open{{route=\"{route}\"}}"));
    assert_eq!(
        open("/one"),
        Some(1.0),
        "as long as one of its WebSockets is open, a route that left is counted"
    );
    let page = ask(&gateway, &request("POST", "/reload").without("X-Tidegate"));
    assert_eq!(page.0.status(), 403);
}

#[test]
fn the_command_says_what_came_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tidegate.toml");
    fs::write(&file, [TOP, &route("/one")].concat()).unwrap();
    let tidegate = || Command::new(env!("CARGO_BIN_EXE_tidegate"));
    let mut serve = tidegate();
    serve.args(["serve", "-c"]).arg(&file);
    let gateway = Gateway::run(serve);
    let reload = || {
        let output = tidegate().args(["reload", "--admin", &address(&gateway).to_string()]).output().unwrap();
        let said = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap());
        (output.status.code(), said)
    };
    let (status, [told, _]) = reload();
    assert_eq!((status, told.starts_with("reloaded: generation 2; ")), (Some(0), true), "{told}");
    fs::write(&file, [TOP, &route("no slash")].concat()).unwrap();
    let (status, [told, problem]) = reload();
    assert_eq!((status, told.as_str()), (Some(1), ""), "{problem}");
    assert!(problem.contains("tidegate.toml:5:8: error: "), "{problem}");
}

/// What only a restart changes is said to whoever has written it.
#[test]
fn what_a_reload_leaves_as_it_was_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tidegate.toml");
    fs::write(&file, [TOP, &route("/one")].concat()).unwrap();
    let mut serve = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    serve.args(["serve", "-c"]).arg(&file);
    let gateway = Gateway::run(serve);
    fs::write(&file, ["admin_names = ['gw.example']\nworkers = 7\n", TOP, &route("/one")].concat()).unwrap();
    let (head, body) = ask(&gateway, &request("POST", "/reload"));
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(head.status(), 200, "{answer}");
    let warnings: Vec<_> = answer["warnings"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(warnings.iter().any(|told| told.starts_with("workers = 7: it stays at ")), "{answer}");
    let names = "admin_names = [\"gw.example\"]: it stays at [] until the gateway is started anew";
    assert!(warnings.contains(&names), "{answer}");
    gateway.diagnosis(names);
    let output = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["reload", "--admin", &address(&gateway).to_string()])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains(names), "{said}");
}
