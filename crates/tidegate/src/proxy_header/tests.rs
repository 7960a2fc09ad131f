use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;
use crate::config::ProxyVersion;

/// What the whole of these bytes is, whatever follows it.
fn read(bytes: &[u8]) -> Result<(usize, ProxyInfo), Malformed> {
    match scan(bytes)? {
        Scan::Whole(length, told) => Ok((length, told)),
        Scan::More => panic!("not whole: {}", bytes.escape_ascii()),
    }
}

fn told(source: &str, destination: &str) -> ProxyInfo {
    ProxyInfo { addresses: Some((source.parse().unwrap(), destination.parse().unwrap())), secure: false }
}

const NOTHING: ProxyInfo = ProxyInfo { addresses: None, secure: false };

/// A header of version 2, made without the code under test.
fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a".to_vec();
    bytes.extend([command, family]);
    bytes.extend((rest.len() as u16).to_be_bytes());
    bytes.extend(rest);
    bytes
}

const IPV4: &[u8] = &[192, 0, 2, 1, 198, 51, 100, 2, 0x12, 0x34, 0x01, 0xbb];

fn with_fields(fields: &[u8]) -> Vec<u8> {
    binary(0x21, 0x11, &[IPV4, fields].concat())
}

#[test]
fn lines() {
    for (line, expected) in [
        ("PROXY TCP4 192.0.2.1 198.51.100.2 4660 443\r\n", told("192.0.2.1:4660", "198.51.100.2:443")),
        ("PROXY TCP6 2001:db8::1 ::1 0 65535\r\n", told("[2001:db8::1]:0", "[::1]:65535")),
        ("PROXY UNKNOWN\r\n", NOTHING),
        ("PROXY UNKNOWN ffff:f...f:ffff whatever 65535\r\n", NOTHING),
    ] {
        assert_eq!(read(line.as_bytes()), Ok((line.len(), expected)), "{line}");
        let with_more = format!("{line}GET / HTTP/1.1\r\n");
        assert_eq!(read(with_more.as_bytes()), Ok((line.len(), expected)), "{line}");
    }
}

#[test]
fn t237_lines_that_are_none() {
    for line in [
        "PROXY TCP4 192.0.2.1 198.51.100.2 4660 443\n",
        "PROXY\r\n",
        "PROXY \r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY TCP 192.0.2.1 198.51.100.2 1 2\r\n",
        "PROXY tcp4 192.0.2.1 198.51.100.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n",
        "PROXY TCP4  192.0.2.1 198.51.100.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 1 2 \r\n",
        "PROXY TCP4 192.0.2.01 198.51.100.2 1 2\r\n",
        "PROXY TCP4 192.0.2.256 198.51.100.2 1 2\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 192.0.2.1 198.51.100.2 1 2\r\n",
        "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 65536 2\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 +1 2\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2  2\r\n",
        "PROXY TCP4 192.0.2.1\x00198.51.100.2 1 2\r\n",
    ] {
        assert!(scan(line.as_bytes()).is_err(), "{line}");
    }
    let endless = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 200]].concat();
    assert_eq!(scan(&endless[..106]), Ok(Scan::More));
    assert_eq!(scan(&endless[..107]), Err(Malformed::Endless));
    assert_eq!(scan(&endless), Err(Malformed::Endless));
    let longest = [&endless[..105], b"\r\n"].concat();
    assert_eq!(read(&longest), Ok((107, NOTHING)));
}

#[test]
fn what_begins_as_no_header_does_is_told_at_once() {
    for bytes in [b"G".as_slice(), b"PROXZ", b"proxy ", b"\r\n\r\nG", b"\x16\x03\x01", b"\0"] {
        assert_eq!(scan(bytes), Err(Malformed::Absent), "{}", bytes.escape_ascii());
    }
    assert_eq!(scan(b""), Ok(Scan::More));
}

