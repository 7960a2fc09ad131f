//! The PROXY header, in one piece and in pieces, and read once more as plainly as the specification has it.

use std::net::{IpAddr, SocketAddr};

use crate::config::ProxyVersion;
use crate::proxy_header::{Announcement, ProxyInfo, Scan, scan};

/// Reads an input, and writes one that it describes.
pub fn run(data: &[u8]) {
    let whole = scan(data);
    for len in 0..data.len().min(300) {
        match scan(&data[..len]) {
            Ok(Scan::More) => {}
            early => assert_eq!(early, whole, "after {len} bytes"),
        }
    }
    match (whole, naive(data)) {
        (Ok(Scan::Whole(len, told)), Some((expected_len, expected))) => {
            assert_eq!((len, told), (expected_len, expected));
        }
        (Ok(Scan::Whole(len, told)), None) => panic!("{len} bytes are no header: {told:?}"),
        (found, Some(expected)) => panic!("{found:?} in place of {expected:?}"),
        (Ok(Scan::More) | Err(_), None) => {}
    }
    write_and_read(data);
}

/// What is written for others can be read here.
fn write_and_read(data: &[u8]) {
    let Some((addresses, rest)) = data.split_first_chunk::<36>() else { return };
    let [a, b, c, d] = [addresses[32], addresses[33], addresses[34], addresses[35]];
    let address = |at: usize, port: [u8; 2]| {
        let octets: [u8; 16] = addresses[at..at + 16].try_into().expect("sixteen of them");
        let address = IpAddr::from(octets).to_canonical();
        SocketAddr::new(address, u16::from_be_bytes(port))
    };
    let (client, local) = (address(0, [a, b]), address(16, [c, d]));
    let text = String::from_utf8_lossy(rest);
    let (authority, path) = text.split_at(text.floor_char_boundary(text.len() / 2));
    let announced = Announcement { client: Some(client), local: Some(local), authority, path, tls: None };
    for version in [ProxyVersion::V1, ProxyVersion::V2] {
        let bytes = announced.encode(version);
        let Ok(Scan::Whole(len, told)) = scan(&bytes) else {
            panic!("{announced:?}: {}", bytes.escape_ascii())
        };
        assert_eq!(len, bytes.len(), "nothing follows it");
        if let Some((from, to)) = told.addresses {
            let plain = |address: SocketAddr| (address.ip().to_canonical(), address.port());
            assert_eq!((plain(from), plain(to)), (plain(client), plain(local)));
        }
    }
}

/// A whole header at the front of these bytes.
fn naive(bytes: &[u8]) -> Option<(usize, ProxyInfo)> {
    if bytes.starts_with(b"PROXY ") { naive_line(bytes) } else { naive_binary(bytes) }
}

fn naive_line(bytes: &[u8]) -> Option<(usize, ProxyInfo)> {
    let len = bytes.iter().position(|byte| *byte == b'\n')? + 1;
    let line = std::str::from_utf8(&bytes[..len]).ok().filter(|_| len <= 107)?.strip_suffix("\r\n")?;
    let words: Vec<_> = line.split(' ').collect();
    let nothing = ProxyInfo { addresses: None, secure: false };
    if words[1] == "UNKNOWN" {
        return Some((len, nothing));
    }
    let [_, family @ ("TCP4" | "TCP6"), source, destination, source_port, destination_port] = words[..]
    else {
        return None;
    };
    let endpoint = |address: &str, port: &str| {
        let address: IpAddr = address.parse().ok()?;
        let number: u16 = port.parse().ok()?;
        let fits = address.is_ipv4() == (family == "TCP4") && number.to_string() == port;
        fits.then_some(SocketAddr::new(address, number))
    };
    let addresses = (endpoint(source, source_port)?, endpoint(destination, destination_port)?);
    Some((len, ProxyInfo { addresses: Some(addresses), secure: false }))
}

fn naive_binary(bytes: &[u8]) -> Option<(usize, ProxyInfo)> {
    let rest = bytes.strip_prefix(b"\r\n\r\n\0\r\nQUIT\n")?;
    let [command, family, high, low, rest @ ..] = rest else { return None };
    let len = usize::from(*high) * 256 + usize::from(*low);
    let rest = rest.get(..len).filter(|_| len <= 2048)?;
    if *command == 0x20 {
        return Some((16 + len, ProxyInfo { addresses: None, secure: false }));
    }
    let address_len = match (command, family / 16, family % 16) {
        (0x21, 0, 0..=2) => 0,
        (0x21, 1, 0..=2) => 4,
        (0x21, 2, 0..=2) => 16,
        (0x21, 3, 0..=2) => 108,
        _ => return None,
    };
    let ports_len = if matches!(address_len, 4 | 16) { 4 } else { 0 };
    let mut at = 2 * address_len + ports_len;
    let told = rest.get(..at)?;
    let mut secure = false;
    while at < len {
        let (kind, value) = naive_field(rest, at)?;
        at += 3 + value.len();
        match kind {
            0x03 => naive_checksum(&bytes[..16 + len], 16 + at - value.len(), value)?,
            0x20 => {
                secure = value.get(..5)?[0] & 1 == 1;
                let mut inner = 5;
                while inner < value.len() {
                    inner += 3 + naive_field(value, inner)?.1.len();
                }
            }
            _ => {}
        }
    }
    let endpoint = |which: usize| {
        let octets = &told[which * address_len..][..address_len];
        let port = &told[2 * address_len + 2 * which..][..2];
        let address = match address_len {
            4 => IpAddr::from(<[u8; 4]>::try_from(octets).expect("four of them")),
            _ => IpAddr::from(<[u8; 16]>::try_from(octets).expect("sixteen of them")),
        };
        SocketAddr::new(address, u16::from(port[0]) * 256 + u16::from(port[1]))
    };
    let is_tcp = matches!(*family, 0x11 | 0x21);
    let addresses = is_tcp.then(|| (endpoint(0), endpoint(1)));
    Some((16 + len, ProxyInfo { addresses, secure }))
}

fn naive_field(bytes: &[u8], at: usize) -> Option<(u8, &[u8])> {
    let [kind, high, low] = *bytes.get(at..at + 3)? else { return None };
    Some((kind, bytes.get(at + 3..at + 3 + usize::from(high) * 256 + usize::from(low))?))
}

/// CRC-32C by long division of the message, which counts its own four bytes as zeros.
fn naive_checksum(header: &[u8], at: usize, value: &[u8]) -> Option<()> {
    let mut zeroed = header.to_vec();
    zeroed.get_mut(at..at + 4)?.fill(0);
    let mut remainder = u32::MAX;
    for byte in zeroed {
        for bit in 0..8 {
            let is_set = (remainder ^ u32::from(byte >> bit)) & 1 == 1;
            remainder >>= 1;
            if is_set {
                remainder ^= 0x82f6_3b78;
            }
        }
    }
    (value == (!remainder).to_be_bytes()).then_some(())
}
