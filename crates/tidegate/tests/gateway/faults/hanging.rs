//! Backends, and others that are asked, that take connections and answer none.

use std::time::Duration;

use tidegate_testkit::{Backend, Canary, Faults, Gateway, Request, UNANSWERED, Wire, eventually};

use crate::rig::{Rig, gateway};

/// Asks for a WebSocket whose backend may be this one, which answers nobody: the client's connection, and what the backend
/// has of it; `None` where the client has its answer already.
#[track_caller]
fn ask(gateway: &Gateway, hung: &Backend) -> (Wire, Option<Wire>) {
    let mut client = gateway.connect();
    client.send(Request::upgrade("/ws").encode());
    let owed = eventually("it is asked, or there is an answer", || {
        let owed = hung.accepted_already();
        (owed.is_some() || !client.is_silent_for(Duration::from_millis(2))).then_some(owed)
    });
    (client, owed)
}

/// A backend that owes answers is asked by no more clients than it may keep waiting; others get theirs meanwhile.
#[test]
fn f21_a_backend_that_answers_nobody_is_asked_by_few_at_a_time() {
    const PENDING: usize = 5;
    const OTHERS: usize = 40;
    let rig = Rig::with(&format!("max_pending = {PENDING}"));
    let canary = Canary::of(&rig.gateway, "/echo");
    let mut waiting: Vec<(Wire, Wire)> = (0..PENDING)
        .map(|_| {
            let (client, owed) = ask(&rig.gateway, &rig.ws);
            (client, owed.expect("there is room for it"))
        })
        .collect();
    for _ in 0..OTHERS {
        assert_eq!(rig.refused(&Request::upgrade("/ws")).status(), 503);
    }
    let line = rig.gateway.access_line(|line| line["path"] == "/ws" && line["status"] == 503);
    let reason = line["reason"].as_str().unwrap();
    assert!(reason.contains("backend has not answered 5 others yet"), "{reason}");
    drop(rig.open_tcp()); // other backends have nothing to do with it

    // An end of the backend's and a client that leaves each make room for one more.
    let (mut client, owed) = waiting.pop().unwrap();
    drop(owed);
    assert_eq!(client.read_head().status(), 502);
    let (client, mut owed) = waiting.pop().unwrap();
    drop(client);
    owed.read_to_end();
    for _ in 0..2 {
        waiting.push(eventually("there is room for one more", || {
            let (client, owed) = ask(&rig.gateway, &rig.ws);
            Some((client, owed?))
        }));
    }
    assert_eq!(rig.refused(&Request::upgrade("/ws")).status(), 503);
    drop(waiting);
    canary.finish();
    rig.finish();
}

/// Of two backends, the one that answers is asked in place of the other.
#[test]
fn f21_where_one_of_two_backends_hangs_the_other_serves() {
    const PENDING: usize = 3;
    const SERVED: usize = 20;
    let hung = Backend::bind();
    let good = Backend::bind().serve(|mut wire| {
        let head = wire.read_head();
        wire.send(head.answer_101(""));
        while wire.read_some_or_end().is_some() {}
    });
    let route = format!(
        "[[route]]\npath = '/ws'\nbackend = ['{}', '{}']\nmax_pending = {PENDING}\nbalance = 'round-robin'",
        hung.ws(),
        good.ws()
    );
    let gateway = gateway().tables(&route).start();
    let (mut waiting, mut served) = (Vec::new(), Vec::new());
    while served.len() < SERVED {
        let (mut client, owed) = ask(&gateway, &hung);
        if let Some(owed) = owed {
            waiting.push((client, owed));
            assert!(waiting.len() <= PENDING);
        } else {
            assert_eq!(client.read_head().status(), 101);
            served.push(client);
        }
    }
    assert_eq!(waiting.len(), PENDING, "each has its turn until then");
    drop((waiting, served));
    gateway.finish();
}

