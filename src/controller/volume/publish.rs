//! Results and environments are put in place.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;

use super::attempt::{Answer, Attempt, Record, result_of};
use super::held::{Held, Making};
use super::{Volume, VolumeError};
use crate::api::status::ResultStatus;
use crate::data::{EnvironmentError, Environments, Finish, Renders, ResultError, ResultRecord, layout};
use crate::plan::Output;
use crate::reason::Reason;

impl Volume {
    /// The record of an attempt's result, if it was finished before.
    pub(super) fn finished_result(
        &self,
        attempt: &Attempt,
        held: &Held,
    ) -> Result<Option<ResultRecord>, VolumeError> {
        let Some((variant, rendering)) = &held.rendering else {
            return Ok(None);
        };
        let renders = Renders::new(&self.data, attempt.content().clone(), variant.clone());
        Ok(renders.record(rendering.number())?)
    }

    /// Makes the result whole and, if that was asked for, the one that is served.
    pub(super) fn finish_result(
        &self,
        attempt: &Attempt,
        record: &Record,
        held: &mut Held,
        now: Timestamp,
    ) -> Result<Answer, VolumeError> {
        let Output::Result {
            directory,
            site_output_dir,
            index,
            activate,
            ..
        } = &record.output
        else {
            return Ok(Answer::Done { result: None });
        };
        let (Some((variant, number)), Some((_, rendering))) = (result_of(directory), &held.rendering) else {
            return Ok(lost(directory));
        };
        let renders = Renders::new(&self.data, attempt.content().clone(), variant.clone());
        let finish = Finish {
            bundle: record.bundle,
            job: attempt.key(),
            site_output_dir: site_output_dir.as_deref().map(Path::new),
            index: index.as_deref().map(Path::new),
            now,
        };
        let finished = match renders.try_finish(rendering, &finish) {
            Ok(finished) => finished,
            Err(error) if is_gone(&error) => return Ok(lost(directory)),
            Err(error) if error.is_temporary() => return Err(error.into()),
            Err(error) if error.is_storage() => {
                return Ok(Answer::unusable(Reason::DataUnavailable, error));
            }
            Err(error) => return Ok(Answer::unusable(Reason::ProcessFailed, error)),
        };
        let activated = match activate.then(|| renders.activate_unless_newer(number)) {
            // Retention has removed it since it was finished.
            Some(Err(ResultError::NotFound { .. } | ResultError::Unfinished { .. })) => {
                return Ok(lost(directory));
            }
            Some(activated) => activated?,
            None => false,
        };
        if let Some((_, rendering)) = held.rendering.take() {
            rendering.release();
        }
        let result = layout::result(attempt.content(), &variant, number);
        let main = finished.index.map(|index| result.join(index));
        Ok(Answer::Done {
            result: Some(ResultStatus {
                variant: variant.to_string(),
                number: i64::try_from(number).unwrap_or(i64::MAX),
                activated,
                path: main.map(|path| path.to_string_lossy().into_owned()),
            }),
        })
    }

    /// Puts an environment in place, unless another attempt has done so before.
    pub(super) fn publish(
        &self,
        target: &str,
        packages: &BTreeMap<String, String>,
        held: &mut Held,
    ) -> Result<Answer, VolumeError> {
        if self.environment_ready(target) {
            return Ok(Answer::Done { result: None });
        }
        let environments = Environments::new(&self.data);
        let published = match &held.making {
            Some(Making::Environment(staging)) => environments.try_publish(staging),
            Some(Making::R(staging)) => environments.publish_built(staging, packages),
            None => return Ok(lost(target)),
        };
        match published {
            Ok(_) => Ok(Answer::Done { result: None }),
            Err(error) if error.is_temporary() => Err(error.into()),
            Err(error @ (EnvironmentError::NoPackage { .. } | EnvironmentError::NoEnvironment { .. })) => {
                Ok(Answer::unusable(Reason::InstallFailed, error))
            }
            Err(error) => Ok(Answer::unusable(Reason::DataUnavailable, error)),
        }
    }
}

/// Whether the result is not there any more: trying again would never end.
fn is_gone(error: &ResultError) -> bool {
    matches!(error, ResultError::Io(failure) if failure.source.kind() == std::io::ErrorKind::NotFound)
}

fn lost(what: &str) -> Answer {
    let message = format!(
        "'{what}' was removed from the data volume before the job was finished; run the job again, and let nothing else clean up there"
    );
    Answer::unusable(Reason::DataUnavailable, message)
}
