//! A gateway whose every path is an `http://` route, and the backend behind it that nothing hostile may reach.

use tidegate_testkit::{Backend, Gateway, Head, Wire};

use crate::rig::gateway;

/// The gateway and its backend, in the hands of the test.
#[derive(Debug)]
pub(crate) struct Tripwire {
    pub(crate) gateway: Gateway,
    pub(crate) backend: Backend,
}

/// What is sent right behind every hostile request, and must never be served.
pub(crate) const SMUGGLED: &[u8] = b"GET /smuggled HTTP/1.1\r\nHost: gw.test\r\n\r\n";

impl Tripwire {
    pub(crate) fn start() -> Self {
        let backend = Backend::bind();
        let target = backend.tcp().replace("tcp://", "http://");
        let gateway = gateway()
            .route("/echo", "echo:", "")
            .route("/here", "echo:", "")
            .route("/*", &target, "")
            .start();
        Self { gateway, backend }
    }

    /// Sends a head, what belongs to it, and the smuggled request; the client's end.
    #[track_caller]
    pub(crate) fn send(&self, bytes: &[u8]) -> Wire {
        let mut client = self.gateway.connect();
        client.send([bytes, SMUGGLED].concat());
        client
    }

    /// Sends what must be refused: the answer is the last of its connection, and no backend hears of it.
    #[track_caller]
    pub(crate) fn refused(&self, bytes: &[u8]) -> Head {
        let mut client = self.send(bytes);
        let (head, _) = client.read_response();
        client.expect_fin();
        self.backend.assert_untouched();
        head
    }

    /// The status of what must be refused.
    #[track_caller]
    pub(crate) fn status(&self, bytes: &[u8]) -> u16 {
        self.refused(bytes).status()
    }

    /// The end of a test: nothing was smuggled, nothing is left over.
    #[track_caller]
    pub(crate) fn finish(self) {
        self.backend.assert_untouched();
        let lines = self.gateway.access_lines();
        assert!(lines.iter().all(|line| line["path"] != "/smuggled"), "{lines:?}");
        self.gateway.finish();
    }
}

/// A plain request with these fields, each ended by CR LF.
pub(crate) fn get(fields: &str) -> Vec<u8> {
    format!("GET /a HTTP/1.1\r\n{fields}\r\n").into_bytes()
}

/// A request with a body.
pub(crate) fn post(fields: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let head = format!("POST /a HTTP/1.1\r\nHost: gw.test\r\n{fields}\r\n");
    [head.as_bytes(), body.as_ref()].concat()
}
