//! Bodies of the answers that the gateway gives itself: pages, files and states.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::Stream;
use futures::stream::BoxStream;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes, Frame, SizeHint};

use super::body::Cut;

/// A body that comes from the gateway and not from a process.
#[derive(Default)]
pub enum LocalBody {
    /// None.
    #[default]
    Empty,
    /// All at once.
    Full(Bytes),
    /// Piece by piece: the next one is made when the visitor has taken the last.
    Stream(LocalStream),
}

/// What is made while it is sent.
pub struct LocalStream {
    pieces: BoxStream<'static, io::Result<Bytes>>,
    /// Bytes that are still to come, where that is known.
    left: Option<u64>,
}

impl LocalBody {
    /// A body of so many bytes, if that is known.
    pub(super) fn stream(
        pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
        length: Option<u64>,
    ) -> Self {
        let pieces = Box::pin(pieces);
        Self::Stream(LocalStream { pieces, left: length })
    }
}

impl From<String> for LocalBody {
    fn from(text: String) -> Self {
        Self::Full(text.into())
    }
}

impl From<LocalBody> for super::body::Body {
    fn from(body: LocalBody) -> Self {
        match body {
            LocalBody::Empty => Self::empty(),
            LocalBody::Full(bytes) => Self::full(bytes),
            stream @ LocalBody::Stream(_) => Self::stream(stream.map_err(Cut::File).boxed_unsync()),
        }
    }
}

impl fmt::Debug for LocalBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Full(bytes) => f.debug_tuple("Full").field(&bytes.len()).finish(),
            Self::Stream(stream) => stream.fmt(f),
        }
    }
}

impl fmt::Debug for LocalStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalStream")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

impl Body for LocalBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = match &mut *self {
            Self::Empty => None,
            Self::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Self::Empty;
                Some(Ok(bytes)).filter(|bytes| bytes.as_ref().is_ok_and(|bytes| !bytes.is_empty()))
            }
            Self::Stream(stream) => ready!(stream.poll(cx)),
        };
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(bytes) => bytes.is_empty(),
            Self::Stream(stream) => stream.left == Some(0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(stream) => stream.left.map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

impl LocalStream {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let piece = ready!(self.pieces.as_mut().poll_next(cx));
        if let (Some(Ok(bytes)), Some(left)) = (&piece, &mut self.left) {
            *left = left.saturating_sub(bytes.len() as u64);
        }
        Poll::Ready(piece)
    }
}
