//! Archives that are sent to the controller. Only what a job waits for is taken, known by its digest: whoever may make
//! jobs says by them what may be sent, and the archive is held against the digest before it is there.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::put;
use futures::StreamExt;
use tokio::time::{Instant, timeout, timeout_at};

use super::disk::Disk;
use super::schedule::Key;
use super::view::View;
use super::volume::{Upload, UploadError};
use crate::telemetry::metrics::Metrics;

/// How long a job that names the archive is waited for: it may have been made a moment ago.
const ANNOUNCED: Duration = Duration::from_secs(10);
/// How long the sender may be silent.
const SILENCE: Duration = Duration::from_secs(60);
/// How much is written at once.
const PIECE: usize = 1 << 20;

/// What uploads need.
#[derive(Clone, Debug)]
pub struct Uploads {
    /// Who waits for what.
    pub view: Arc<View>,
    /// Where archives go.
    pub disk: Disk,
    /// Counts them.
    pub metrics: Arc<Metrics>,
}

/// An answer: a sentence for people.
type Answer = (StatusCode, String);

/// The routes.
pub fn routes(uploads: Uploads) -> Router {
    Router::new()
        .route("/v1/uploads/{sha256}", put(receive).head(is_there))
        .with_state(uploads)
}

async fn is_there(State(uploads): State<Uploads>, Path(digest): Path<String>) -> StatusCode {
    let Some((_, bytes)) = uploads.view.index.archive(&digest).into_iter().next() else {
        return StatusCode::NOT_FOUND;
    };
    match uploads.begin(&digest, bytes).await {
        Ok(None) => StatusCode::OK,
        _ => StatusCode::NOT_FOUND,
    }
}

async fn receive(
    State(uploads): State<Uploads>,
    Path(digest): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let answer = match uploads.receive(&digest, &headers, body).await {
        Ok(answer) | Err(answer) => answer,
    };
    let (status, sentence) = answer;
    uploads.metrics.upload(status.as_str());
    tracing::info!(digest, status = status.as_u16(), "Upload: {sentence}");
    (status, format!("{sentence}\n"))
}

impl Uploads {
    async fn receive(&self, digest: &str, headers: &HeaderMap, body: Body) -> Result<Answer, Answer> {
        let jobs = self.awaited(digest).await?;
        let bytes = announced(digest, headers, &jobs)?;
        let Some(upload) = self.begin(digest, bytes).await? else {
            self.arrived(&jobs);
            return Ok((StatusCode::OK, format!("archive {digest} is there already")));
        };
        self.take(upload, body).await?;
        self.metrics.upload_bytes.inc_by(bytes);
        self.arrived(&jobs);
        let names: Vec<&str> = jobs.iter().map(|(job, _)| &**job).collect();
        Ok((
            StatusCode::CREATED,
            format!("archive {digest} is there, for {}", names.join(", ")),
        ))
    }

    /// The jobs that wait for an archive, and the size that each gives.
    async fn awaited(&self, digest: &str) -> Result<Vec<(Key, u64)>, Answer> {
        let is_digest = digest.len() == 64 && digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !is_digest {
            let sentence = format!(
                "'{digest}' is no SHA-256: 64 digits 0-9 and a-f; send an archive to /v1/uploads/ and its digest"
            );
            return Err((StatusCode::BAD_REQUEST, sentence));
        }
        let until = Instant::now() + ANNOUNCED;
        loop {
            let announced = self.view.index.archive_announced();
            let jobs = self.view.index.archive(digest);
            if !jobs.is_empty() {
                return Ok(jobs);
            }
            if timeout_at(until, announced).await.is_err() {
                let sentence = format!(
                    "no ContentJob waits for archive {digest}; make one first, with spec.bundle.archive naming this sha256 and its size"
                );
                return Err((StatusCode::NOT_FOUND, sentence));
            }
        }
    }

    /// A place for an archive; `None` where it is there already.
    async fn begin(&self, digest: &str, bytes: u64) -> Result<Option<Upload>, Answer> {
        let digest = digest.to_owned();
        let begun = self.disk.with(move |volume| volume.upload_begin(&digest, bytes));
        begun.await.map_err(broken)?.map_err(|error| refused(&error))
    }

    /// Writes the body piece by piece, and makes it the archive if it is what its digest says.
    async fn take(&self, mut upload: Upload, body: Body) -> Result<(), Answer> {
        let mut pieces = body.into_data_stream();
        let mut gathered: Vec<u8> = Vec::with_capacity(PIECE);
        loop {
            let next = timeout(SILENCE, pieces.next()).await;
            let piece: Option<Bytes> = match next {
                Ok(piece) => piece.transpose().map_err(|error| {
                    let sentence = format!("the upload was cut off: {error}; send it again");
                    (StatusCode::BAD_REQUEST, sentence)
                })?,
                Err(_) => {
                    let sentence = format!("nothing came for {} s; send it again", SILENCE.as_secs());
                    return Err((StatusCode::REQUEST_TIMEOUT, sentence));
                }
            };
            let is_last = piece.is_none();
            gathered.extend_from_slice(&piece.unwrap_or_default());
            if gathered.len() < PIECE && !is_last {
                continue;
            }
            let full = std::mem::replace(&mut gathered, Vec::with_capacity(PIECE));
            let written = self.disk.with(move |_| upload.write(&full).map(|()| upload));
            upload = written.await.map_err(broken)?.map_err(|error| refused(&error))?;
            if is_last {
                break;
            }
        }
        let committed = self.disk.with(move |_| upload.commit());
        committed.await.map_err(broken)?.map_err(|error| refused(&error))
    }

    fn arrived(&self, jobs: &[(Key, u64)]) {
        for (job, _) in jobs {
            self.view.ask(job.clone());
        }
    }
}

/// The size that is sent, which must be one that a job gives.
fn announced(digest: &str, headers: &HeaderMap, jobs: &[(Key, u64)]) -> Result<u64, Answer> {
    let most = jobs.iter().map(|(_, bytes)| *bytes).max().unwrap_or_default();
    let sent = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    // What comes without a length is counted while it comes.
    let Some(sent) = sent else { return Ok(most) };
    if jobs.iter().any(|(_, bytes)| *bytes == sent) {
        return Ok(sent);
    }
    let (job, bytes) = jobs.first().map_or(("", 0), |(job, bytes)| (&**job, *bytes));
    let sentence = format!(
        "archive {digest} has {bytes} bytes as job '{job}' says, and {sent} are sent; send the file that the job names"
    );
    let status = if sent > most {
        StatusCode::PAYLOAD_TOO_LARGE
    } else {
        StatusCode::CONFLICT
    };
    Err((status, sentence))
}

fn refused(error: &UploadError) -> Answer {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, error.to_string())
}

fn broken(error: impl std::fmt::Display) -> Answer {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}
