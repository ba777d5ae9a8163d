//! Records of jobs whose server was killed: they would say for ever that the job runs (PK10).

use std::path::Path;

use jiff::Timestamp;

use super::history::{JobRecord, JobState};
use super::records::{StoreError, read_json, write_json};
use super::{bundles, layout};
use crate::reason::Reason;

/// What the record says of such a job.
const MESSAGE: &str = "the server ended while the job ran; run it again";

/// Closes the record of a dead job in its directory; `false` where it has none, because it was cut off before.
/// The caller holds the job's lock.
pub(super) fn close(job: &Path, now: Timestamp) -> Result<bool, StoreError> {
    let path = job.join(layout::JOB_RECORD);
    bundles::remove_file(&job.join(format!("{}{}", layout::STAGING_PREFIX, layout::JOB_RECORD)))?;
    let Some(record) = read_json::<JobRecord>(&path)? else {
        return Ok(false);
    };
    if record.state == JobState::Running {
        let record = JobRecord {
            state: JobState::CutOff,
            finished: Some(now),
            reason: Some(Reason::Interrupted.name().to_owned()),
            message: Some(MESSAGE.to_owned()),
            ..record
        };
        write_json(&path, &record)?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: PK10 (L)
    #[test]
    fn a_job_that_was_cut_off_does_not_run_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        assert!(!close(dir.path(), now).unwrap());
        let path = dir.path().join("job.json");
        let running = r#"{"name": "n", "tag": "t", "bundle": 1, "variant": "default",
            "started": "2026-01-01T00:00:00Z", "state": "running"}"#;
        std::fs::write(&path, running).unwrap();
        std::fs::write(dir.path().join(".staging-job.json"), "{").unwrap();
        assert!(close(dir.path(), now).unwrap());
        let read = || read_json::<JobRecord>(&path).unwrap().unwrap();
        let closed = read();
        assert_eq!((closed.state, closed.finished), (JobState::CutOff, Some(now)));
        assert_eq!(closed.reason.as_deref(), Some("Interrupted"));
        assert!(!dir.path().join(".staging-job.json").exists());
        assert!(close(dir.path(), Timestamp::UNIX_EPOCH).unwrap());
        assert_eq!(read(), closed, "a closed record stays as it is");
    }
}
