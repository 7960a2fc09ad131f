//! A route was selected, but no policy was asked.

use tidegate::backend::{self, ConnectError, Link};
use tidegate::request::Request;
use tidegate::route::Selected;

async fn connect(selected: Selected, request: &Request) -> Result<Link, ConnectError> {
    backend::connect(selected, request).await
}

fn main() {}
