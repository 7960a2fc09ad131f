//! Requests with a body whose end two parties could see in two places, or that is none.

use tidegate_testkit::{Request, Wire};

use crate::rig::Rig;
use crate::tripwire::{SMUGGLED, Tripwire, get, post};

/// Sends a body that breaks off being one somewhere, when its beginning may be at the backend already: the client is
/// told that its request is bad, the backend sees an end within the body, and nothing after it.
#[track_caller]
fn broken(wire: &Tripwire, body: &[u8]) {
    let name = || body[..body.len().min(40)].escape_ascii().to_string();
    let mut client = wire.send(&post("Transfer-Encoding: chunked\r\n", body));
    let mut backend = wire.backend.accept();
    let (received, _) = backend.read_to_end();
    assert!(
        !received.ends_with(b"0\r\n\r\n"),
        "{}: the body was finished: {}",
        name(),
        received.escape_ascii()
    );
    assert!(!contains(&received, b"smuggled"), "{}: {}", name(), received.escape_ascii());
    let (head, sentence) = client.read_response();
    assert_eq!(head.status(), 400, "{}", name());
    assert!(!sentence.contains("behind this gateway"), "{}: it is the client's fault: {sentence}", name());
    client.expect_fin();
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// What a body of chunks has become at the backend.
#[track_caller]
fn at_the_backend(wire: &Tripwire, client: &mut Wire, bytes: &[u8]) -> String {
    client.send(bytes);
    let mut backend = wire.backend.accept();
    let mut received = String::new();
    while !received.ends_with("0\r\n\r\n") {
        received.push_str(std::str::from_utf8(&backend.read_some(1 << 16)).unwrap());
    }
    backend.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.read_response().0.status(), 200);
    received
}

#[test]
fn t016_lengths_that_are_none() {
    let wire = Tripwire::start();
    for length in ["+5", "5,5", "5, 6", "0x5", "", "-1", "9999999999999999999999", "5 5", "\u{665}"] {
        let bytes = post(&format!("Content-Length: {length}\r\n"), "hello");
        assert_eq!(wire.status(&bytes), 400, "{length:?}");
    }
    wire.finish();
}

