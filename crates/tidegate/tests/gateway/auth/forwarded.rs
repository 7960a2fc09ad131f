//! `kind = "forward"`: another server decides.

use std::sync::{Arc, Mutex};

use tidegate_testkit::{Backend, Head, Request, Serving};

use super::House;

/// A server that gives this answer to everybody, and keeps the questions.
fn answering(answer: &'static str) -> (Serving, House, Arc<Mutex<Vec<Head>>>) {
    let questions = Arc::<Mutex<Vec<Head>>>::default();
    let kept = Arc::clone(&questions);
    let backend = Backend::bind();
    let url = format!("http://{}/may?x=1", backend.address());
    let serving = backend.serve(move |mut wire| {
        kept.lock().unwrap().push(wire.read_head());
        wire.send(answer);
    });
    (serving, House::guarded(&format!("kind = 'forward', url = '{url}'")), questions)
}

#[test]
fn a_yes_lets_in_and_the_question_has_what_the_client_sent() {
    let (_serving, house, questions) = answering("HTTP/1.1 204 No Content\r\n\r\n");
    house.lets_in(|request| {
        request.set("Cookie", "session=1").set("X-Forwarded-Uri", "/lie").set("X-Forwarded-For", "192.0.2.1")
    });
    let questions = questions.lock().unwrap();
    let [upgrade, plain] = questions.as_slice() else { panic!("{} questions", questions.len()) };
    for (question, path) in [(upgrade, "/ws"), (plain, "/files/word")] {
        assert_eq!(question.target(), "/may?x=1");
        assert_eq!(question.field("Cookie"), Some("session=1"));
        assert_eq!(question.field("X-Forwarded-Method"), Some("GET"));
        assert_eq!(question.field("X-Forwarded-Uri"), Some(path));
        assert_eq!(question.field("X-Forwarded-Host"), Some("gw.test"));
        assert_eq!(question.field("X-Forwarded-For"), Some("127.0.0.1"));
        assert_eq!((question.field("Upgrade"), question.field("Sec-WebSocket-Key")), (None, None));
        assert!(question.field("Host").unwrap().starts_with("127.0.0.1:"));
    }
    drop(questions);
    house.finish();
}

#[test]
fn a_no_is_passed_on_in_its_own_words() {
    let refused = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"theirs\"\r\nContent-Length: 4\r\nX-Secret: 1\r\n\r\nnope";
    let (_serving, house, _) = answering(refused);
    for (head, body) in house.keeps_out(401, |request| request) {
        assert_eq!(head.field("WWW-Authenticate"), Some("Basic realm=\"theirs\""));
        assert_eq!((head.field("X-Secret"), body.as_str()), (None, "nope"));
    }
    house.finish();
    let (_serving, house, _) = answering("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    house.keeps_out(403, |request| request);
    house.finish();
}

/// Whatever is neither yes nor no keeps out: other statuses, redirects, no HTTP, too much of it, nobody there.
#[test]
fn without_an_answer_nobody_comes_in() {
    for answer in [
        "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n",
        "SSH-2.0-OpenSSH_9.6\r\n",
        "",
    ] {
        let (_serving, house, _) = answering(answer);
        house.keeps_out(502, |request| request);
        house.finish();
    }
    let house = House::guarded(&format!("kind = 'forward', url = 'http://{}/'", Backend::refusing()));
    house.keeps_out(502, |request| request);
    house.finish();
}

#[test]
fn an_answer_that_does_not_come_is_504() {
    let silent = Backend::bind();
    let url = format!("kind = 'forward', timeout = '100ms', url = 'http://{}/'", silent.address());
    let house = House::guarded(&url);
    let mut client = house.gateway.connect();
    client.send(Request::upgrade("/ws").encode());
    let _waiting = silent.accept();
    assert_eq!(client.read_head().status(), 504);
    drop(client);
    house.finish();
}

/// Behind WSGI and CGI `X_Forwarded_Uri` is read as `X-Forwarded-Uri`: it does not travel beside ours. Nor is the server
/// asked for an answer that the client could not read.
#[test]
fn t015_the_question_has_no_field_that_could_be_taken_for_another() {
    let (_serving, house, questions) = answering("HTTP/1.1 204 No Content\r\n\r\n");
    house.lets_in(|request| {
        request
            .with("X_Forwarded_Uri", "/public")
            .with("X-Forwarded_Method", "OPTIONS")
            .with("X.Forwarded.Uri", "/public")
            .with("X-Forwarded-User", "root")
            .with("Remote_User", "root")
            .with("X-Custom", "kept")
            .with("Accept-Encoding", "gzip")
    });
    for question in questions.lock().unwrap().iter() {
        let gone =
            ["X_Forwarded_Uri", "X-Forwarded_Method", "X.Forwarded.Uri", "X-Forwarded-User", "Remote_User"];
        for name in gone.into_iter().chain(["Accept-Encoding"]) {
            assert_eq!(question.field(name), None, "{name}");
        }
        assert_eq!(question.field("X-Custom"), Some("kept"));
        assert_eq!(question.all("X-Forwarded-Uri").len(), 1);
    }
    house.finish();
}
