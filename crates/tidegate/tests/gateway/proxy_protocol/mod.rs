//! The PROXY protocol: clients that a proxy in front announces, and clients that are announced to a backend.

mod incoming;
mod outgoing;

/// A header of version 2.
fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap();
    [b"\r\n\r\n\0\r\nQUIT\n".as_slice(), &[command, family], &length.to_be_bytes(), rest].concat()
}

/// A field of it.
fn field(kind: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap();
    [[kind].as_slice(), &length.to_be_bytes(), value].concat()
}