/// Fills what may wait for this server, which answers nobody, with requests of this kind: those that come then are refused
/// at once, and one is let through where one has left.
#[track_caller]
fn holds_few(gateway: &Gateway, hung: &Backend, request: &Request, pending: usize) {
    let ask = || {
        let mut client = gateway.connect();
        client.send(request.encode());
        client
    };
    let mut waiting: Vec<_> = (0..pending).map(|_| (ask(), hung.accept())).collect();
    for _ in 0..20 {
        assert_eq!(ask().read_head().status(), 503);
    }
    hung.assert_untouched();
    drop(waiting.pop());
    eventually("there is room for one more", || {
        let mut client = ask();
        eventually("it is asked, or there is an answer", || {
            hung.accepted_already()
                .map(Some)
                .or_else(|| (!client.is_silent_for(Duration::from_millis(2))).then_some(None))
        })
    });
}

/// Whoever waits for an answer has a place among the handshakes: neither a backend of plain requests nor a server that
/// `auth` or a look-up asks comes to hold them all.
#[test]
fn t061_no_server_that_hangs_is_waited_for_by_many() {
    const PENDING: usize = 3;
    let [plain, auth, text, json, redis] = [(); 5].map(|()| Backend::bind());
    let lines = format!("max_pending = {PENDING}\nupgrade_timeout = '5m'");
    let url = |server: &Backend| format!("http://{}/", server.address());
    let lookup = |path: &str, kind: &str, source: String| {
        format!(
            "[[route]]\npath = '/{path}'\nmax_pending = {PENDING}\n\
             lookup = {{ kind = '{kind}', source = '{source}', timeout = '1m' }}\n"
        )
    };
    let tables = [
        lookup("text", "http", url(&text) + "%s"),
        lookup("json", "json", url(&json) + "%s"),
        lookup("redis", "redis", redis.address().to_string()),
    ];
    let guard = format!(
        "max_pending = {PENDING}\nauth = {{ kind = 'forward', url = '{}', timeout = '1m' }}",
        url(&auth)
    );
    let gateway = gateway()
        .route("/echo", "echo:", "")
        .route("/plain", &format!("http://{}", plain.address()), &lines)
        .route("/auth", "echo:", &guard)
        .tables(&tables.concat())
        .start();
    let canary = Canary::of(&gateway, "/echo");
    holds_few(&gateway, &plain, &Request::get("/plain"), PENDING);
    holds_few(&gateway, &auth, &Request::upgrade("/auth"), PENDING);
    for (path, server) in [("/text", &text), ("/json", &json), ("/redis", &redis)] {
        holds_few(&gateway, server, &Request::upgrade(&format!("{path}?token=a")), PENDING);
    }
    canary.finish();
    gateway.finish();
}

/// The system has a thread for each name that it is asked for, and keeps it while the name's server is silent, whoever
/// has given up meanwhile. Files need threads too, and so do other names.
#[test]
fn f03_t061_a_name_that_nobody_answers_for_takes_no_thread_from_others() {
    const CLIENTS: usize = 600; // a worker has 512 threads
    let faults = Faults::new();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.txt"), "hello").unwrap();
    let other = Backend::bind();
    let gateway = gateway()
        .top("workers = 1\nmax_handshakes = 2000")
        .route(
            "/hung",
            &format!("tcp://{UNANSWERED}:5900"),
            &format!("connect_timeout = '10m'\nmax_pending = {CLIENTS}"),
        )
        .route("/named", &format!("tcp://localhost:{}", other.address().port()), "")
        .route("/files/*", &format!("file:{}", folder.path().display()), "")
        .with_faults(&faults)
        .start();
    let ask = || {
        let mut client = gateway.connect();
        client.send(Request::upgrade("/hung").encode());
        client
    };
    let waiting: Vec<Wire> = (0..CLIENTS).map(|_| ask()).collect();
    let status = eventually("as many wait as may", || {
        let mut one_more = ask();
        (!one_more.is_silent_for(Duration::from_millis(20))).then(|| one_more.read_head().status())
    });
    assert_eq!(status, 503);

    let mut client = gateway.connect();
    client.send(Request::get("/files/a.txt").encode());
    assert_eq!(client.read_response().1, "hello");
    client.send(Request::upgrade("/named").encode());
    assert_eq!(client.read_head().status(), 101);
    assert!((1..=8).contains(&faults.unanswered()), "it is asked for once or a few times, for all of them");

    faults.give_up_names();
    for mut client in waiting {
        assert_eq!(client.read_head().status(), 502);
    }
    drop((client, other.accept()));
    gateway.finish();
}
