//! The records of jobs: what became of each (PK10), and how many are kept.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::dir::DataDir;
use super::failure::IoFailure;
use super::jobs::JobDir;
use super::layout::{self, ContentId};
use super::lock::{FileLock, Probe};
use super::records::{StoreError, read_json};
use super::{fdio, remove};

/// What is kept of a job, in `jobs/XX/KEY/job.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobRecord {
    /// Its name: that of the job file, or the path it was run for.
    pub name: String,
    /// What it does, in the vocabulary of such servers: `build_report`, `python_restore`.
    pub tag: String,
    /// The bundle it works on (YY).
    pub bundle: u64,
    /// The variant whose result it makes (VV).
    pub variant: String,
    /// The number of its result (RR), if it makes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendering: Option<String>,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
    /// What became of it.
    pub state: JobState,
    /// Exit code of its last process (SB8).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
    /// Why it failed, from the closed list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What became of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum JobState {
    /// It runs.
    Running,
    /// It did what it was to do.
    Succeeded,
    /// It did not.
    Failed,
    /// The server was ended before the job was.
    CutOff,
}

/// One job of a content item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobEntry {
    /// Its key.
    pub key: String,
    /// Its directory, with the output of its processes.
    pub path: PathBuf,
    /// Its record.
    pub record: JobRecord,
}

/// The jobs of a content item, oldest first. One that its record calls running although nobody does is cut off.
///
/// # Errors
/// The directory or a record can not be read.
pub fn jobs(data: &DataDir, content: &ContentId) -> Result<Vec<JobEntry>, StoreError> {
    let directory = data.path(layout::jobs().join(content.as_str()));
    let mut entries = Vec::new();
    let names = fdio::names(&directory)?.into_iter();
    for key in names.filter(|name| !name.starts_with('.')) {
        let path = directory.join(&key);
        let read = || read_json::<JobRecord>(&path.join(layout::JOB_RECORD));
        // A job that was killed while its directory was made has no record.
        let Some(mut record) = read()? else {
            continue;
        };
        if record.state == JobState::Running && !JobDir::is_running(data, content, &key)? {
            // It may have ended in order since.
            record = read()?.unwrap_or(record);
            if record.state == JobState::Running {
                record.state = JobState::CutOff;
            }
        }
        entries.push(JobEntry { key, path, record });
    }
    entries.sort_by(|a, b| (a.record.started, &a.key).cmp(&(b.record.started, &b.key)));
    Ok(entries)
}

/// Removes the records and logs of ended jobs beyond the newest `keep` (0 keeps all) and of those that ended more than
/// `age_seconds` ago (0 keeps all), but none that somebody still holds. Gives the keys that were removed.
///
/// # Errors
/// A record can not be read or removed.
pub fn retain_jobs(
    data: &DataDir,
    content: &ContentId,
    keep: u32,
    age_seconds: u64,
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let age = SignedDuration::from_secs(i64::try_from(age_seconds).unwrap_or(i64::MAX));
    let keep = usize::try_from(keep).unwrap_or(usize::MAX);
    let ended: Vec<JobEntry> = jobs(data, content)?
        .into_iter()
        .filter(|job| job.record.state != JobState::Running)
        .collect();
    let surplus = if keep == 0 {
        0
    } else {
        ended.len().saturating_sub(keep)
    };
    let mut removed = Vec::new();
    for (index, job) in ended.into_iter().enumerate() {
        let end = job.record.finished.unwrap_or(job.record.started);
        let old = age_seconds != 0 && now.duration_since(end) > age;
        let lock = layout::lock_beside(&job.path);
        if (index < surplus || old) && !matches!(FileLock::probe(&lock)?, Probe::Held) {
            remove_job(&job)?;
            removed.push(job.key);
        }
    }
    Ok(removed)
}

fn remove_job(job: &JobEntry) -> Result<(), IoFailure> {
    remove::remove_tree(&job.path).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(state: JobState, started: i64) -> JobRecord {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        JobRecord {
            name: "x".into(),
            tag: "unknown".into(),
            bundle: 1,
            variant: "default".into(),
            rendering: None,
            started: at(started),
            finished: (state != JobState::Running).then(|| at(started + 1)),
            state,
            exit_code: None,
            reason: None,
            message: None,
        }
    }

    fn keys(data: &DataDir, content: &ContentId) -> Vec<String> {
        jobs(data, content)
            .unwrap()
            .into_iter()
            .map(|job| job.key)
            .collect()
    }

    /// Proves: PK10 (L)
    #[test]
    fn ended_jobs_go_by_count_and_age_and_running_ones_stay() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(dir.path()).unwrap();
        let content = ContentId::parse("x").unwrap();
        let mut running = Vec::new();
        for (key, state, started) in [
            ("a", JobState::Running, 100),
            ("b", JobState::Succeeded, 200),
            ("c", JobState::Failed, 300),
            ("d", JobState::Succeeded, 400),
        ] {
            let job = JobDir::make(&data, &content, key, None).unwrap();
            job.write_record(&record(state, started)).unwrap();
            running.push(job);
        }
        running.truncate(1);
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        assert_eq!(
            retain_jobs(&data, &content, 0, 0, at(9999)).unwrap(),
            Vec::<String>::new()
        );
        assert_eq!(retain_jobs(&data, &content, 2, 0, at(9999)).unwrap(), ["b"]);
        assert_eq!(retain_jobs(&data, &content, 0, 200, at(550)).unwrap(), ["c"]);
        assert_eq!(keys(&data, &content), ["a", "d"]);
    }

    /// Proves: PK10 (L)
    #[test]
    fn a_job_whose_server_died_is_told_as_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(dir.path()).unwrap();
        let content = ContentId::parse("x").unwrap();
        let job = JobDir::make(&data, &content, "k", None).unwrap();
        job.write_record(&record(JobState::Running, 1)).unwrap();
        assert_eq!(jobs(&data, &content).unwrap()[0].record.state, JobState::Running);
        drop(job);
        assert_eq!(jobs(&data, &content).unwrap()[0].record.state, JobState::CutOff);
    }
}
