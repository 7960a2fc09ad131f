//! The ends of connections whose client is slow: it gets everything it is owed, and then its Close.

use std::time::Duration;

use tidegate_testkit::{Frame, Request, Wire, eventually};

use crate::rig::Rig;

/// More than the gateway and the kernel hold for a client with a narrow window, less than takes long.
const OWED: usize = 600 << 10;

/// Longer than a peer that has everything is waited for: a client that is still owed something must not feel it.
const PAUSE: Duration = Duration::from_secs(3);

/// A client with a small window on the route to TCP, the backend's end, and so much sent that it cannot all have left.
fn owed(rig: &Rig) -> (Wire, Wire) {
    let mut client = rig.gateway.connect_narrow(1024, 8 << 10);
    client.send(Request::upgrade("/tcp").encode());
    assert_eq!(client.read_head().status(), 101);
    let mut backend = rig.tcp.accept();
    backend.send(vec![7; OWED]);
    eventually("the gateway has bytes that the client has not taken", || {
        (rig.gateway.untaken_by(&client) > 0).then_some(())
    });
    (client, backend)
}

/// Reads the rest with a pause in the middle, which is progress that has stopped for a while.
fn read_slowly(client: &mut Wire) -> (usize, Frame) {
    let mut payload = 0;
    let mut paused = false;
    loop {
        let frame = client.read_frame();
        if frame.is_control() {
            return (payload, frame);
        }
        payload += frame.payload.len();
        if !paused && payload > OWED / 4 {
            paused = true;
            std::thread::sleep(PAUSE); // the slowness under test
        }
    }
}

#[test]
fn a_client_that_closes_gets_what_is_on_its_way_and_its_own_close_back() {
    let rig = Rig::start();
    let (mut client, mut backend) = owed(&rig);
    client.send_frame(&Frame::close(3000, "enough").masked());
    std::thread::sleep(PAUSE); // the slowness under test
    let (_, close) = read_slowly(&mut client);
    assert_eq!(close.close_code(), Some(3000), "{close:?}");
    client.expect_fin();
    backend.hang_up();
    drop((client, backend));
    rig.finish();
}

#[test]
fn a_half_closed_client_gets_the_whole_answer_and_1000() {
    let rig = Rig::start();
    let (mut client, mut backend) = owed(&rig);
    client.finish();
    assert_eq!(backend.read_to_fin(), b"");
    backend.finish();
    std::thread::sleep(PAUSE); // the slowness under test
    let (payload, close) = read_slowly(&mut client);
    assert_eq!((payload, close.close_code()), (OWED, Some(1000)));
    client.expect_fin();
    drop((client, backend));
    rig.finish();
}
