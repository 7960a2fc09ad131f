//! A client of hybi-00, written from the draft: the two requests that it prints, and frames as plain bytes.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{Request, Wire};

/// One of the opening handshakes that the draft prints (§1.2 and §1.3), with the answer that it prints.
#[derive(Debug, Clone, Copy)]
pub struct Hybi00 {
    /// `Sec-WebSocket-Key1`.
    pub key1: &'static str,
    /// `Sec-WebSocket-Key2`.
    pub key2: &'static str,
    /// The eight bytes behind the request.
    pub key3: &'static [u8; 8],
    /// The sixteen behind the answer.
    pub proof: &'static [u8; 16],
}

impl Hybi00 {
    /// The first.
    pub const FIRST: Self = Self {
        key1: "4 @1  46546xW%0l 1 5",
        key2: "12998 5 Y3 1  .P00",
        key3: b"^n:ds[4U",
        proof: b"8jKS'y:G*Co,Wxa-",
    };

    /// The second.
    pub const SECOND: Self = Self {
        key1: "18x 6]8vM;54 *(5:  {   U1]8  z [  8",
        key2: "1_ tx7X d  <  nw  334J702) 7]o}` 0",
        key3: b"Tm[K T2u",
        proof: b"fQJ,fN/4F4!~K~MH",
    };

    /// The closing frame, in either direction.
    pub const CLOSING: [u8; 2] = [0xff, 0x00];

    /// The head of its request for this target, from a page of the same origin. The eight bytes are not part of it.
    pub fn request(&self, target: &str) -> Request {
        Request::get(target)
            .with("Upgrade", "WebSocket")
            .with("Connection", "Upgrade")
            .with("Sec-WebSocket-Key1", self.key1)
            .with("Sec-WebSocket-Key2", self.key2)
            .with("Origin", "http://gw.test")
    }

    /// A frame of text.
    pub fn text(text: impl AsRef<[u8]>) -> Vec<u8> {
        [b"\x00", text.as_ref(), b"\xff"].concat()
    }

    /// A frame of text that is the base64 of these bytes.
    pub fn bytes(bytes: impl AsRef<[u8]>) -> Vec<u8> {
        Self::text(STANDARD.encode(bytes))
    }
}

impl Wire {
    /// The next frame, which must be one of text; what it says. Bytes that are no UTF-8 are a failure: the draft has text
    /// alone.
    #[track_caller]
    pub fn read_hybi00_text(&mut self) -> String {
        assert_eq!(self.read_exact(1), [0x00], "a frame of text begins");
        let text = self.read_until(0xff);
        String::from_utf8(text).expect("a frame of text holds text")
    }

    /// The bytes whose base64 the next frame is.
    #[track_caller]
    pub fn read_hybi00_bytes(&mut self) -> Vec<u8> {
        let text = self.read_hybi00_text();
        STANDARD.decode(&text).unwrap_or_else(|error| panic!("{error}: {text:?}"))
    }

    /// The closing frame and then the end of the connection, which is answered as a client does.
    #[track_caller]
    pub fn expect_hybi00_close(&mut self) {
        assert_eq!(self.read_exact(2), Hybi00::CLOSING, "the closing frame");
        drop(self.try_send(Hybi00::CLOSING)); // the gateway may have ended already, where it waits for none
        self.expect_fin();
        self.finish();
    }
}
