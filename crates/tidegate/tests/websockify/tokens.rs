//! Token plugins: where a client is connected is looked up.

use std::fs;
use std::io::Read as _;
use std::os::unix::net::UnixListener;

use tidegate_testkit::{Backend, Frame, Gateway, Head, Request};

use crate::rig::{ANY_PORT, Place, ask, open, talk, upgrade};

/// That this token leads there.
#[track_caller]
fn expect_target(gateway: &Gateway, token: &str, backend: &Backend) {
    let request = upgrade(&format!("/websockify?token={token}"));
    let (mut client, mut far) = open(gateway.connect(), &request, backend);
    talk(&mut client, &mut far);
}

/// What an upgrade that must not succeed is answered with.
#[track_caller]
fn refused(gateway: &Gateway, request: &Request) -> Head {
    let mut client = gateway.connect();
    client.send(request.encode());
    client.read_response().0
}

#[test]
fn token_file_is_read_anew_for_each_client() {
    let (place, first, second) = (Place::new(), Backend::bind(), Backend::bind());
    place.write("tokens", format!("# hosts\na: {}\n", first.address()));
    for line in [
        "--token-plugin TokenFile --token-source tokens",
        "--token-plugin websockify.token_plugins.TokenFile --token-source=tokens",
        "--target-config tokens",
    ] {
        place.write("tokens", format!("# hosts\na: {}\n", first.address()));
        let gateway = place.start(&format!("{line} {ANY_PORT}"));
        expect_target(&gateway, "a", &first);
        assert_eq!(refused(&gateway, &upgrade("/?token=b")).status(), 403);
        place.write("tokens", format!("a: {}\nb: {}\n", first.address(), second.address()));
        expect_target(&gateway, "b", &second);
        assert_eq!(
            refused(&gateway, &upgrade("/")).status(),
            403,
            "there the connection ends without a word"
        );
    }
}

#[test]
fn token_file_may_be_a_folder() {
    let (place, first, second) = (Place::new(), Backend::bind(), Backend::bind());
    fs::create_dir(place.path().join("tokens")).unwrap();
    place.write("tokens/one", format!("a: {}\n", first.address()));
    place.write("tokens/two", format!("b: {}\n", second.address()));
    let gateway = place.start(&format!("{ANY_PORT} --token-plugin TokenFile --token-source tokens"));
    expect_target(&gateway, "a", &first);
    expect_target(&gateway, "b", &second);
}

#[test]
fn read_only_token_file_is_read_once() {
    let (place, backend) = (Place::new(), Backend::bind());
    place.write("tokens", format!("a: {}\n", backend.address()));
    let gateway = place.start(&format!("{ANY_PORT} --token-plugin ReadOnlyTokenFile --token-source tokens"));
    place.write("tokens", "");
    expect_target(&gateway, "a", &backend);
}

#[test]
fn token_file_name_is_the_name_of_a_file() {
    let (place, backend) = (Place::new(), Backend::bind());
    fs::create_dir(place.path().join("tokens")).unwrap();
    place.write("tokens/desk", backend.address().to_string());
    let gateway = place.start(&format!("{ANY_PORT} --token-plugin TokenFileName --token-source tokens"));
    expect_target(&gateway, "desk", &backend);
    assert_eq!(refused(&gateway, &upgrade("/?token=other")).status(), 403);
}

#[test]
fn unix_domain_socket_directory() {
    let place = Place::new();
    fs::create_dir(place.path().join("sockets")).unwrap();
    let backend = UnixListener::bind(place.path().join("sockets/a.sock")).unwrap();
    let line = format!("{ANY_PORT} --token-plugin UnixDomainSocketDirectory --token-source sockets");
    let gateway = place.start(&line);
    let mut client = gateway.connect();
    client.send(upgrade("/?token=a.sock").encode());
    assert_eq!(client.read_head().status(), 101);
    client.send_frame(&Frame::binary("hello").masked());
    let mut hello = [0; 5];
    backend.accept().unwrap().0.read_exact(&mut hello).unwrap();
    assert_eq!(&hello, b"hello");
    assert_eq!(refused(&gateway, &upgrade("/?token=../a.sock")).status(), 403);
}

#[test]
fn host_token_is_the_host_without_its_port() {
    let (place, backend) = (Place::new(), Backend::bind());
    place.write("tokens", format!("desk.test: {}\n", backend.address()));
    let gateway = place.start(&format!("{ANY_PORT} --host-token --target-config tokens"));
    let (mut client, mut far) =
        open(gateway.connect(), &upgrade("/").set("Host", "desk.test:6080"), &backend);
    talk(&mut client, &mut far);
    assert_eq!(refused(&gateway, &upgrade("/?token=desk.test")).status(), 403);
}

#[test]
fn base_token_api_and_json_token_api_ask_a_server() {
    let (place, backend) = (Place::new(), Backend::bind());
    let address = backend.address();
    let json = format!(r#"{{"host": "{}", "port": {}}}"#, address.ip(), address.port());
    for (plugin, body) in [("BaseTokenAPI", address.to_string()), ("JSONTokenApi", json)] {
        let server = Backend::bind();
        let at = server.address();
        let _serving = server.serve(move |mut wire| {
            let (status, body) = match wire.read_head().target() {
                "/tokens/a" => ("200 OK", body.as_str()),
                _ => ("404 Not Found", ""),
            };
            wire.send(format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
        });
        let source = format!("http://{at}/tokens/%s");
        let gateway = place.start(&format!("{ANY_PORT} --token-plugin {plugin} --token-source {source}"));
        expect_target(&gateway, "a", &backend);
        assert_eq!(refused(&gateway, &upgrade("/?token=b")).status(), 403, "{plugin}");
    }
}

#[test]
fn files_are_served_beside_a_look_up() {
    let place = Place::new();
    place.write("tokens", "");
    place.write("vnc.html", "<p>vnc");
    let gateway = place.start(&format!("{ANY_PORT} --web . --target-config tokens"));
    assert_eq!(ask(&gateway, &Request::get("/vnc.html?token=x")).1, "<p>vnc");
}

#[test]
fn a_plugin_of_ones_own_says_what_to_do_instead() {
    let place = Place::new();
    for (line, problem) in [
        ("--token-plugin my.Plugin --token-source x", "let it answer over HTTP"),
        ("--token-plugin TokenFile --token-source none", "--token-source: "),
        ("--token-plugin TokenFile", "--token-source: "),
    ] {
        let (status, said) = place.ended(&format!("{line} {ANY_PORT}"));
        assert_eq!(status, 1, "{line}: {said}");
        assert!(said.contains(problem), "{line}: {said}");
    }
    let line = format!("--auth-plugin my.Plugin --auth-source x {ANY_PORT} 127.0.0.1:1");
    let (status, said) = place.ended(&line);
    assert!(status == 1 && said.contains("let it decide over HTTP"), "{said}");
}
