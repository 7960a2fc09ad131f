//! Authentication: it guards everything that a route serves, before anything is looked up or connected.

mod basic;
mod certificates;
mod forwarded;
mod signed;
mod spellings;

use std::fs;

use tidegate_testkit::{Backend, Gateway, Head, Request};

use crate::rig::gateway;

/// What a test has behind its guard: `/ws` with a backend, `/files` with a file of one word, and `/open`, unguarded.
struct House {
    gateway: Gateway,
    backend: Backend,
    _folder: tempfile::TempDir,
}

impl House {
    /// With this `auth` on its routes.
    fn guarded(auth: &str) -> Self {
        Self::with_listener(auth, "")
    }

    fn with_listener(auth: &str, listener: &str) -> Self {
        let (backend, folder) = (Backend::bind(), tempfile::tempdir().unwrap());
        fs::write(folder.path().join("word"), "open sesame").unwrap();
        let auth = format!("auth = {{ {auth} }}\norigins = ['http://gw.test']");
        let gateway = gateway()
            .listener(listener)
            .route("/ws", &backend.tcp(), &auth)
            .route("/files/*", &format!("file:{}", folder.path().display()), &auth)
            .route("/open", "echo:", "")
            .start();
        Self { gateway, backend, _folder: folder }
    }

    /// That a request with these fields is let in, over WebSocket and without.
    #[track_caller]
    fn lets_in(&self, change: impl Fn(Request) -> Request) {
        let mut client = self.gateway.connect();
        client.send(change(Request::upgrade("/ws")).encode());
        let _far = self.backend.accept();
        assert_eq!(client.read_head().status(), 101);
        let mut client = self.gateway.connect();
        client.send(change(Request::get("/files/word")).encode());
        let head = client.read_head();
        assert_eq!(head.status(), 200);
        assert_eq!(client.read_exact("open sesame".len()), b"open sesame");
    }

    /// The answers to a request with these fields, over WebSocket and without: both have this status, and neither
    /// backend nor file was touched.
    #[track_caller]
    fn keeps_out(&self, status: u16, change: impl Fn(Request) -> Request) -> [(Head, String); 2] {
        let answers = [Request::upgrade("/ws"), Request::get("/files/word").set("Connection", "close")].map(
            |request| {
                let mut client = self.gateway.connect();
                client.send(change(request).encode());
                let (head, body) = client.read_response();
                assert_eq!(head.status(), status, "{body}");
                assert!(!body.contains("sesame"), "{body}");
                (head, body)
            },
        );
        self.backend.assert_untouched();
        answers
    }

    fn finish(self) {
        self.gateway.open("/open");
        self.backend.assert_untouched();
        self.gateway.finish();
    }
}
