//! Records of jobs whose server was killed: they would say for ever that the job runs (PK10).

use std::path::Path;

use jiff::Timestamp;
use serde_json::Value;

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
    let Some(mut record) = read_json::<serde_json::Map<String, Value>>(&path)? else {
        return Ok(false);
    };
    if record.get("finished").is_none_or(Value::is_null) {
        for (name, value) in [
            ("state", "failed"),
            ("reason", Reason::Interrupted.name()),
            ("message", MESSAGE),
            ("finished", &now.to_string()),
        ] {
            record.insert(name.to_owned(), Value::from(value));
        }
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
        std::fs::write(&path, r#"{"name": "n", "state": "running"}"#).unwrap();
        std::fs::write(dir.path().join(".staging-job.json"), "{").unwrap();
        assert!(close(dir.path(), now).unwrap());
        let read = || serde_json::from_slice::<Value>(&std::fs::read(&path).unwrap()).unwrap();
        let closed = read();
        assert_eq!(
            (&closed["name"], &closed["state"]),
            (&"n".into(), &"failed".into())
        );
        assert_eq!(closed["reason"], "Interrupted");
        assert!(!dir.path().join(".staging-job.json").exists());
        assert!(close(dir.path(), Timestamp::UNIX_EPOCH).unwrap());
        assert_eq!(read(), closed, "a closed record stays as it is");
    }
}
