//! Bodies of requests and answers, as they pass through: a piece at a time, never a whole one.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::future::BoxFuture;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::access::Finish;
use super::upstream::Answer;

/// Why a body ends before its end.
#[derive(Debug, thiserror::Error)]
pub enum Cut {
    /// The visitor went away or sent nonsense.
    #[error("the request's body can not be read")]
    Visitor(#[source] hyper::Error),
    /// The visitor was silent for too long.
    #[error("the visitor sent nothing for {} s", .0.as_secs())]
    VisitorSilent(Duration),
    /// The process went away or sent nonsense.
    #[error("the process cut its answer off")]
    Process(#[source] hyper::Error),
    /// Neither said anything for too long.
    #[error("nothing was sent for {} s", .0.as_secs())]
    Silent(Duration),
    /// The visitor has logged out, or the log-in has become too old.
    #[error("the visitor's log-in is over")]
    LoggedOut,
    /// A file could not be read to its end.
    #[error("the file can not be read to its end")]
    File(#[source] std::io::Error),
}

/// A request's body on its way to a process.
pub enum RequestBody {
    /// There is none.
    Empty,
    /// What the visitor sends.
    Visitor(Box<Sent>),
}

/// What a visitor sends, within its time.
#[derive(Debug)]
pub struct Sent {
    incoming: Incoming,
    /// How long the visitor may be silent.
    patience: Option<Duration>,
    silence: Silence,
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::Visitor(_) => "Visitor",
        })
    }
}

impl RequestBody {
    /// Of a request, where the visitor may be silent for so long.
    #[must_use]
    pub fn new(incoming: Incoming, patience: Option<Duration>) -> Self {
        if incoming.is_end_stream() {
            return Self::Empty;
        }
        Self::Visitor(Box::new(Sent {
            incoming,
            patience,
            silence: Silence::default(),
        }))
    }

    /// Whether there is none, so that it can be sent again.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

impl Sent {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(frame) => {
                self.silence.broken();
                Poll::Ready(frame.map(|frame| frame.map_err(Cut::Visitor)))
            }
            Poll::Pending => {
                let limit = ready!(self.silence.poll(self.patience, cx));
                Poll::Ready(Some(Err(Cut::VisitorSilent(limit))))
            }
        }
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Visitor(sent) => sent.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Visitor(sent) => sent.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Visitor(sent) => sent.incoming.size_hint(),
        }
    }
}

/// An answer's body on its way to the visitor.
pub struct Body {
    /// Writes the request down when it is over: before the seat is free.
    finish: Option<Box<Finish>>,
    /// Ends when the visitor may get no more of it.
    over: Option<BoxFuture<'static, ()>>,
    kind: Kind,
}

enum Kind {
    Empty,
    Full(Bytes),
    Process(Box<Answer>),
    Stream(UnsyncBoxBody<Bytes, Cut>),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}

impl Body {
    fn of(kind: Kind) -> Self {
        Self {
            kind,
            over: None,
            finish: None,
        }
    }

    /// No body.
    #[must_use]
    pub fn empty() -> Self {
        Self::of(Kind::Empty)
    }

    /// A body that is there.
    #[must_use]
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Self::of(Kind::Full(bytes.into()))
    }

    /// What a process answers.
    #[must_use]
    pub fn process(answer: Box<Answer>) -> Self {
        Self::of(Kind::Process(answer))
    }

    /// A body that is made as it is sent.
    #[must_use]
    pub fn stream(body: UnsyncBoxBody<Bytes, Cut>) -> Self {
        Self::of(Kind::Stream(body))
    }

    /// Writes the request down when the body is over.
    pub fn on_end(&mut self, finish: Box<Finish>) {
        self.finish = Some(finish);
    }

    /// Cuts the body off when `over` ends, if it is still being made then.
    pub fn cut_when(&mut self, over: impl Future<Output = ()> + Send + 'static) {
        if matches!(self.kind, Kind::Process(_) | Kind::Stream(_)) && !self.is_end_stream() {
            self.over = Some(Box::pin(over));
        }
    }

    /// The next piece; whether the visitor may have it is asked first.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Some(over) = &mut self.over
            && over.as_mut().poll(cx).is_ready()
        {
            (self.kind, self.over) = (Kind::Empty, None);
            return Poll::Ready(Some(Err(Cut::LoggedOut)));
        }
        match &mut self.kind {
            Kind::Empty => Poll::Ready(None),
            Kind::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.kind = Kind::Empty;
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Kind::Process(answer) => answer.poll_frame(cx),
            Kind::Stream(body) => Pin::new(body).poll_frame(cx),
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let this = &mut *self;
        let frame = ready!(this.poll_piece(cx));
        if let Some(finish) = &mut this.finish {
            match &frame {
                Some(Ok(frame)) => finish.sent(frame.data_ref().map_or(0, Bytes::len)),
                Some(Err(_)) => finish.cut(),
                None => finish.complete(),
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Empty => true,
            Kind::Full(bytes) => bytes.is_empty(),
            Kind::Process(answer) => answer.is_end_stream(),
            Kind::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Process(answer) => answer.size_hint(),
            Kind::Stream(body) => body.size_hint(),
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        // An answer whose end is known beforehand is not asked for its end.
        if self.is_end_stream()
            && let Some(finish) = &mut self.finish
        {
            finish.complete();
        }
    }
}

/// A timer of silence. It is made when it is first needed; what happens before it runs out does not touch it, it only
/// finds out then that it has to run on. So the many short silences of a connection cost next to nothing.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// When it began; `None` where something happened since it was last looked at.
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    /// Something happened.
    pub(super) fn broken(&mut self) {
        self.since = None;
    }

    /// Whether nothing has happened for so long.
    pub(super) fn poll(&mut self, limit: Option<Duration>, cx: &mut Context<'_>) -> Poll<Duration> {
        let Some(limit) = limit else {
            return Poll::Pending;
        };
        let until = *self.since.get_or_insert_with(Instant::now) + limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
        // One that was set for a longer limit is too late.
        if timer.deadline() > until {
            timer.as_mut().reset(until);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            if timer.deadline() >= until {
                return Poll::Ready(limit);
            }
            timer.as_mut().reset(until);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    /// How long a silence with this limit lasts.
    async fn lasts(silence: &mut Silence, limit: Duration) -> Duration {
        let begun = Instant::now();
        poll_fn(|cx| silence.poll(Some(limit), cx)).await;
        begun.elapsed()
    }

    /// Proves: SC3 (L, P)
    #[tokio::test(start_paused = true)]
    async fn a_silence_ends_at_its_limit_whatever_was_before() {
        let mut silence = Silence::default();
        for limit in [LIMIT, LIMIT * 3, LIMIT / 2, LIMIT] {
            for pause in [0, 1, 7, 100] {
                silence.broken();
                let waited =
                    tokio::time::timeout(Duration::from_secs(pause), lasts(&mut silence, limit)).await;
                assert_eq!(
                    waited.is_ok(),
                    Duration::from_secs(pause) > limit,
                    "{limit:?} after {pause} s"
                );
                silence.broken();
                let lasted = lasts(&mut silence, limit).await;
                assert!(
                    lasted >= limit && lasted < limit + Duration::from_millis(5),
                    "{lasted:?}"
                );
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_it_never_ends() {
        let mut silence = Silence::default();
        let ended = poll_fn(|cx| silence.poll(None, cx));
        assert!(tokio::time::timeout(LIMIT, ended).await.is_err());
    }
}
