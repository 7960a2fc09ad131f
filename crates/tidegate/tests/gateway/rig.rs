//! A gateway with one route of each kind, and the backends behind them in the hands of the test.

use std::thread;

use tidegate_testkit::{Authority, Backend, Builder, Faults, Frame, Gateway, Head, Request, Wire};

/// The built binary, or the one that `TIDEGATE_BINARY` names: figures are worth something of a release build alone.
pub(crate) fn binary() -> String {
    std::env::var("TIDEGATE_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_tidegate").to_owned())
}

/// Starts it.
pub(crate) fn gateway() -> Builder {
    Gateway::builder(&binary())
}

/// A peer at the end of a long line: how much it takes in one piece, and before it must be asked again.
pub(crate) const SEGMENT: u32 = 536;
pub(crate) const WINDOW: usize = 4 << 10;

/// What is behind a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Far {
    Echo,
    Tcp,
    Ws,
}

/// All of them, for what must hold on every route.
pub(crate) const EVERY_FAR: [Far; 3] = [Far::Echo, Far::Tcp, Far::Ws];

/// A gateway with the routes `/echo`, `/tcp` and `/ws`.
#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) gateway: Gateway,
    pub(crate) tcp: Backend,
    pub(crate) ws: Backend,
}

/// An open WebSocket with both of its ends.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: Wire,
    /// The backend's end; none behind `echo:`.
    backend: Option<Wire>,
}

impl Rig {
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// With these lines in each route.
    pub(crate) fn with(route: &str) -> Self {
        Self::with_top("", route)
    }

    /// With these lines at the top of the file, and these in each route.
    pub(crate) fn with_top(top: &str, route: &str) -> Self {
        Self::between(Backend::bind(), Backend::bind(), top, route)
    }

    /// In front of these backends.
    pub(crate) fn between(tcp: Backend, ws: Backend, top: &str, route: &str) -> Self {
        Self::of(gateway().top(top), tcp, ws, route, "")
    }

    /// Where what the board orders comes true.
    pub(crate) fn faulty(faults: &Faults, top: &str, route: &str) -> Self {
        Self::of(gateway().with_faults(faults).top(top), Backend::bind(), Backend::bind(), route, "")
    }

    /// TLS everywhere: `wss://` in front, `tls://` and `wss://` behind. The routes have these lines more.
    pub(crate) fn secure_with(route: &str) -> Self {
        Self::secure_between(Backend::bind(), Backend::bind(), "", route)
    }

    /// The same in front of these backends, which get TLS for it, and with these lines at the top of the file.
    pub(crate) fn secure_between(tcp: Backend, ws: Backend, top: &str, route: &str) -> Self {
        let authority = Authority::new();
        let identity = || authority.issue("127.0.0.1");
        let [tcp, ws] = [tcp, ws].map(|backend| backend.secured(identity()));
        let from_anywhere = format!("origins = ['http://gw.test']\n{route}");
        let trust = format!("backend_tls = {{ ca = {:?} }}", authority.file());
        Self::of(gateway().top(top).secure(&authority, &identity()), tcp, ws, &from_anywhere, &trust)
    }

    /// What holds over TCP must hold over TLS on both sides as well.
    pub(crate) fn each(hold: impl Fn(Self)) {
        Self::each_with("", hold);
    }

    /// The same in front of these backends, and with these lines at the top of the file.
    pub(crate) fn each_between(backend: impl Fn() -> Backend, top: &str, hold: impl Fn(Self)) {
        hold(Self::between(backend(), backend(), top, ""));
        hold(Self::secure_between(backend(), backend(), top, ""));
    }

    /// The same with these lines in each route.
    pub(crate) fn each_with(route: &str, hold: impl Fn(Self)) {
        hold(Self::with(route));
        hold(Self::secure_with(route));
    }

    /// As this says, and with routes to these backends. Pings are for those tests that ask for them: on a busy machine
    /// any test may last until the first.
    pub(crate) fn of(builder: Builder, tcp: Backend, ws: Backend, route: &str, trust: &str) -> Self {
        let pings = if route.contains("ping_interval") { "" } else { "ping_interval = 0\n" };
        let route = format!("{pings}{route}");
        let trusting = format!("{route}\n{trust}");
        let routes = builder.route("/echo", "echo:", &route);
        let routes = routes.route("/tcp", &tcp.tcp(), &trusting).route("/ws", &ws.ws(), &trusting);
        Self { gateway: routes.start(), tcp, ws }
    }

    #[track_caller]
    pub(crate) fn open(&self, far: Far) -> Session {
        match far {
            Far::Echo => self.gateway.open("/echo").into(),
            Far::Tcp => self.open_tcp().into(),
            Far::Ws => self.open_ws().into(),
        }
    }

    /// A WebSocket on the WebSocket to TCP route: the client's end and the backend's.
    #[track_caller]
    pub(crate) fn open_tcp(&self) -> (Wire, Wire) {
        let mut client = self.gateway.connect();
        client.send(Request::upgrade("/tcp").encode());
        let backend = self.tcp.accept();
        assert_eq!(client.read_head().status(), 101);
        (client, backend)
    }

    /// The same for a client at the end of a long line: it takes little at once, and the kernels hold little for it.
    #[track_caller]
    pub(crate) fn open_tcp_narrow(&self) -> (Wire, Wire) {
        let mut client = self.gateway.connect_narrow(SEGMENT, WINDOW);
        client.send(Request::upgrade("/tcp").encode());
        let backend = self.tcp.accept();
        assert_eq!(client.read_head().status(), 101);
        (client, backend)
    }

