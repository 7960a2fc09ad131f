//! Starting a gateway.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustls::ClientConfig;

use super::{AdminSocket, Answers, Baseline, Gateway, Lines, successor};
use crate::{Authority, Faults, Identity, PATIENCE, within};

/// A gateway to be started: its configuration in pieces.
#[derive(Debug, Clone, Default)]
pub struct Builder {
    binary: String,
    top: String,
    listener: String,
    routes: String,
    /// In place of the pieces.
    whole: Option<String>,
    client: Option<Arc<ClientConfig>>,
    environment: Vec<(String, OsString)>,
}

impl Gateway {
    /// A gateway with one listener on a free port of loopback and no route.
    pub fn builder(binary: &str) -> Builder {
        Builder { binary: binary.to_owned(), ..Builder::default() }
    }

    /// Starts a gateway by this command, and waits until it listens.
    ///
    /// # Panics
    /// It does not come to that; its diagnosis is shown.
    #[track_caller]
    pub fn run(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the gateway can be started");
        let log = Lines::collect(child.stdout.take().expect("its output is a pipe"));
        let diagnosis = Lines::collect(child.stderr.take().expect("its diagnosis is a pipe"));
        let address = diagnosis.wait_for("the address", address_in);
        let baseline = Baseline::of(child.id()).expect("the gateway is running");
        successor::adopt_orphans();
        Self {
            child,
            successor: None,
            address,
            client: None,
            log,
            diagnosis,
            baseline,
            admin: None,
            answers: Answers::default(),
            panics: 0,
            config: None,
        }
    }
}

impl Builder {
    /// With these lines at the top of its file.
    #[must_use]
    pub fn top(mut self, lines: &str) -> Self {
        writeln!(self.top, "{lines}").expect("a string can be written to");
        self
    }

    /// With these lines in its listener.
    #[must_use]
    pub fn listener(mut self, lines: &str) -> Self {
        writeln!(self.listener, "{lines}").expect("a string can be written to");
        self
    }

    /// With TLS on its listener, as this identity for 127.0.0.1 that `authority` has issued.
    #[must_use]
    pub fn secure(self, authority: &Authority, identity: &Identity) -> Self {
        let files = format!("tls = {{ cert = {:?}, key = {:?} }}", identity.cert(), identity.key());
        Self { client: Some(authority.client()), ..self.listener(&files) }
    }

    /// With one more route, and these lines in it.
    #[must_use]
    pub fn route(mut self, path: &str, backend: &str, lines: &str) -> Self {
        writeln!(self.routes, "[[route]]\npath = '{path}'\nbackend = '{backend}'\n{lines}")
            .expect("a string can be written to");
        self
    }

    /// With these lines behind its listener: whole tables.
    #[must_use]
    pub fn tables(mut self, lines: &str) -> Self {
        writeln!(self.routes, "{lines}").expect("a string can be written to");
        self
    }

    /// With this file, whole as it is.
    #[must_use]
    pub fn whole(self, text: &str) -> Self {
        Self { whole: Some(text.to_owned()), ..self }
    }

    /// With this in its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Where what this board orders comes true.
    #[must_use]
    pub fn with_faults(self, faults: &Faults) -> Self {
        faults.environment().into_iter().fold(self, |builder, (name, value)| builder.env(&name, value))
    }

    /// Starts it and waits until it listens.
    ///
    /// # Panics
    /// It does not come to that; its diagnosis is shown.
    #[track_caller]
    pub fn start(&self) -> Gateway {
        let admin = self.takes_admin().then(AdminSocket::new);
        let config = self.file(admin.as_ref());
        let mut gateway = Gateway::run(self.command(config.path()));
        gateway.admin = admin;
        gateway.client.clone_from(&self.client);
        gateway.config = Some(config);
        gateway
    }

    /// Starts it with a configuration that it must refuse; what it says about it.
    ///
    /// # Panics
    /// It listens, or ends as if nothing were wrong.
    #[track_caller]
    pub fn refused(&self) -> String {
        let config = self.file(None);
        let mut child = self.command(config.path()).spawn().expect("the gateway can be started");
        let diagnosis = Lines::collect(child.stderr.take().expect("its diagnosis is a pipe"));
        let ended = within(PATIENCE, || child.try_wait().expect("our own child can be asked"));
        if ended.is_none() {
            drop(child.kill()); // it serves, which the assertion below says
            drop(child.wait());
        }
        diagnosis.wait_for_end();
        let said = diagnosis.all().join("\n");
        assert_eq!(ended.and_then(|status| status.code()), Some(1), "{said}");
        said
    }

    /// Whether an admin listener of the kit's own may be added.
    fn takes_admin(&self) -> bool {
        let has_faults = self.environment.iter().any(|(name, _)| name == "LD_PRELOAD");
        self.whole.is_none() && !has_faults && !self.top.contains("admin") && !self.top.contains('[')
    }

    fn file(&self, admin: Option<&AdminSocket>) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
        file.write_all(self.config(admin).as_bytes()).expect("a temporary file can be written");
        file
    }

    pub(super) fn config(&self, admin: Option<&AdminSocket>) -> String {
        if let Some(whole) = &self.whole {
            return whole.clone();
        }
        let Self { top, listener, routes, .. } = self;
        let admin = admin.filter(|_| self.takes_admin()).map(AdminSocket::line).unwrap_or_default();
        format!("{top}{admin}\n[[listener]]\naddress = \"127.0.0.1:0\"\n{listener}\n{routes}")
    }

    fn command(&self, config: &Path) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("serve").arg("-c").arg(config).envs(self.environment.iter().cloned());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// The address in `listening on http://127.0.0.1:40123`.
pub(super) fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("listening on ")?;
    let (_, address) = rest.split_once("://")?;
    address.trim().parse().ok()
}
