//! One request and its answer over a connection. The connection has no task of its own: whoever waits for the answer, and
//! then whoever sends it on, drives it, so that nothing is passed between tasks.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use thiserror::Error;

use super::connect::ConnectError;
use super::idle::Idle;
use super::stream::Stream;
use crate::apps::ProcessId;
use crate::gateway::backend::Seat;
use crate::gateway::body::{Cut, RequestBody, Silence};

/// Largest header of an answer.
const HEADER: usize = 256 * 1024;
/// An open connection to a process.
pub struct Live {
    sender: SendRequest<RequestBody>,
    connection: Connection<TokioIo<Stream>, RequestBody>,
    /// Whether the connection has come to its end.
    is_over: bool,
    /// Of both sides.
    silence: Silence,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live")
            .field("is_over", &self.is_over)
            .finish_non_exhaustive()
    }
}

/// Why a request got no answer.
#[derive(Debug, Error)]
pub enum SendError {
    /// Nothing of it was sent: the connection was closed before.
    #[error("the connection was closed before the request")]
    Unsent(Box<Request<RequestBody>>),
    /// It was sent, in part at least.
    #[error("the process did not answer: {0}")]
    Lost(#[source] hyper::Error),
    /// It was to be sent once more, and there is no other connection.
    #[error(transparent)]
    NotAgain(ConnectError),
    /// Nothing was heard of either side for too long.
    #[error("the process sent nothing for {} s", .0.as_secs())]
    Silent(Duration),
}

/// A connection that speaks HTTP.
///
/// # Errors
/// None that is known: nothing is sent.
pub async fn handshake(stream: Stream) -> Result<Box<Live>, SendError> {
    let (sender, connection) = Builder::new()
        .max_buf_size(HEADER)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(SendError::Lost)?;
    Ok(Box::new(Live {
        sender,
        connection,
        is_over: false,
        silence: Silence::default(),
    }))
}

impl Live {
    /// Moves the connection on.
    fn drive(&mut self, cx: &mut Context<'_>) {
        if !self.is_over && self.connection.poll_without_shutdown(cx).is_ready() {
            self.is_over = true;
        }
    }

    /// Whether another request can be sent.
    pub(super) fn is_open(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        !self.is_over && self.sender.is_ready()
    }

    /// The stream below, and what was read of it beyond the answer.
    #[must_use]
    pub fn into_stream(self) -> (Stream, Bytes) {
        let parts = self.connection.into_parts();
        (parts.io.into_inner(), parts.read_buf)
    }
}

/// Sends a request and waits for the header of its answer, as long as the limit on silence lets it.
///
/// # Errors
/// [`SendError`].
pub async fn send(
    mut live: Box<Live>,
    request: Request<RequestBody>,
    limit: Option<Duration>,
) -> Result<(Response<Incoming>, Box<Live>), SendError> {
    let mut answer = pin!(live.sender.try_send_request(request));
    live.silence.broken();
    let answered = std::future::poll_fn(|cx| {
        live.drive(cx);
        // It gets ready by driving the connection alone, so that it needs no waker of its own.
        match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(response)) => Poll::Ready(Ok(response)),
            Poll::Ready(Err(mut error)) => Poll::Ready(Err(match error.take_message() {
                Some(request) => SendError::Unsent(Box::new(request)),
                None => SendError::Lost(error.into_error()),
            })),
            Poll::Pending => live
                .silence
                .poll(limit, cx)
                .map(|limit| Err(SendError::Silent(limit))),
        }
    });
    let response = answered.await?;
    Ok((response, live))
}

/// The body of an answer, with the connection it comes over and the seat of whoever asked.
pub struct Answer {
    incoming: Incoming,
    live: Option<Box<Live>>,
    idle: Arc<Idle>,
    seat: Seat,
    /// How long both sides may be silent.
    limit: Option<Duration>,
    is_over: bool,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("seat", &self.seat)
            .finish_non_exhaustive()
    }
}

impl Answer {
    /// Of an answer that came over a connection.
    #[must_use]
    pub fn new(
        incoming: Incoming,
        live: Box<Live>,
        idle: Arc<Idle>,
        seat: Seat,
        limit: Option<Duration>,
    ) -> Self {
        Self {
            incoming,
            live: Some(live),
            idle,
            seat,
            limit,
            is_over: false,
        }
    }

    /// The process that answers.
    #[must_use]
    pub fn process(&self) -> &ProcessId {
        &self.seat.process
    }

    /// The next piece.
    pub(in crate::gateway) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        // Asking for a piece lets the connection read it; what was there already comes at once. Only the connection brings
        // pieces, and it has a waker: the body needs none of its own.
        let mut asking = Context::from_waker(Waker::noop());
        let mut frame = Pin::new(&mut self.incoming).poll_frame(&mut asking);
        if frame.is_pending()
            && let Some(live) = &mut self.live
        {
            live.drive(cx);
            frame = Pin::new(&mut self.incoming).poll_frame(&mut asking);
        }
        match frame {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(live) = &mut self.live {
                    live.silence.broken();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.is_over = true;
                self.live = None;
                Poll::Ready(Some(Err(Cut::Process(error))))
            }
            Poll::Ready(None) => {
                self.is_over = true;
                self.release();
                Poll::Ready(None)
            }
            Poll::Pending => match &mut self.live {
                Some(live) => {
                    let silent = live.silence.poll(self.limit, cx);
                    silent.map(|limit| Some(Err(Cut::Silent(limit))))
                }
                None => Poll::Pending,
            },
        }
    }

    pub(in crate::gateway) fn is_end_stream(&self) -> bool {
        self.is_over || self.incoming.is_end_stream()
    }

    pub(in crate::gateway) fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }

    /// Keeps the connection for the next request, if it can take one.
    fn release(&mut self) {
        if let Some(mut live) = self.live.take()
            && live.is_open()
        {
            self.idle.put(&self.seat.process, live);
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // An answer whose end was known beforehand was not asked for its end.
        if self.is_end_stream() {
            self.release();
        }
    }
}
