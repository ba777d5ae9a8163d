//! Answers by which a page receives: they are made as the page takes them, so that who reads slowly makes the process wait.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body as HttpBody, Bytes, Frame as BodyFrame};
use tokio::time::{Sleep, sleep};

use super::framing::{Frame, Framing, LONGEST_ANSWER};
use super::lines::Session;
use super::talk::Receiver;
use crate::gateway::body::Cut;

/// How long nothing is said before the page is told that the connection lives.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(25);

/// The body of such an answer.
#[derive(Debug)]
pub(super) struct Receiving {
    session: Session,
    receiver: Receiver,
    framing: Framing,
    prelude: Option<Bytes>,
    /// Bytes that may still be sent.
    left: usize,
    heartbeat: Pin<Box<Sleep>>,
    is_over: bool,
}

impl Receiving {
    pub(super) fn new(session: Session, receiver: Receiver, framing: Framing) -> Self {
        let prelude = Some(framing.prelude()).filter(|prelude| !prelude.is_empty());
        Self {
            session,
            receiver,
            prelude: prelude.map(Bytes::from),
            left: if framing.is_streaming() { LONGEST_ANSWER } else { 1 },
            framing,
            heartbeat: Box::pin(sleep(HEARTBEAT)),
            is_over: false,
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(prelude) = self.prelude.take() {
            return Poll::Ready(Some(prelude));
        }
        if self.left == 0 {
            self.over();
            return Poll::Ready(None);
        }
        let frame = match self
            .session
            .line
            .poll_frame(cx, self.session.ticket, self.receiver)
        {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                ready!(self.heartbeat.as_mut().poll(cx));
                Frame::Heartbeat
            }
        };
        let until = tokio::time::Instant::now() + HEARTBEAT;
        self.heartbeat.as_mut().reset(until);
        let bytes = self.framing.wrap(&frame.text());
        self.left = match frame {
            Frame::Close(_) => 0,
            _ => self.left.saturating_sub(bytes.len()),
        };
        Poll::Ready(Some(bytes.into()))
    }

    /// All was taken.
    fn over(&mut self) {
        if !self.is_over {
            self.is_over = true;
            let Session { line, ticket, .. } = &self.session;
            line.end(*ticket, self.receiver, true);
        }
    }
}

impl HttpBody for Receiving {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Bytes>, Cut>>> {
        let bytes = ready!(self.poll_next(cx));
        Poll::Ready(bytes.map(|bytes| Ok(BodyFrame::data(bytes))))
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        if !self.is_over {
            let Session { line, ticket, .. } = &self.session;
            line.end(*ticket, self.receiver, false);
        }
    }
}

/// The next frame, for whoever can wait for it.
pub(super) async fn frame(session: &Session, receiver: Receiver) -> Frame {
    let Session { line, ticket, .. } = session;
    let next = std::future::poll_fn(|cx| line.poll_frame(cx, *ticket, receiver));
    tokio::time::timeout(HEARTBEAT, next)
        .await
        .unwrap_or(Frame::Heartbeat)
}

/// One frame as a whole answer, where there is no session to receive from.
pub(super) fn only(framing: &Framing, frame: &Frame) -> String {
    framing.prelude() + &framing.wrap(&frame.text())
}