    /// A WebSocket on the WebSocket to WebSocket route: the client's end and the backend's.
    #[track_caller]
    pub(crate) fn open_ws(&self) -> (Wire, Wire) {
        let (mut client, backend, _) = self.ask_ws(&Request::upgrade("/ws"), "");
        assert_eq!(client.read_head().status(), 101);
        (client, backend)
    }

    /// Sends this request, which must reach the WebSocket backend, and answers it there with 101 and `more` fields.
    /// The client has not read its own answer yet.
    #[track_caller]
    pub(crate) fn ask_ws(&self, request: &Request, more: &str) -> (Wire, Wire, Head) {
        let mut client = self.gateway.connect();
        client.send(request.encode());
        let mut backend = self.ws.accept();
        let head = backend.read_head();
        backend.send(head.answer_101(more));
        (client, backend, head)
    }

    /// The answer to a request that must be refused: its connection ends, and no backend hears of it.
    #[track_caller]
    pub(crate) fn refused(&self, request: &Request) -> Head {
        let mut client = self.gateway.connect();
        client.send(request.encode());
        let (head, _) = client.read_response();
        assert_ne!(head.status(), 101);
        client.expect_fin();
        self.assert_untouched();
        head
    }

    /// That no backend has a connection which the test has not accepted.
    #[track_caller]
    pub(crate) fn assert_untouched(&self) {
        self.tcp.assert_untouched();
        self.ws.assert_untouched();
    }

    /// The end of a test: nothing may be left over in the gateway.
    #[track_caller]
    pub(crate) fn finish(self) {
        self.assert_untouched();
        self.gateway.finish();
    }
}

impl Session {
    /// The backend's end.
    #[track_caller]
    pub(crate) fn backend(&mut self) -> &mut Wire {
        self.backend.as_mut().expect("this route has a backend")
    }

    /// Ends the client's side in this way, and keeps the backend's.
    pub(crate) fn into_backend_after(self, end: impl FnOnce(Wire)) -> Option<Wire> {
        end(self.client);
        self.backend
    }

    /// What the backend must see when the gateway ends the session for a reason of its own or the client's fault: after
    /// `received`, a TCP backend sees the end of the bytes and a WebSocket backend a Close with `code`.
    #[track_caller]
    pub(crate) fn expect_backend_end(&mut self, far: Far, received: &[u8], code: u16) {
        match far {
            Far::Echo => {}
            Far::Tcp => {
                let backend = self.backend();
                let passed = backend.read_to_fin();
                assert_eq!(passed.escape_ascii().to_string(), received.escape_ascii().to_string());
                backend.finish();
            }
            Far::Ws => {
                let backend = self.backend();
                let passed = backend.read_exact(received.len());
                assert_eq!(passed.escape_ascii().to_string(), received.escape_ascii().to_string());
                expect_close_at_backend(backend, code);
            }
        }
    }
}

impl From<(Wire, Wire)> for Session {
    fn from((client, backend): (Wire, Wire)) -> Self {
        Self { client, backend: Some(backend) }
    }
}

impl From<Wire> for Session {
    fn from(client: Wire) -> Self {
        Self { client, backend: None }
    }
}

/// A Close of the gateway's own at a WebSocket backend: masked, with this code; it is answered, and then TCP ends.
#[track_caller]
pub(crate) fn expect_close_at_backend(backend: &mut Wire, code: u16) {
    let close = backend.read_frame();
    assert_eq!(close.close_code(), Some(code), "{close:?}");
    assert!(close.mask.is_some(), "a client's frame is masked");
    backend.send_frame(&close.unmasked());
    backend.expect_fin();
    backend.finish();
}

/// Drops both ends. The access line then tells how it ended, with which code, and who began it.
#[track_caller]
pub(crate) fn expect_line(gateway: &Gateway, ends: impl Into<Session>, end: &str, code: u16, by: &str) {
    let session: Session = ends.into();
    let client = session.client.local_address();
    drop(session);
    let line = gateway.access_line_of(client);
    assert_eq!(
        (&line["end"], &line["close_code"], &line["closed_by"]),
        (&end.into(), &code.into(), &by.into()),
        "{line}"
    );
}

/// A closing handshake that the client begins, on any route.
#[track_caller]
pub(crate) fn close_from_client(far: Far, session: &mut Session) {
    session.client.send_frame(&Frame::close(1000, "").masked());
    match far {
        Far::Echo => {}
        Far::Tcp => {
            session.backend().expect_fin();
            session.backend().finish();
        }
        Far::Ws => expect_close_at_backend(session.backend(), 1000),
    }
    session.client.expect_close(1000);
}

/// Sends bytes that the sockets on the way may not hold all at once, while `read` takes what comes of them.
pub(crate) fn beside<T>(mut writer: Wire, bytes: &[u8], read: impl FnOnce() -> T) -> T {
    thread::scope(|scope| {
        scope.spawn(|| writer.send(bytes));
        read()
    })
}

/// Bytes that tell their place, so that a gap, a repetition or a swap is seen.
pub(crate) fn numbered(len: usize) -> Vec<u8> {
    (0_u32..).flat_map(u32::to_be_bytes).take(len).collect()
}

/// Compares long runs of bytes without printing them.
#[track_caller]
pub(crate) fn assert_same(got: &[u8], expected: &[u8]) {
    if got == expected {
        return; // at the speed of memory, where gigabytes are compared
    }
    let differs = got.iter().zip(expected).position(|(got, expected)| got != expected);
    assert_eq!(differs, None, "first difference of {} and {} bytes", got.len(), expected.len());
    assert_eq!(got.len(), expected.len());
}
