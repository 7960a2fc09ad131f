//! Names that are chosen to collide in tables of the gateway.

use std::collections::HashMap;
use std::hash::{Hash as _, Hasher};
use std::time::Duration;

use http::HeaderName;
use tidegate_testkit::{Gateway, Request, Wire};

use crate::rig::gateway;

/// Fields of a request, nearly as many as are allowed.
const FIELDS: usize = 90;

/// Bits of their hashes in which the names agree. The table of so many fields has 128 places, which is 7 bits.
const BITS: u32 = 10;

/// The hash of the `http` crate while it believes that nobody has chosen the names: FNV-1a.
struct Fnv(u64);

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

fn hash(name: &str) -> u64 {
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    HeaderName::from_bytes(name.as_bytes()).unwrap().hash(&mut hasher);
    hasher.finish() & ((1 << BITS) - 1)
}

/// Names of equal length, all of the same hash, or of any.
fn names(colliding: bool) -> Vec<String> {
    let all = (1_000_000..).map(|number| format!("x-{number}"));
    if !colliding {
        return all.take(FIELDS).collect();
    }
    let mut found: HashMap<u64, Vec<String>> = HashMap::new();
    for name in all {
        let same = found.entry(hash(&name)).or_default();
        same.push(name);
        if same.len() == FIELDS {
            return same.clone();
        }
    }
    unreachable!("there are more names than places")
}

/// The time on a processor that the gateway takes for so many requests with these fields.
fn cost(gateway: &Gateway, client: &mut Wire, names: &[String]) -> Duration {
    const REQUESTS: usize = 50;
    let request = names.iter().fold(Request::get("/echo"), |request, name| request.with(name, "1")).encode();
    let before = gateway.cpu();
    for _ in 0..REQUESTS {
        client.send(&request);
        assert_eq!(client.read_response().0.status(), 426);
    }
    gateway.cpu() - before
}

/// They cost no more than others to speak of. The least of several measurements counts, made by turns: whatever disturbs
/// them only adds to one.
#[test]
fn t240_names_that_collide_cost_no_more_than_others() {
    let gateway = gateway().top("workers = 1").route("/echo", "echo:", "").start();
    let mut client = gateway.connect();
    let [others, colliding] = [names(false), names(true)];
    assert!(colliding.iter().all(|name| hash(name) == hash(&colliding[0])));
    let mut least = [Duration::MAX; 2];
    for _ in 0..8 {
        for (least, names) in least.iter_mut().zip([&others, &colliding]) {
            *least = cost(&gateway, &mut client, names).min(*least);
        }
    }
    println!("{least:?}");
    assert!(least[1] < 2 * least[0], "{least:?}");
    drop(client);
    gateway.finish();
}
