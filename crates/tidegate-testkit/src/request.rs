//! Requests as bytes: the good upgrade request that hostile ones are made from.

/// A request head that is written exactly as it is told to, legal or not.
#[derive(Debug, Clone)]
pub struct Request {
    line: String,
    fields: Vec<(String, Vec<u8>)>,
}

impl Request {
    /// The base of all handshake tests: the upgrade request of RFC 6455 §1.2 for this target, from a page of the same
    /// origin.
    pub fn upgrade(target: &str) -> Self {
        Self::get(target)
            .with("Upgrade", "websocket")
            .with("Connection", "Upgrade")
            .with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
            .with("Sec-WebSocket-Version", "13")
            .with("Origin", "http://gw.test")
    }

    /// A plain request.
    pub fn get(target: &str) -> Self {
        Self { line: format!("GET {target} HTTP/1.1"), fields: Vec::new() }.with("Host", "gw.test")
    }

    /// With another request line.
    #[must_use]
    pub fn line(mut self, line: &str) -> Self {
        line.clone_into(&mut self.line);
        self
    }

    /// With one more field at the end, whether or not it is there already.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.fields.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Without any field of this name.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(field, _)| !field.eq_ignore_ascii_case(name));
        self
    }

    /// With this value in place of all fields of this name.
    #[must_use]
    pub fn set(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.without(name).with(name, value)
    }

    /// Its bytes, up to and with the empty line.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.line.clone().into_bytes();
        bytes.extend(b"\r\n");
        for (name, value) in &self.fields {
            for part in [name.as_bytes(), b": ", value, b"\r\n"] {
                bytes.extend(part);
            }
        }
        bytes.extend(b"\r\n");
        bytes
    }
}
