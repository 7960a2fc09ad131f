//! Version 2: addresses and fields in binary.

use std::net::{IpAddr, SocketAddr};

use super::{Malformed, ProxyInfo, Scan};

/// What it begins with: no protocol that anybody speaks takes this for something of its own.
pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Bytes up to where the length is known.
pub(super) const HEAD_BYTES: usize = 16;

/// Bytes behind that which are read.
pub(super) const REST_BYTES_MAX: usize = 2048;

/// Version and command.
pub(super) const LOCAL: u8 = 0x20;
pub(super) const PROXY: u8 = 0x21;

/// Family and transport.
pub(super) const UNSPECIFIED: u8 = 0x00;
pub(super) const TCP_IPV4: u8 = 0x11;
pub(super) const TCP_IPV6: u8 = 0x21;

/// Types of fields (2.2).
pub(super) const AUTHORITY: u8 = 0x02;
pub(super) const CRC32C: u8 = 0x03;
pub(super) const SSL: u8 = 0x20;
pub(super) const SSL_VERSION: u8 = 0x21;
pub(super) const SSL_COMMON_NAME: u8 = 0x22;

/// Of the first byte of the field `SSL`: the client speaks TLS; it has shown a certificate in this connection.
pub(super) const CLIENT_SSL: u8 = 0x01;
pub(super) const CLIENT_CERT_CONNECTION: u8 = 0x02;

/// Bytes of `SSL` before its own fields.
pub(super) const SSL_HEAD_BYTES: usize = 5;

/// Looks at what begins with the signature, or with a part of it. What cannot become a header is told at once.
pub(super) fn scan(bytes: &[u8]) -> Result<Scan, Malformed> {
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD_BYTES>() else { return Ok(Scan::More) };
    let [.., command, family, high, low] = *head;
    let length = u16::from_be_bytes([high, low]);
    if usize::from(length) > REST_BYTES_MAX {
        return Err(Malformed::TooLong(length));
    }
    let address_bytes = address_bytes(command, family).ok_or(Malformed::Kind(command, family))?;
    let Some(rest) = rest.get(..usize::from(length)) else { return Ok(Scan::More) };
    let whole = HEAD_BYTES + rest.len();
    if command == LOCAL {
        return Ok(Scan::Whole(whole, ProxyInfo { addresses: None, secure: false })); // the proxy itself; all else is skipped
    }
    let (addresses, fields) = rest.split_at_checked(address_bytes).ok_or(Malformed::Length)?;
    let mut secure = false;
    let mut fields = Fields(fields);
    while let Some(field) = fields.next() {
        let (kind, value) = field?;
        match kind {
            CRC32C => check(&bytes[..whole], whole - fields.0.len() - value.len(), value)?,
            SSL => {
                let (head, fields) = value.split_at_checked(SSL_HEAD_BYTES).ok_or(Malformed::Length)?;
                secure = head[0] & CLIENT_SSL != 0;
                Fields(fields).try_for_each(|field| field.map(|_| ()))?;
            }
            _ => {}
        }
    }
    Ok(Scan::Whole(whole, ProxyInfo { addresses: read_addresses(family, addresses), secure }))
}

/// Bytes that addresses take; `None` where command, family or transport is none that there is.
fn address_bytes(command: u8, family: u8) -> Option<usize> {
    match command {
        LOCAL => return Some(0),
        PROXY => {}
        _ => return None,
    }
    let is_transport = family & 0x0f <= 2; // unspecified, stream, datagram
    let bytes = match family >> 4 {
        0 => 0,
        1 => 12,
        2 => 36,
        3 => 216, // two paths of Unix sockets
        _ => return None,
    };
    is_transport.then_some(bytes)
}

/// `None` for everything but TCP: this connection's own addresses say as much as those of a Unix socket.
fn read_addresses(family: u8, bytes: &[u8]) -> Option<(SocketAddr, SocketAddr)> {
    match family {
        TCP_IPV4 => endpoints::<4>(bytes),
        TCP_IPV6 => endpoints::<16>(bytes),
        _ => None,
    }
}

/// Two addresses, then two ports.
fn endpoints<const N: usize>(bytes: &[u8]) -> Option<(SocketAddr, SocketAddr)>
where
    IpAddr: From<[u8; N]>,
{
    let (source, rest) = bytes.split_first_chunk::<N>()?;
    let (destination, ports) = rest.split_first_chunk::<N>()?;
    let [a, b, c, d] = *ports.first_chunk()?;
    Some((
        SocketAddr::new((*source).into(), u16::from_be_bytes([a, b])),
        SocketAddr::new((*destination).into(), u16::from_be_bytes([c, d])),
    ))
}

/// Type and value of each; they have to end where the bytes do.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u8, &'a [u8]), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = take_field(self.0);
        self.0 = field.map_or(&[], |(_, _, rest)| rest);
        Some(field.map(|(kind, value, _)| (kind, value)).ok_or(Malformed::Length))
    }
}

fn take_field(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let ([kind, high, low], rest) = bytes.split_first_chunk::<3>()?;
    let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
    Some((*kind, value, rest))
}

/// Compares the checksum of a whole header, which counts its own bytes as zeros, with what the header says that it is.
fn check(header: &[u8], at: usize, value: &[u8]) -> Result<(), Malformed> {
    let expected: [u8; 4] = value.try_into().map_err(|_| Malformed::Length)?;
    let own = at..at + expected.len();
    let bytes = header.iter().enumerate().map(|(at, byte)| if own.contains(&at) { 0 } else { *byte });
    if crc32c(bytes) == u32::from_be_bytes(expected) { Ok(()) } else { Err(Malformed::Checksum) }
}

/// CRC-32C (RFC 9260, appendix A), bit by bit: it is rare, and two KiB at most.
pub(super) fn crc32c(bytes: impl Iterator<Item = u8>) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    !bytes.fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { POLYNOMIAL } else { 0 })
    })
}
