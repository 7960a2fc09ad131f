//! The memory that lists of folders take: they are made of what others have put into a folder, and clients may be slow to
//! take them.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::http;

/// Units of room for one page, as long as nobody knows how long it will be.
const PAGE: u32 = 1100;

/// Bytes of a unit.
const UNIT: usize = 1024;

/// Pages at once, if all of them are as long as can be.
const PAGES: u32 = 64;

/// Bytes that are given on at once: what is given on is not counted here any more.
const PIECE: usize = 16 << 10;

static ROOM: Semaphore = Semaphore::const_new((PAGE * PAGES) as usize);

/// Room for a page.
#[derive(Debug)]
pub(super) struct Room(SemaphorePermit<'static>);

/// A page under way.
struct Page {
    rest: Bytes,
    /// Kept until the last piece is taken.
    _room: SemaphorePermit<'static>,
}

impl Room {
    /// If there is any.
    pub(super) fn take() -> Option<Self> {
        ROOM.try_acquire_many(PAGE).ok().map(Self)
    }

    /// Keeps as much of it as this page needs, until it is taken.
    pub(super) fn filled(mut self, page: String) -> http::Body {
        let needed = page.len().div_ceil(UNIT);
        let room = self.0.split(needed).unwrap_or(self.0);
        Page { rest: page.into(), _room: room }.map_err(|never| match never {}).boxed_unsync()
    }
}

impl Body for Page {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.rest.len().min(PIECE);
        Poll::Ready((piece > 0).then(|| Ok(Frame::data(self.rest.split_to(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The only test that takes any room.
    #[tokio::test]
    async fn a_page_keeps_its_room_until_it_is_taken() {
        let text = "x".repeat(PAGE as usize * UNIT);
        let all: Vec<_> = (0..PAGES).map(|_| Room::take().unwrap()).collect();
        assert!(Room::take().is_none());
        let mut long: Vec<_> = all.into_iter().map(|room| room.filled(text.clone())).collect();
        assert!(Room::take().is_none());
        let mut one = long.pop().unwrap();
        let mut taken = 0;
        while let Some(piece) = one.frame().await {
            taken += piece.unwrap().into_data().unwrap().len();
            assert!(taken == text.len() || Room::take().is_none());
        }
        assert_eq!(taken, text.len());
        drop((one, long));
        let short: Vec<_> = (0..200).map(|_| Room::take().unwrap().filled("short".to_owned())).collect();
        assert!(short.iter().all(|page| page.size_hint().exact() == Some(5)));
    }
}