/// The same length twice is one length; only one goes on.
#[test]
fn t017_two_lengths() {
    let wire = Tripwire::start();
    assert_eq!(wire.status(&post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello")), 400);
    let mut client = wire.gateway.connect();
    client.send(post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"));
    let mut backend = wire.backend.accept();
    assert_eq!(backend.read_head().field("Content-Length"), Some("5"));
    assert_eq!(backend.read_exact(5), b"hello");
    drop((client, backend));
    wire.finish();
}

/// The chunks decide, the length does not go on, and the connection ends with the answer (RFC 9112 §6.1).
#[test]
fn t018_a_length_beside_chunks() {
    let wire = Tripwire::start();
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 100\r\n",
    ] {
        let mut client = wire.send(&post(fields, "3\r\nabc\r\n0\r\n\r\n"));
        let mut backend = wire.backend.accept();
        let head = backend.read_head();
        assert_eq!((head.field("Content-Length"), head.field("Transfer-Encoding")), (None, Some("chunked")));
        assert_eq!(backend.read_exact(13), b"3\r\nabc\r\n0\r\n\r\n");
        backend.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(client.read_response().0.status(), 200);
        client.expect_fin();
    }
    wire.finish();
}

#[test]
fn t019_codings_that_are_not_just_chunked() {
    let wire = Tripwire::start();
    for coding in
        ["chunked, identity", "identity, chunked", "xchunked", "chunked\x0b", "gzip, chunked", "", "chunked,"]
    {
        let bytes = post(&format!("Transfer-Encoding: {coding}\r\n"), "0\r\n\r\n");
        assert_eq!(wire.status(&bytes), 400, "{coding:?}");
    }
    let twice = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n";
    assert_eq!(wire.status(&post(twice, "0\r\n\r\n")), 400, "twice");
    wire.finish();
}

/// Nobody has asked a backend for another coding, and a client would take what is encoded for the content.
#[test]
fn t019_codings_of_a_backend_that_are_not_just_chunked() {
    let wire = Tripwire::start();
    let answered = |coding: &str, body: &str| {
        let mut client = wire.gateway.connect();
        client.send(get("Host: gw.test\r\nConnection: close\r\n"));
        let mut backend = wire.backend.accept();
        backend.read_head();
        backend.send(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {coding}\r\n\r\n{body}"));
        let (head, body) = client.read_response();
        (head.status(), body)
    };
    for coding in
        ["gzip, chunked", "identity, chunked", "gzip", "xchunked", "chunked\r\nTransfer-Encoding: chunked"]
    {
        let (status, body) = answered(coding, "5\r\nhello\r\n0\r\n\r\n");
        assert_eq!(status, 502, "{coding}");
        assert!(!body.contains("hello"), "{coding}: {body}");
    }
    assert_eq!(answered("Chunked", "5\r\nhello\r\n0\r\n\r\n").0, 200);
    wire.finish();
}

/// Also where an answer has no body, and its length is only passed on.
#[test]
fn t016_t017_lengths_of_a_backend() {
    let wire = Tripwire::start();
    let answered = |method: &str, length: &str| {
        let mut client = wire.gateway.connect();
        client.send(format!("{method} /h HTTP/1.1\r\nHost: gw.test\r\nConnection: close\r\n\r\n"));
        let mut backend = wire.backend.accept();
        backend.read_head();
        let body = if method == "HEAD" { "" } else { "hello" };
        backend.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"));
        let head = client.read_head();
        (head.status(), head.all("Content-Length").join(" and "))
    };
    for method in ["GET", "HEAD"] {
        for length in ["5", "5, 5", "5,5", "05", "5\r\nContent-Length: 5"] {
            assert_eq!(answered(method, length), (200, "5".to_owned()), "{method} {length:?}");
        }
        for length in
            ["+5", "-5", "", "5,", "5, 6", "5 5", "0x5", "99999999999999999999", "5\r\nContent-Length: 6"]
        {
            assert_eq!(answered(method, length).0, 502, "{method} {length:?}");
        }
    }
    wire.finish();
}

#[test]
fn t020_sizes_of_chunks_that_are_none() {
    let wire = Tripwire::start();
    for size in ["FFFFFFFFFFFFFFFFF", "+5", "-5", "0x5", "", "5 5", "g", "5 ", "5\t"] {
        broken(&wire, format!("{size}\r\nhello\r\n0\r\n\r\n").as_bytes());
    }
    wire.finish();
}

/// A blank may stand in front of an extension; what goes on is written anew, without either.
#[test]
fn t020_t021_chunks_are_written_anew() {
    let wire = Tripwire::start();
    let mut client = wire.gateway.connect();
    for body in ["5 ;a\r\nhello\r\n0\r\n\r\n", "0005;a=b;c=\"d\"\r\nhello\r\n0;e\r\n\r\n"] {
        let received = at_the_backend(&wire, &mut client, &post("Transfer-Encoding: chunked\r\n", body));
        assert!(received.ends_with("\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), "{received}");
    }
    drop(client);
    wire.finish();
}

#[test]
fn t021_extensions_of_chunks_beyond_all_bounds() {
    let wire = Tripwire::start();
    broken(&wire, &[b"5;", &[b'a'; 1 << 20][..], b"\r\nhello\r\n0\r\n\r\n"].concat());
    let chunk = format!("1;{}\r\nh\r\n", "a".repeat(1 << 10));
    broken(&wire, [chunk.repeat(1000), "0\r\n\r\n".to_owned()].concat().as_bytes());
    wire.finish();
}

#[test]
fn t022_a_chunk_that_does_not_end_where_it_says() {
    let wire = Tripwire::start();
    for end in ["XY", "\r", "X\r\n", "\n\n"] {
        broken(&wire, format!("5\r\nhello{end}0\r\n\r\n").as_bytes());
    }
    wire.finish();
}

#[test]
fn t023_trailers_are_bounded_and_change_nothing() {
    let wire = Tripwire::start();
    broken(&wire, &[b"5\r\nhello\r\n0\r\nX: ", &[b'a'; 100_000][..], b"\r\n\r\n"].concat());
    let mut client = wire.gateway.connect();
    let body = "5\r\nhello\r\n0\r\nContent-Length: 9\r\nHost: evil.test\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n";
    let received =
        at_the_backend(&wire, &mut client, &post("Trailer: Host\r\nTransfer-Encoding: chunked\r\n", body));
    assert!(received.ends_with("5\r\nhello\r\n0\r\n\r\n") && !received.contains("evil.test"), "{received}");
    drop(client);
    wire.finish();
}

#[test]
fn t024_bodies_of_http_1_0() {
    let wire = Tripwire::start();
    for rest in ["Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "\r\nhello"] {
        let mut client = wire.gateway.connect();
        client.send(["POST /a HTTP/1.0\r\nHost: gw.test\r\n", rest].concat());
        let answer = client.read_to_end().0;
        assert_eq!(answer.get(9..12), Some(&b"400"[..]), "{rest:?}: {}", answer.escape_ascii());
    }
    wire.finish();
}

/// The body of a request that is answered here is not the next request.
#[test]
fn t025_a_body_that_nobody_reads() {
    let rig = Rig::start();
    let begin = |length: usize| {
        let head = Request::get("/echo").with("Content-Length", length.to_string()).encode();
        let mut client = rig.gateway.connect();
        client.send([&head, SMUGGLED].concat());
        assert_eq!(client.read_response().0.status(), 426);
        client
    };
    // All of the body is there: it is passed over, and what follows it is a request.
    let mut client = begin(SMUGGLED.len());
    client.send(Request::get("/nowhere").encode());
    assert_eq!(client.read_response().0.status(), 404);
    drop(client);
    // Most of it is still to come.
    let mut client = begin(1 << 20);
    client.finish();
    client.expect_fin();
    drop(client);
    assert!(rig.gateway.access_lines().iter().all(|line| line["path"] != "/smuggled"));
    rig.finish();
}

/// The end of a body decides where the next request begins: both are served, each by a connection of its own.
#[test]
fn t158_f23_what_a_backend_left_unread_is_nobodys_request() {
    let wire = Tripwire::start();
    let mut client = wire.gateway.connect();
    client.send([post("Content-Length: 5\r\n", "hello"), get("Host: gw.test\r\n")].concat());
    let mut first = wire.backend.accept();
    assert_eq!(first.read_head().line, "POST /a HTTP/1.1");
    // Answered before the body was read, with more behind the answer than belongs to it.
    first.send(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    );
    assert_eq!(client.read_response().1, "ok");
    let mut second = wire.backend.accept();
    assert_eq!(second.read_head().line, "GET /a HTTP/1.1");
    second.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood");
    assert_eq!(client.read_response().1, "good");
    drop((client, first, second));

    // A connection is never used again, so there is nothing to try a second time: not even what might be safe to.
    for bytes in [get("Host: gw.test\r\n"), post("Content-Length: 5\r\n", "hello")] {
        let mut client = wire.gateway.connect();
        client.send(bytes);
        let mut backend = wire.backend.accept();
        backend.read_head();
        backend.reset();
        assert_eq!(client.read_response().0.status(), 502);
        wire.backend.assert_untouched();
    }
    wire.finish();
}

#[test]
fn t147_a_101_that_nobody_asked_for() {
    let wire = Tripwire::start();
    let mut client = wire.send(&get("Host: gw.test\r\n"));
    let mut backend = wire.backend.accept();
    let asked = backend.read_head();
    assert_eq!(asked.field("Upgrade"), None);
    backend.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    assert_eq!(backend.read_to_end().0, b"", "nothing of the client follows");
    let (head, _) = client.read_response();
    assert_eq!((head.status(), head.field("Upgrade")), (502, None));
    drop(client);
    drop(backend);
    drop(wire);
}

/// Nothing that a client writes into its heads keeps anybody from looking at its chunks.
#[test]
fn t020_the_watch_over_chunks_cannot_be_switched_off() {
    let wire = Tripwire::start();
    let chunks = "5 \r\nhello\r\n0\r\n\r\n";
    for fields in [
        "Upgrade: h2c\r\nTransfer-Encoding: chunked\r\n",
        "Upgrade: websockets\r\nTransfer-Encoding: chunked\r\n",
        "Upgrade: \u{e9}, websocket\r\nTransfer-Encoding: chunked\r\n",
    ] {
        let mut client = wire.send(&post(fields, chunks));
        let (received, _) = wire.backend.accept().read_to_end();
        assert!(!received.ends_with(b"0\r\n\r\n"), "{fields}: {}", received.escape_ascii());
        assert_eq!(client.read_response().0.status(), 400, "{fields}");
        client.expect_fin();
    }
    let mut client = wire.gateway.connect();
    client.send(post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"));
    let mut backend = wire.backend.accept();
    backend.read_head();
    assert_eq!(backend.read_exact(5), b"hello");
    backend.send("HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(client.read_head().status(), 204);
    client.send(post("Transfer-Encoding: chunked\r\n", chunks));
    let (received, _) = wire.backend.accept().read_to_end();
    assert!(!received.ends_with(b"0\r\n\r\n"), "{}", received.escape_ascii());
    assert_eq!(client.read_response().0.status(), 400);
    drop((client, backend));
    wire.finish();
}

/// Whatever the method: a body that is there goes on.
#[test]
fn a_get_with_chunks_keeps_its_body() {
    let wire = Tripwire::start();
    let mut client = wire.gateway.connect();
    let request = post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n");
    let request = String::from_utf8(request).unwrap().replace("POST", "GET");
    assert!(at_the_backend(&wire, &mut client, request.as_bytes()).ends_with("5\r\nhello\r\n0\r\n\r\n"));
    drop(client);
    wire.finish();
}

/// A length means nothing beside chunks (RFC 9112 §6.3): the answer is all that the chunks have.
#[test]
fn an_answer_with_a_length_beside_chunks_is_whole() {
    let wire = Tripwire::start();
    for fields in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 300\r\n",
    ] {
        let mut client = wire.gateway.connect();
        client.send(get("Host: gw.test\r\nConnection: close\r\n"));
        let mut backend = wire.backend.accept();
        backend.read_head();
        backend.send(format!("HTTP/1.1 200 OK\r\n{fields}\r\n5\r\nhello\r\n0\r\n\r\n"));
        let head = client.read_head();
        assert_eq!((head.status(), head.field("Content-Length")), (200, None), "{fields}");
        assert_eq!(client.read_to_fin(), b"5\r\nhello\r\n0\r\n\r\n", "{fields}");
    }
    wire.finish();
}

/// A fragment is the browser's own affair (RFC 9112 §3.2): nothing that has one is served without it.
#[test]
fn a_fragment_in_the_target_is_refused() {
    let wire = Tripwire::start();
    for target in ["/x#y", "/#", "/x?a#b", "http://gw.test/x#y", "#"] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: gw.test\r\n\r\n");
        assert_eq!(wire.status(request.as_bytes()), 400, "{target}");
    }
    wire.finish();
}
