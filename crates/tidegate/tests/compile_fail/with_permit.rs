//! The control: with a permit from the policy, the same call builds.

use tidegate::backend::{self, ConnectError, Link};
use tidegate::policy::Permit;
use tidegate::request::Request;

#[allow(dead_code, reason = "it is enough that it builds")]
async fn connect(permit: Permit, request: &Request) -> Result<Link, ConnectError> {
    backend::connect(permit, request).await
}

fn main() {}
