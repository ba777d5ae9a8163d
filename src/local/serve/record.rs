//! What became of jobs of manifests, where it could not be written to the state before the server ended, or was written by
//! a version that had none.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::api::job::JobFile;
use crate::data::{DataDir, IoFailure, write_whole};
use crate::state::{End, Outcome, State, StateError};

/// Where the records of jobs lie, below the data directory.
const DIRECTORY: &str = "serve/jobs";

/// What is kept in a file.
#[derive(Serialize, Deserialize)]
struct Kept {
    #[serde(flatten)]
    outcome: Outcome,
    /// The schedule and the time, of a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<(String, Timestamp)>,
}

/// Digest of what a job's manifest says.
#[must_use]
pub fn digest(job: &JobFile) -> String {
    let text = serde_json::to_vec(&job.spec).unwrap_or_default();
    Sha256::digest(text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn path(data: &DataDir, name: &str) -> PathBuf {
    data.path(DIRECTORY).join(format!("{name}.json"))
}

/// Writes it down, whole or not at all.
///
/// # Errors
/// It can not be written: after a restart the job would run again.
pub fn write(
    data: &DataDir,
    name: &str,
    done: &Outcome,
    run: Option<&(String, Timestamp)>,
) -> Result<(), IoFailure> {
    data.ensure(DIRECTORY)?;
    let kept = Kept {
        outcome: done.clone(),
        run: run.cloned(),
    };
    write_whole(
        &path(data, name),
        &serde_json::to_vec_pretty(&kept).unwrap_or_default(),
    )
}

/// Takes over what lies there into the state. A file that can not be read is no record.
///
/// # Errors
/// [`StateError`]: then the files stay.
pub fn import(data: &DataDir, state: &State) -> Result<(), StateError> {
    for entry in std::fs::read_dir(data.path(DIRECTORY))
        .into_iter()
        .flatten()
        .flatten()
    {
        let (file, path) = (entry.file_name(), entry.path());
        let Some(name) = file.to_str().and_then(|file| file.strip_suffix(".json")) else {
            continue;
        };
        let read = std::fs::read(&path).ok();
        if let Some(kept) = read.and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok()) {
            take_over(state, name, &kept)?;
        }
        // Imported again it is the same.
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}

fn take_over(state: &State, name: &str, kept: &Kept) -> Result<(), StateError> {
    let outcome = &kept.outcome;
    let Some((schedule, time)) = &kept.run else {
        return state.import_outcome(name, outcome);
    };
    let end = End {
        finished: outcome.finished,
        succeeded: outcome.succeeded,
        message: outcome.message.clone(),
    };
    state.import_end(schedule, *time, &end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Address;

    fn place() -> (tempfile::TempDir, DataDir, State) {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open_or_make(&dir.path().join("data")).unwrap();
        let state = State::open(&Address::Sqlite(dir.path().join("db"))).unwrap();
        (dir, data, state)
    }

    fn outcome(second: i64) -> Outcome {
        Outcome {
            digest: "d".to_owned(),
            succeeded: true,
            finished: Timestamp::from_second(second).unwrap(),
            content: None,
            message: "done".to_owned(),
        }
    }

    /// Proves: CN3 (L)
    #[test]
    fn the_end_of_a_run_that_lies_in_a_file_ends_the_run() {
        let (_dir, data, state) = place();
        let time = Timestamp::from_second(60).unwrap();
        state.ledger("sales", Timestamp::UNIX_EPOCH).unwrap();
        assert!(state.begin_run("sales", time).unwrap());
        let run = ("sales".to_owned(), time);
        write(&data, "sales-1", &outcome(70), Some(&run)).unwrap();
        import(&data, &state).unwrap();
        let end = state.run_end("sales", time).unwrap().unwrap();
        assert!(end.succeeded && end.finished == outcome(70).finished);
        assert_eq!(
            state.outcome_names().unwrap(),
            Vec::<String>::new(),
            "it is no job of a manifest"
        );
        assert!(state.ledger("sales", time).unwrap().last_successful.is_some());
    }

    /// Proves: CN3 (L)
    #[test]
    fn what_another_server_has_found_out_since_stays() {
        let (_dir, data, state) = place();
        let newer = Outcome {
            digest: "newer".to_owned(),
            ..outcome(90)
        };
        state.import_outcome("report", &newer).unwrap();
        write(&data, "report", &outcome(80), None).unwrap();
        import(&data, &state).unwrap();
        assert_eq!(state.outcome("report").unwrap(), Some(newer));
        write(&data, "report", &outcome(100), None).unwrap();
        import(&data, &state).unwrap();
        assert_eq!(state.outcome("report").unwrap(), Some(outcome(100)));
    }

    /// Proves: CN3 (L)
    #[test]
    fn what_lies_in_files_is_taken_over_once() {
        let (_dir, data, state) = place();
        let outcome = outcome(0);
        write(&data, "report", &outcome, None).unwrap();
        std::fs::write(path(&data, "broken"), "{").unwrap();
        import(&data, &state).unwrap();
        assert_eq!(state.outcome("report").unwrap(), Some(outcome));
        assert_eq!(state.outcome("broken").unwrap(), None);
        assert_eq!(std::fs::read_dir(data.path(DIRECTORY)).unwrap().count(), 0);
    }
}
