//! A WebSocket after its handshake: bytes in both directions, unread. While it is silent it has no buffer.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::frames::{Frames, RESTART};
use super::pipe::{Failed, Pipe, Step};
use super::upstream::Stream;

/// How long one side may still send after the other has ended, and how long a last word may take.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How long a tunnel may be silent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// In both directions.
    pub both: Option<Duration>,
    /// On the visitor's side.
    pub visitor: Option<Duration>,
}

/// How a tunnel ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The visitor ended it.
    Visitor,
    /// The process ended it, or itself.
    Process,
    /// Nothing passed for too long.
    Silent,
    /// The gateway ends.
    Drained,
}

impl End {
    /// One word, for metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Visitor => "visitor",
            Self::Process => "process",
            Self::Silent => "silent",
            Self::Drained => "drained",
        }
    }
}

/// The visitor's side.
enum Visitor {
    /// The connection itself.
    Plain(TcpStream),
    /// TLS, or a stream of HTTP/2.
    Other(Box<TokioIo<Upgraded>>),
}

impl Visitor {
    /// The connection, and what was read of it already.
    fn of(upgraded: Upgraded) -> (Self, Bytes) {
        match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(parts) => (Self::Plain(parts.io.into_inner()), parts.read_buf),
            Err(upgraded) => (Self::Other(Box::new(TokioIo::new(upgraded))), Bytes::new()),
        }
    }
}

impl AsyncRead for Visitor {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Other(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Visitor {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Other(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Other(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Other(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// A tunnel between a visitor and a process.
struct Tunnel {
    visitor: Visitor,
    process: Stream,
    up: Pipe,
    down: Pipe,
    frames: Frames,
    limits: Limits,
    /// When something last came from the process, and from the visitor.
    heard: (Instant, Instant),
    timer: Option<Pin<Box<Sleep>>>,
    end: Option<End>,
}

/// Passes bytes in both directions until both sides have ended, it was silent for too long, or `ending` is called off.
/// Whatever the end, a visitor who was not told is told that the service restarts.
pub async fn run(
    upgraded: Upgraded,
    process: Stream,
    first: Bytes,
    limits: Limits,
    ending: CancellationToken,
) -> End {
    let (visitor, early) = Visitor::of(upgraded);
    let now = Instant::now();
    let mut frames = Frames::default();
    frames.pass(&first);
    let mut tunnel = Tunnel {
        visitor,
        process,
        up: Pipe::beginning_with(&early),
        down: Pipe::beginning_with(&first),
        frames,
        limits,
        heard: (now, now),
        timer: None,
        end: None,
    };
    drop((early, first));
    let ended = tokio::select! {
        biased;
        end = std::future::poll_fn(|cx| tunnel.poll(cx)) => end,
        () = ending.cancelled() => End::Drained,
    };
    if matches!(ended, End::Silent | End::Drained) && tunnel.end.is_none() {
        tunnel.say_goodbye();
        // Who does not take it within the time is cut off without.
        let last = std::future::poll_fn(|cx| tunnel.poll_down(cx));
        drop(tokio::time::timeout(LAST_WORDS, last).await);
    }
    ended
}

impl Tunnel {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let up = self.poll_up(cx);
        let down = self.poll_down(cx);
        let is_up_over = match up {
            Poll::Ready(Err(Failed::Reading)) => return Poll::Ready(End::Visitor),
            Poll::Ready(Err(Failed::Writing)) => {
                self.up.give_up();
                true
            }
            Poll::Ready(Ok(())) => true,
            Poll::Pending => false,
        };
        match down {
            // Who can not be written to has gone.
            Poll::Ready(Err(_)) => Poll::Ready(End::Visitor),
            Poll::Ready(Ok(())) if is_up_over => Poll::Ready(self.end.unwrap_or(End::Process)),
            _ => self.poll_timer(cx),
        }
    }

    /// From the visitor to the process.
    fn poll_up(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        loop {
            let heard = &mut self.heard.1;
            let (from, to) = (Pin::new(&mut self.visitor), Pin::new(&mut self.process));
            let polled = self.up.poll(from, to, cx, |_| *heard = Instant::now());
            match ready!(polled)? {
                Step::Shut => return Poll::Ready(Ok(())),
                Step::Ended => self.ended(End::Visitor),
            }
        }
    }

    /// From the process to the visitor.
    fn poll_down(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        loop {
            let (frames, heard) = (&mut self.frames, &mut self.heard.0);
            let (from, to) = (Pin::new(&mut self.process), Pin::new(&mut self.visitor));
            let polled = self.down.poll(from, to, cx, |bytes| {
                frames.pass(bytes);
                *heard = Instant::now();
            });
            match ready!(polled) {
                Ok(Step::Shut) => return Poll::Ready(Ok(())),
                Ok(Step::Ended) | Err(Failed::Reading) => {
                    self.ended(End::Process);
                    self.say_goodbye();
                }
                Err(Failed::Writing) => return Poll::Ready(Err(Failed::Writing)),
            }
        }
    }

    /// One side has ended; the other's last words are waited for from now on.
    fn ended(&mut self, end: End) {
        self.end.get_or_insert(end);
        self.heard.0 = Instant::now();
    }

    /// Tells the visitor that the service restarts, where nobody has said goodbye and no frame is cut by it.
    fn say_goodbye(&mut self) {
        let last: &[u8] = if self.frames.is_between() { &RESTART } else { &[] };
        self.down.end_with(last);
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            let Some(until) = self.deadline() else {
                return Poll::Pending;
            };
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
            if timer.deadline() > until || timer.is_elapsed() {
                timer.as_mut().reset(until);
            }
            match timer.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) if self.deadline().is_some_and(|until| until <= Instant::now()) => {
                    return Poll::Ready(self.end.unwrap_or(End::Silent));
                }
                // Something passed since it was set.
                Poll::Ready(()) => {}
            }
        }
    }

    /// When it has been silent for too long if nothing passes until then.
    fn deadline(&self) -> Option<Instant> {
        let (process, visitor) = self.heard;
        let last = process.max(visitor);
        let is_half_open = self.up.has_ended() || self.down.has_ended();
        let both = match self.limits.both {
            _ if is_half_open => Some(LAST_WORDS),
            both => both,
        };
        let both = both.and_then(|both| last.checked_add(both));
        let visitor = self.limits.visitor.and_then(|limit| visitor.checked_add(limit));
        [both, visitor].into_iter().flatten().min()
    }
}
