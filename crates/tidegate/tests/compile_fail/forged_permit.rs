//! A permit of one's own making.

use tidegate::policy::{Permit, SubprotocolChoice};
use tidegate::route::Selected;
use tidegate_proto::handshake::Offer;

fn forge(selected: Selected, offer: Offer) -> Permit {
    Permit { selected, offer, subprotocol: SubprotocolChoice::Backend }
}

fn main() {}
