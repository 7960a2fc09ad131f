//! Tokens that another server knows: `http`, `json`, `redis`.

use std::sync::{Arc, Mutex};

use tidegate_testkit::{Backend, Gateway, Serving};

use super::{ask, leads_to, refused, route};
use crate::rig::gateway;

/// A gateway that asks a server, which answers each target with what `answer` makes of it and keeps what it was asked.
fn asking(kind: &str, answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Asking {
    let server = Backend::bind();
    let source = format!("http://{}/tokens/%s?x=1", server.address());
    let gateway = gateway().tables(&route(&format!("kind = '{kind}', source = '{source}'"))).start();
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let kept = Arc::clone(&asked);
    let serving = server.serve(move |mut wire| {
        let target = wire.read_head().target().to_owned();
        let reply = answer(&target);
        kept.lock().unwrap().push(target); // before the reply: who has that one looks at these
        wire.send(reply);
    });
    Asking { gateway, asked, _serving: serving }
}

struct Asking {
    gateway: Gateway,
    asked: Arc<Mutex<Vec<String>>>,
    _serving: Serving,
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn a_server_says_where_in_text_and_in_json() {
    let backend = Backend::bind();
    let address = backend.address();
    let text = ok(&format!("{address}\n"));
    let json = ok(&format!(r#"{{"host": "{}", "port": "{}"}}"#, address.ip(), address.port()));
    for (kind, answer) in [("http", text), ("json", json)] {
        let asking = asking(kind, move |target| match target {
            "/tokens/one?x=1" => answer.clone(),
            _ => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
        });
        leads_to(&asking.gateway, "token=one", &backend);
        refused(ask(&asking.gateway, "token=two"), 403);
        asking.gateway.finish();
    }
}

/// The token takes the place of `%s` and nothing else: it cannot become another path, a query, or another server.
#[test]
fn t231_a_token_stays_one_piece_of_the_url() {
    let asking = asking("http", |_| "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned());
    for (query, target) in [
        ("token=..%2F..%2Fadmin", "/tokens/..%2F..%2Fadmin?x=1"),
        ("token=a?b", "/tokens/a%3Fb?x=1"),
        ("token=%40evil.test", "/tokens/%40evil.test?x=1"),
        ("token=a%2520b%23c", "/tokens/a%2520b%23c?x=1"),
    ] {
        refused(ask(&asking.gateway, query), 403);
        assert_eq!(asking.asked.lock().unwrap().last().map(String::as_str), Some(target));
    }
    for query in ["token=..", "token=.", "token=", "", "token=a%0d%0aX:y"] {
        refused(ask(&asking.gateway, query), 403);
    }
    assert_eq!(asking.asked.lock().unwrap().len(), 4, "these are not asked for");
    asking.gateway.finish();
}

fn redirect(status: &str, location: &str) -> String {
    format!("HTTP/1.1 {status}\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

#[test]
fn a_redirect_on_the_same_server_is_followed() {
    let backend = Backend::bind();
    let answer = ok(&backend.address().to_string());
    let asking = asking("http", move |target| match target {
        "/tokens/one?x=1" => redirect("301 Moved Permanently", "/tokens/one/?x=1"),
        "/tokens/one/?x=1" => redirect("307 Temporary Redirect", "/v2/one"),
        "/v2/one" => answer.clone(),
        _ => redirect("302 Found", "/nowhere"),
    });
    leads_to(&asking.gateway, "token=one", &backend);
    asking.asked.lock().unwrap().clear();
    refused(ask(&asking.gateway, "token=two"), 502);
    let asked = asking.asked.lock().unwrap().clone();
    assert_eq!(asked[0], "/tokens/two?x=1");
    assert_eq!(asked[1..], vec!["/nowhere"; 5], "five redirects, and no more");
    asking.gateway.finish();
}

/// Who is asked is the operator's choice, and not that of the one who was asked.
#[test]
fn a_redirect_to_another_server_is_not_followed() {
    let other = Backend::bind();
    let address = other.address();
    for location in [format!("http://{address}/tokens/one"), format!("//{address}/tokens/one")] {
        let asking = asking("http", move |_| redirect("302 Found", &location));
        refused(ask(&asking.gateway, "token=one"), 502);
        other.assert_untouched();
        asking.gateway.finish();
    }
}

#[test]
fn an_answer_that_cannot_be_used_is_502() {
    for answer in [
        "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n".to_owned(),
        ok("<html>"),
        ok("127.0.0.1:0"),
        ok(""),
        format!("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{}", "a".repeat(100_000)),
        "SSH-2.0-OpenSSH_9.6\r\n".to_owned(),
    ] {
        let asking = asking("http", move |_| answer.clone());
        let (_, body) = refused(ask(&asking.gateway, "token=s3cr3t"), 502);
        assert!(!body.contains("s3cr3t"), "{body}");
        let line = asking.gateway.access_line(|line| line["status"] == 502).to_string();
        assert!(!line.contains("s3cr3t"), "{line}");
        asking.gateway.finish();
    }
}

#[test]
fn a_server_that_is_silent_is_504_and_one_that_is_not_there_502() {
    for kind in ["http", "redis"] {
        let silent = Backend::bind();
        let source =
            |address| if kind == "http" { format!("http://{address}/%s") } else { format!("{address}") };
        let at = |address| {
            let keys = format!("kind = '{kind}', source = '{}', timeout = '100ms'", source(address));
            gateway().tables(&route(&keys)).start()
        };
        let gateway = at(silent.address());
        let client = ask(&gateway, "token=one");
        let _waiting = silent.accept();
        refused(client, 504);
        gateway.finish();
        let gateway = at(Backend::refusing());
        refused(ask(&gateway, "token=one"), 502);
        gateway.finish();
    }
}

/// What stands in the source is said to Redis before the token is asked for.
#[test]
fn redis_with_database_password_and_namespace() {
    let (backend, redis) = (Backend::bind(), Backend::bind());
    let source = format!("127.0.0.1:{}:7:\"pass:word\":vnc", redis.address().port());
    let gateway = gateway().tables(&route(&format!("kind = 'redis', source = '{source}'"))).start();
    let talk = |query: &str, key: &str, reply: &str| {
        let client = ask(&gateway, query);
        let mut wire = redis.accept();
        let commands = format!(
            "*2\r\n$4\r\nAUTH\r\n$9\r\npass:word\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n7\r\n*2\r\n$3\r\nGET\r\n${}\r\n{key}\r\n",
            key.len()
        );
        assert_eq!(
            wire.read_exact(commands.len()).escape_ascii().to_string(),
            commands.escape_default().to_string()
        );
        wire.send(reply);
        client
    };
    let address = backend.address().to_string();
    let value = |value: &str| format!("+OK\r\n+OK\r\n${}\r\n{value}\r\n", value.len());
    for reply in [value(&address), value(&format!(r#"{{"host": "{address}"}}"#))] {
        let mut client = talk("token=one", "vnc:one", &reply);
        let _far = backend.accept();
        assert_eq!(client.read_head().status(), 101);
    }
    refused(talk("token=two%20%2a", "vnc:two *", "+OK\r\n+OK\r\n$-1\r\n"), 403);
    for reply in [
        "-ERR invalid password\r\n",
        "+OK\r\n-ERR index\r\n",
        "+OK\r\n+OK\r\n-WRONGTYPE\r\n",
        "+OK\r\n+OK\r\n$9999\r\n",
        &value("nonsense"),
        &"+".repeat(5000),
    ] {
        refused(talk("token=one", "vnc:one", reply), 502);
    }
    backend.assert_untouched();
    gateway.finish();
}