#[test]
fn binary_headers() {
    let ipv6 = [[0; 15].as_slice(), &[1], &[0x20, 1, 0x0d, 0xb8], &[0; 11], &[2], &[0, 7, 0, 8]].concat();
    for (bytes, expected) in [
        (with_fields(b""), told("192.0.2.1:4660", "198.51.100.2:443")),
        (binary(0x21, 0x21, &ipv6), told("[::1]:7", "[2001:db8::2]:8")),
        (binary(0x20, 0x00, b""), NOTHING),
        (binary(0x20, 0x11, IPV4), NOTHING),
        (binary(0x20, 0x00, b"not read at all"), NOTHING),
        (binary(0x21, 0x00, b""), NOTHING),
        (binary(0x21, 0x12, IPV4), NOTHING),
        (binary(0x21, 0x31, &[0; 216]), NOTHING),
        (with_fields(b"\x02\x00\x04host\x05\x00\x00"), told("192.0.2.1:4660", "198.51.100.2:443")),
        (
            with_fields(b"\x20\x00\x0f\x01\x00\x00\x00\x00\x21\x00\x07TLSv1.3"),
            ProxyInfo { secure: true, ..told("192.0.2.1:4660", "198.51.100.2:443") },
        ),
        (with_fields(b"\x20\x00\x05\x00\x00\x00\x00\x01"), told("192.0.2.1:4660", "198.51.100.2:443")),
    ] {
        assert_eq!(read(&bytes), Ok((bytes.len(), expected)), "{}", bytes.escape_ascii());
    }
}

#[test]
fn t237_binary_headers_that_are_none() {
    for (bytes, expected) in [
        (binary(0x22, 0x11, IPV4), Malformed::Kind(0x22, 0x11)),
        (binary(0x11, 0x11, IPV4), Malformed::Kind(0x11, 0x11)),
        (binary(0x21, 0x41, IPV4), Malformed::Kind(0x21, 0x41)),
        (binary(0x21, 0x13, IPV4), Malformed::Kind(0x21, 0x13)),
        (binary(0x21, 0x11, &IPV4[..11]), Malformed::Length),
        (binary(0x21, 0x21, IPV4), Malformed::Length),
        (binary(0x21, 0x31, &[0; 215]), Malformed::Length),
        (with_fields(b"\x02"), Malformed::Length),
        (with_fields(b"\x02\x00"), Malformed::Length),
        (with_fields(b"\x02\x00\x05host"), Malformed::Length),
        (with_fields(b"\x02\x00\x03host"), Malformed::Length),
        (with_fields(b"\x02\xff\xffhost"), Malformed::Length),
        (with_fields(b"\x20\x00\x04\x01\x00\x00\x00"), Malformed::Length),
        (with_fields(b"\x20\x00\x07\x01\x00\x00\x00\x00\x21\x00"), Malformed::Length),
        (with_fields(b"\x03\x00\x03abc"), Malformed::Length),
        (with_fields(b"\x03\x00\x04abcd"), Malformed::Checksum),
    ] {
        assert_eq!(read(&bytes), Err(expected), "{}", bytes.escape_ascii());
    }
    let mut longest = binary(0x21, 0x11, &[0; 2048]);
    longest[28..31].copy_from_slice(&[0x04, 0x07, 0xf1]);
    assert!(read(&longest).is_ok(), "2033 bytes of nothing");
    longest[14..16].copy_from_slice(&2049_u16.to_be_bytes());
    assert_eq!(scan(&longest), Err(Malformed::TooLong(2049)));
    longest[14..16].copy_from_slice(&[0xff, 0xff]);
    assert_eq!(scan(&longest[..16]), Err(Malformed::TooLong(65535)), "before anything of it has come");
}

#[test]
fn a_checksum_is_that_of_the_whole_header() {
    assert_eq!(v2::crc32c(b"123456789".iter().copied()), 0xe306_9283, "the check value of CRC-32C");
    let mut bytes = with_fields(b"\x04\x00\x01x\x03\x00\x04\0\0\0\0\x02\x00\x01a");
    let crc = v2::crc32c(bytes.iter().copied());
    let at = bytes.len() - 8;
    bytes[at..at + 4].copy_from_slice(&crc.to_be_bytes());
    assert!(read(&bytes).is_ok());
    bytes[17] ^= 1;
    assert_eq!(read(&bytes), Err(Malformed::Checksum));
}

