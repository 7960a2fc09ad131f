//! `--record`, in the form that noVNC plays back.

use std::fs;

use tidegate_testkit::{Backend, Frame, eventually};

use crate::rig::{ANY_PORT, Place, open, upgrade};

#[test]
fn each_websocket_has_a_file() {
    let (place, backend) = (Place::new(), Backend::bind());
    let gateway = place.start(&format!("--record 100% {ANY_PORT} {}", backend.address()));
    for number in [1, 2] {
        let (mut client, mut far) = open(gateway.connect(), &upgrade("/"), &backend);
        client.send_frame(&Frame::binary("it's\x00").masked());
        assert_eq!(far.read_exact(5), b"it's\x00");
        far.send(b"\\\xff");
        client.read_frame();
        drop((client, far));
        let file = place.path().join(format!("100%.{number}"));
        let text = eventually("the recording ends", || {
            fs::read_to_string(&file).ok().filter(|text| text.ends_with("'EOF'];\n"))
        });
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "var VNC_frame_data = [");
        assert!(lines[1].starts_with("'}") && lines[1].ends_with("}it\\'s\\x00',"), "{text}");
        assert!(lines[2].starts_with("'{") && lines[2].ends_with("{\\\\\\xff',"), "{text}");
    }
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let (status, said) = Place::new().ended(&format!("--record no/such/file {ANY_PORT} 127.0.0.1:1"));
    assert_eq!(status, 1);
    assert!(said.contains("--record: there is no folder"), "{said}");
}
