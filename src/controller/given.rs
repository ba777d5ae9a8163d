//! What a visitor has given for a job, a password or a file: it is no part of the job and lies sealed on the volume. Without
//! it such a job is not begun, and never done with the document's own values instead (PK6).

use std::sync::MutexGuard;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::volume::{Bundle, Volume};
use crate::api::resource::ContentJob;
use crate::asked::{About, Custody, GONE, Given, Sealing};
use crate::names::ANNOTATION_GIVEN;
use crate::reason::Reason;
use crate::status::{Planned, Problem};

/// How long a job waits for it: it is put in place the moment after the job was made, or by the next leader.
const TO_COME: SignedDuration = SignedDuration::from_secs(60);

/// Whether what was given for a job, if anything was, is there.
///
/// # Errors
/// It is waited for, or gone.
pub(super) fn check(volume: &Volume, job: &ContentJob, now: Timestamp) -> Result<(), Planned> {
    if !is_marked(job) {
        return Ok(());
    }
    let has = Custody(volume.data()).has(uid(job));
    match has {
        Ok(true) => Ok(()),
        Ok(false) if is_young(job, now) => Err(Planned::Waiting(Problem {
            reason: Reason::AwaitingUpload,
            message: "what a visitor gave with the form is put in place".to_owned(),
        })),
        Ok(false) => Err(Planned::Refused(gone())),
        Err(error) => Err(Planned::Waiting(Problem {
            reason: Reason::DataUnavailable,
            message: error.to_string(),
        })),
    }
}

/// One at a time is opened: it may be large.
pub(super) fn turn<'s>(
    volume: &Volume,
    job: &ContentJob,
    sealing: Option<&'s Sealing>,
) -> Option<MutexGuard<'s, ()>> {
    let has = Custody(volume.data()).has(uid(job)).unwrap_or_default();
    sealing.filter(|_| has).map(Sealing::turn)
}

/// Opens what was given for a job; none where nothing was.
///
/// # Errors
/// It is gone, or can not be read now.
pub(super) fn open(
    volume: &Volume,
    job: &ContentJob,
    bundle: &Bundle,
    sealing: Option<&Sealing>,
) -> Result<Option<Given>, Problem> {
    let custody = Custody(volume.data());
    let unavailable = |message: String| Problem {
        reason: Reason::DataUnavailable,
        message,
    };
    let read = custody
        .read(uid(job))
        .map_err(|error| unavailable(error.to_string()))?;
    let Some(sealed) = read else {
        return if is_marked(job) { Err(gone()) } else { Ok(None) };
    };
    let sealing =
        sealing.ok_or_else(|| unavailable("the secret shared with gateways is not read yet".to_owned()))?;
    let about = About {
        id: job.spec.variant.as_deref().unwrap_or_default(),
        content: bundle.content.as_str(),
        bundle: bundle.bundle,
    };
    let opened = sealing.open(about, sealed);
    if opened.is_none() {
        // The next look ends the job.
        custody
            .forget_job(uid(job))
            .map_err(|error| unavailable(error.to_string()))?;
    }
    opened.ok_or_else(gone).map(Some)
}

/// What was given does not fit the document, though its form asked for it.
pub(super) fn unfit() -> Problem {
    Problem {
        reason: Reason::InvalidInput,
        message: "what the visitor gave with the form does not fit the document's parameters; they ask again with the form"
            .to_owned(),
    }
}

fn gone() -> Problem {
    Problem {
        reason: Reason::Interrupted,
        message: GONE.to_owned(),
    }
}

fn is_marked(job: &ContentJob) -> bool {
    job.annotations().contains_key(ANNOTATION_GIVEN)
}

fn is_young(job: &ContentJob, now: Timestamp) -> bool {
    let made = job.metadata.creation_timestamp.as_ref();
    made.is_some_and(|made| now.duration_since(made.0) < TO_COME)
}

fn uid(job: &ContentJob) -> &str {
    job.metadata.uid.as_deref().unwrap_or_default()
}
