//! One direction of a tunnel. Bytes go from one side to the other through a buffer of the thread; only what the other side
//! does not take at once is kept.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; PIECE].into_boxed_slice());
}

/// Which side failed.
#[derive(Debug)]
pub(super) enum Failed {
    /// The side that is read.
    Reading,
    /// The side that is written to.
    Writing,
}

/// How far a direction has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The side that is read has ended: a last thing can be said.
    Ended,
    /// The other side knows.
    Shut,
}

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    /// What was read and not yet written.
    kept: Vec<u8>,
    written: usize,
    /// Whether what was written may still lie in a buffer of the writer.
    is_unflushed: bool,
    has_ended: bool,
    is_shut: bool,
}

impl Pipe {
    /// A direction that begins with bytes that were read before.
    pub(super) fn beginning_with(bytes: &[u8]) -> Self {
        Self {
            kept: bytes.to_vec(),
            ..Self::default()
        }
    }

    /// Whether the side that is read has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Says a last thing to the side that is written to; nothing is read any more.
    pub(super) fn end_with(&mut self, last: &[u8]) {
        self.has_ended = true;
        self.kept.extend_from_slice(last);
    }

    /// Nobody takes what is read any more.
    pub(super) fn give_up(&mut self) {
        *self = Self {
            has_ended: true,
            is_shut: true,
            ..Self::default()
        };
    }

    /// Passes on what there is; ready when the side that is read ends, and again when the other side knows.
    pub(super) fn poll(
        &mut self,
        mut from: Pin<&mut (impl AsyncRead + ?Sized)>,
        mut to: Pin<&mut (impl AsyncWrite + ?Sized)>,
        cx: &mut Context<'_>,
        mut passed: impl FnMut(&[u8]),
    ) -> Poll<Result<Step, Failed>> {
        loop {
            ready!(self.poll_kept(to.as_mut(), cx)).map_err(|_| Failed::Writing)?;
            if self.has_ended {
                if !self.is_shut {
                    ready!(to.as_mut().poll_shutdown(cx)).map_err(|_| Failed::Writing)?;
                    self.is_shut = true;
                }
                return Poll::Ready(Ok(Step::Shut));
            }
            let read = BUFFER.with_borrow_mut(|buffer| {
                let mut buffer = ReadBuf::new(buffer);
                let read = from.as_mut().poll_read(cx, &mut buffer);
                if read.is_ready() {
                    passed(buffer.filled());
                    self.write(to.as_mut(), cx, buffer.filled());
                }
                read.map_ok(|()| buffer.filled().len())
            });
            match read {
                Poll::Ready(Ok(0)) => {
                    self.has_ended = true;
                    return Poll::Ready(Ok(Step::Ended));
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => {
                    self.has_ended = true;
                    return Poll::Ready(Err(Failed::Reading));
                }
                Poll::Pending => {
                    ready!(self.poll_flush(to.as_mut(), cx)).map_err(|_| Failed::Writing)?;
                    return Poll::Pending;
                }
            }
        }
    }

    /// Writes at once what can be, and keeps the rest. An error shows again with the next write.
    fn write(
        &mut self,
        mut to: Pin<&mut (impl AsyncWrite + ?Sized)>,
        cx: &mut Context<'_>,
        mut bytes: &[u8],
    ) {
        while !bytes.is_empty() {
            match to.as_mut().poll_write(cx, bytes) {
                Poll::Ready(Ok(written)) if written > 0 => bytes = &bytes[written..],
                _ => break,
            }
        }
        self.is_unflushed = true;
        self.kept.extend_from_slice(bytes);
    }

    fn poll_kept(
        &mut self,
        mut to: Pin<&mut (impl AsyncWrite + ?Sized)>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.written < self.kept.len() {
            let written = ready!(to.as_mut().poll_write(cx, &self.kept[self.written..]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written;
            self.is_unflushed = true;
        }
        if self.written > 0 {
            self.kept = Vec::new();
            self.written = 0;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_flush(
        &mut self,
        to: Pin<&mut (impl AsyncWrite + ?Sized)>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_unflushed {
            ready!(to.poll_flush(cx))?;
            self.is_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}
