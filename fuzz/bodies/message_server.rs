//! What a server makes of a stream.

use tidegate_proto::Role;

pub fn run(data: &[u8]) {
    super::message::run(Role::Server, data);
}