#[test]
fn what_is_written() {
    let line = |client: Option<&str>, local: Option<&str>| {
        let parse = |text: &str| text.parse().unwrap();
        let told =
            Announcement { client: client.map(parse), local: local.map(parse), ..Announcement::default() };
        String::from_utf8(told.encode(ProxyVersion::V1)).unwrap()
    };
    assert_eq!(
        line(Some("192.0.2.1:5"), Some("198.51.100.2:443")),
        "PROXY TCP4 192.0.2.1 198.51.100.2 5 443\r\n"
    );
    assert_eq!(
        line(Some("[::ffff:192.0.2.1]:5"), Some("[::ffff:1.2.3.4]:6")),
        "PROXY TCP4 192.0.2.1 1.2.3.4 5 6\r\n"
    );
    assert_eq!(
        line(Some("[2001:db8::1]:5"), Some("1.2.3.4:6")),
        "PROXY TCP6 2001:db8::1 ::ffff:1.2.3.4 5 6\r\n"
    );
    assert_eq!(line(Some("192.0.2.1:5"), None), "PROXY TCP4 192.0.2.1 0.0.0.0 5 0\r\n");
    assert_eq!(line(Some("[2001:db8::1]:5"), None), "PROXY TCP6 2001:db8::1 :: 5 0\r\n");
    assert_eq!(line(None, Some("1.2.3.4:6")), "PROXY UNKNOWN\r\n");

    let told = Announcement {
        client: Some("192.0.2.1:4660".parse().unwrap()),
        local: Some("198.51.100.2:443".parse().unwrap()),
        authority: "gw.test",
        path: "/vnc",
        tls: Some(TlsTold { version: Some("TLSv1.3"), certified: true, common_name: Some("alice") }),
    };
    let fields =
        b"\x02\x00\x07gw.test\xe0\x00\x04/vnc\x20\x00\x17\x03\x00\x00\x00\x00\x21\x00\x07TLSv1.3\x22\x00\x05alice";
    let written = told.encode(ProxyVersion::V2);
    assert_eq!(written.escape_ascii().to_string(), with_fields(fields).escape_ascii().to_string());
    assert_eq!(Announcement::default().encode(ProxyVersion::V2), binary(0x21, 0x00, b""));
    let long = "/".repeat(2000);
    let too_long = Announcement { path: &long, authority: &long, ..told.clone() }.encode(ProxyVersion::V2);
    assert!(too_long.len() < written.len(), "what is too long is left out");
    let name = "n".repeat(255);
    let longest = Announcement {
        path: &long[..1024],
        authority: &name,
        tls: Some(TlsTold { common_name: Some(&name), version: Some(&name), certified: true }),
        ..told
    };
    assert!(
        read(&longest.encode(ProxyVersion::V2)).is_ok(),
        "as long as it can be, it is one that we read ourselves"
    );
}

fn address() -> impl Strategy<Value = SocketAddr> {
    let v4 = any::<[u8; 4]>().prop_map(|octets| Ipv4Addr::from(octets).into());
    let v6 = any::<[u8; 16]>()
        .prop_map(|octets| Ipv6Addr::from(octets).into())
        .prop_filter("mapped addresses are written as what they are", |ip: &std::net::IpAddr| {
            ip.to_canonical() == *ip
        });
    (prop_oneof![v4, v6], any::<u16>()).prop_map(|(ip, port)| SocketAddr::new(ip, port))
}

proptest! {
    /// Whatever is written is read, and ends where it ends.
    #[test]
    fn written_and_read(client in address(), local in address(), v1: bool, tls: bool, path in "/[a-z]{0,40}", more: Vec<u8>) {
        let version = if v1 { ProxyVersion::V1 } else { ProxyVersion::V2 };
        let tls_told = tls.then(TlsTold::default);
        let said = Announcement { client: Some(client), local: Some(local), authority: "gw", path: &path, tls: tls_told };
        let header = said.encode(version);
        let (length, told) = read(&[header.clone(), more].concat()).unwrap();
        prop_assert_eq!(length, header.len());
        prop_assert_eq!(told.secure, tls && !v1);
        let (source, destination) = told.addresses.unwrap();
        let canonical = |address: SocketAddr| (address.ip().to_canonical(), address.port());
        prop_assert_eq!((canonical(source), canonical(destination)), (canonical(client), canonical(local)));
    }

    /// However bytes arrive, the answer is the same: until it is known, more is asked for, and no more than the bound.
    #[test]
    fn any_pieces(
        start in prop_oneof![Just(b"PROXY TCP4 ".to_vec()), Just(binary(0x21, 0x11, b"")), Just(Vec::new())],
        digits in "[0-9. ]{0,40}", tail: Vec<u8>,
    ) {
        let mut bytes = [start, digits.into_bytes(), b"\r\n".to_vec(), tail].concat();
        bytes.resize(HEADER_BYTES_MAX.max(bytes.len()), 0);
        let whole = scan(&bytes);
        prop_assert_ne!(whole, Ok(Scan::More));
        let decided = (0..=bytes.len()).find(|end| scan(&bytes[..*end]) != Ok(Scan::More)).unwrap();
        prop_assert!(decided <= HEADER_BYTES_MAX);
        for end in decided..(decided + 50).min(bytes.len()) {
            prop_assert_eq!(scan(&bytes[..end]), whole);
        }
        if let Ok(Scan::Whole(length, _)) = whole {
            prop_assert_eq!(length, decided);
        }
    }
}
