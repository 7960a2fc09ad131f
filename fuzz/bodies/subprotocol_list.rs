//! [`Subprotocols`] (RFC 6455 §4.1, §11.3.4).

use tidegate_proto::handshake::{Subprotocol, Subprotocols};

use super::oracle::fields;

pub fn run(data: &[u8]) {
    let lines: Vec<&[u8]> = data.split(|&byte| byte == b'\n').collect();
    let found = Subprotocols::parse(lines.iter().copied());
    assert_eq!(found.is_ok(), fields::are_subprotocols(&lines), "{found:?}");
    let Ok(list) = found else { return };
    let names: Vec<&[u8]> = lines.iter().flat_map(|line| fields::elements(line)).collect();
    assert!(list.iter().map(|name| name.as_str().as_bytes()).eq(names.iter().copied()), "{list}");
    let written = list.to_string();
    assert_eq!(
        Subprotocols::parse([written.as_bytes()]).as_ref(),
        Ok(&list),
        "what is written reads the same"
    );

    // Of what is served, in whatever order, the first that the client names.
    let mut served = Subprotocols::default();
    for name in list.iter().skip(1).collect::<Vec<_>>().into_iter().rev() {
        served.push(name.clone()).expect("none is there twice");
    }
    assert_eq!(list.select(&served), list.iter().nth(1));
    for name in &list {
        assert_eq!(name.as_str().parse::<Subprotocol>().as_ref(), Ok(name));
        assert!(list.clone().push(name.clone()).is_err(), "none is there twice");
    }
}
