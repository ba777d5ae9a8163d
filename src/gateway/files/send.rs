//! Reading files and compressing them, a piece at a time: the next one is made when the visitor has taken the last.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write as _};
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures::{Stream, stream};
use hyper::body::Bytes;
use rustix::buffer::spare_capacity;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use super::range::Part;

/// Bytes that are read at once; a visitor who takes nothing holds one such piece and what the connection holds.
const PIECE: usize = 64 * 1024;
/// Bytes that are compressed at once before others have their turn.
const TURN: usize = 512 * 1024;
/// Most of the gain for a fraction of the time of the default.
const LEVEL: Compression = Compression::new(4);

/// What a body is made of.
#[derive(Debug)]
pub(super) enum Segment {
    /// Bytes that are there.
    Bytes(Bytes),
    /// A part of the file.
    File(Part),
}

/// The segments of a file, in order.
pub(super) fn pieces(
    file: File,
    segments: VecDeque<Segment>,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let file = Arc::new(file);
    stream::try_unfold((file, segments), async |(file, mut segments)| {
        let Some(segment) = segments.pop_front() else {
            return Ok(None);
        };
        let part = match segment {
            Segment::Bytes(bytes) => return Ok(Some((bytes, (file, segments)))),
            Segment::File(part) => part,
        };
        let reader = Arc::clone(&file);
        let bytes = blocking(move || read(&reader, part)).await?;
        let taken = bytes.len() as u64;
        if taken < part.length {
            let (start, length) = (part.start + taken, part.length - taken);
            segments.push_front(Segment::File(Part { start, length }));
        }
        Ok(Some((bytes, (file, segments))))
    })
}

/// The beginning of a part.
pub(super) fn read(file: &File, part: Part) -> io::Result<Bytes> {
    let most = usize::try_from(part.length).unwrap_or(PIECE).min(PIECE);
    let mut piece = Vec::with_capacity(most);
    while piece.is_empty() {
        match rustix::io::pread(file, spare_capacity(&mut piece), part.start) {
            Ok(0) => {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the file was cut off",
                ));
            }
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    piece.truncate(most);
    Ok(piece.into())
}

/// Who may compress: so many bodies at all, of which so many are worked on at once.
#[derive(Debug)]
pub(super) struct Compressors {
    bodies: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

/// The right to compress one body.
#[derive(Debug)]
pub(super) struct Compressor {
    turns: Arc<Semaphore>,
    _body: OwnedSemaphorePermit,
}

impl Compressors {
    pub(super) fn new(bodies: usize, turns: usize) -> Self {
        let (bodies, turns) = (Arc::new(Semaphore::new(bodies)), Arc::new(Semaphore::new(turns)));
        Self { bodies, turns }
    }

    /// `None` where too many are compressed already: the file is sent as it is.
    pub(super) fn take(&self) -> Option<Compressor> {
        let body = Arc::clone(&self.bodies).try_acquire_owned().ok()?;
        let turns = Arc::clone(&self.turns);
        Some(Compressor { turns, _body: body })
    }
}

impl Compressor {
    /// Compresses what is there.
    pub(super) async fn whole(self, content: Bytes) -> io::Result<Bytes> {
        let turn = self.turns.acquire_owned().await.map_err(io::Error::other)?;
        let compressed = blocking(move || {
            let _turn = turn;
            let mut encoder = GzEncoder::new(Vec::new(), LEVEL);
            encoder.write_all(&content)?;
            encoder.finish()
        });
        compressed.await.map(Bytes::from)
    }
}

/// A file that is compressed while it is sent.
struct Compressing {
    file: Arc<File>,
    at: u64,
    left: u64,
    encoder: GzEncoder<Vec<u8>>,
    compressor: Compressor,
}

/// The compressed form of a file of so many bytes.
pub(super) fn compressed(
    file: File,
    size: u64,
    compressor: Compressor,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let state = Compressing {
        file: Arc::new(file),
        at: 0,
        left: size,
        encoder: GzEncoder::new(Vec::new(), LEVEL),
        compressor,
    };
    stream::try_unfold(Some(state), async |state| {
        let Some(state) = state else { return Ok(None) };
        let turns = Arc::clone(&state.compressor.turns);
        let turn = turns.acquire_owned().await.map_err(io::Error::other)?;
        let next = blocking(move || {
            let _turn = turn;
            state.turn()
        });
        next.await.map(Some)
    })
}

impl Compressing {
    /// The next piece, and what makes the one after it.
    fn turn(mut self) -> io::Result<(Bytes, Option<Self>)> {
        let mut used = 0;
        while self.left > 0 && used < TURN && self.encoder.get_ref().len() < PIECE {
            let part = Part {
                start: self.at,
                length: self.left,
            };
            let piece = read(&self.file, part)?;
            self.encoder.write_all(&piece)?;
            used += piece.len();
            self.at += piece.len() as u64;
            self.left -= piece.len() as u64;
        }
        if self.left == 0 {
            return Ok((self.encoder.finish()?.into(), None));
        }
        if self.encoder.get_ref().is_empty() {
            self.encoder.flush()?;
        }
        let ready = std::mem::take(self.encoder.get_mut());
        Ok((ready.into(), Some(self)))
    }
}

/// Runs what may wait for a disk where it holds nobody up.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}
