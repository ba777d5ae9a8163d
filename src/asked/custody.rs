//! What visitors gave, sealed, on the data volume until its render has ended: below `DataDir/serve/given`, for the server
//! alone to read. First by the result's id; once the job is made, by the uid of that very job, so that no other job of the
//! same name gets it.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::data::{DataDir, IoFailure, write_whole};

/// Below the data directory.
const DIRECTORY: &str = "serve/given";
/// Before the id of a result, and before the uid of a job.
const OF_RESULT: &str = "result-";
const OF_JOB: &str = "job-";
/// After so long nothing is kept that no job is known to need.
const LEFT: Duration = Duration::from_secs(600);
/// After so long nothing is kept at all.
const MOST_AGE: Duration = Duration::from_secs(24 * 3600);

/// Where it is kept.
#[derive(Clone, Copy, Debug)]
pub struct Custody<'a>(pub &'a DataDir);

impl Custody<'_> {
    /// Keeps what was given for a result whose job is about to be made.
    ///
    /// # Errors
    /// The disk says why.
    pub fn keep(&self, id: &str, sealed: &[u8]) -> Result<(), IoFailure> {
        let directory = self.0.ensure(DIRECTORY)?;
        set_mode(&directory, 0o700)?;
        let path = self.of_result(id);
        write_whole(&path, sealed)?;
        set_mode(&path, 0o600)
    }

    /// Whether something is kept for a result that no job has got yet.
    #[must_use]
    pub fn is_kept(&self, id: &str) -> bool {
        self.of_result(id).exists()
    }

    /// From now on it is this job's. Whether there is something for it.
    ///
    /// # Errors
    /// The disk says why.
    pub fn bind(&self, id: &str, uid: &str) -> Result<bool, IoFailure> {
        let (Some(to), from) = (self.of_job(uid), self.of_result(id)) else {
            return Ok(false);
        };
        match std::fs::rename(&from, &to) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(to.exists()),
            Err(error) => Err(IoFailure::new("rename", from, error)),
        }
    }

    /// Whether there is something for a job.
    ///
    /// # Errors
    /// The disk says why.
    pub fn has(&self, uid: &str) -> Result<bool, IoFailure> {
        let Some(path) = self.of_job(uid) else {
            return Ok(false);
        };
        match std::fs::symlink_metadata(&path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(IoFailure::new("read", path, error)),
        }
    }

    /// What is kept for a job.
    ///
    /// # Errors
    /// The disk says why.
    pub fn read(&self, uid: &str) -> Result<Option<Vec<u8>>, IoFailure> {
        let Some(path) = self.of_job(uid) else {
            return Ok(None);
        };
        match std::fs::read(&path) {
            Ok(sealed) => Ok(Some(sealed)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(IoFailure::new("read", path, error)),
        }
    }

    /// Removes what is kept for a result without a job.
    ///
    /// # Errors
    /// The disk says why.
    pub fn forget(&self, id: &str) -> Result<(), IoFailure> {
        remove(self.of_result(id))
    }

    /// Removes what is kept for a job.
    ///
    /// # Errors
    /// The disk says why.
    pub fn forget_job(&self, uid: &str) -> Result<(), IoFailure> {
        self.of_job(uid).map_or(Ok(()), remove)
    }

    /// Removes everything that nobody needs any more. `jobs` are those that there are, by uid, and whether each is over;
    /// `waiting` are the results whose jobs may be about to be made.
    ///
    /// # Errors
    /// The disk says why.
    pub fn sweep(&self, jobs: &BTreeMap<String, bool>, waiting: &[String]) -> Result<(), IoFailure> {
        let directory = self.0.path(DIRECTORY);
        let entries = match std::fs::read_dir(&directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            read => read.map_err(|error| IoFailure::new("read directory", directory, error))?,
        };
        for entry in entries.flatten() {
            let changed = entry.metadata().and_then(|meta| meta.modified());
            let age = changed
                .ok()
                .and_then(|changed| SystemTime::now().duration_since(changed).ok());
            let age = age.unwrap_or_default();
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let is_needed = if let Some(uid) = name.strip_prefix(OF_JOB) {
                // The watches may not have told yet of one that was just made.
                jobs.get(uid).map_or(age < LEFT, |is_over| !is_over)
            } else if let Some(id) = name.strip_prefix(OF_RESULT) {
                age < LEFT && waiting.iter().any(|waiting| waiting == id)
            } else {
                age < LEFT
            };
            if !is_needed || age > MOST_AGE {
                remove(entry.path())?;
            }
        }
        Ok(())
    }

    fn of_result(&self, id: &str) -> PathBuf {
        self.0.path(DIRECTORY).join(format!("{OF_RESULT}{id}"))
    }

    /// None for what can not be part of a path.
    fn of_job(&self, uid: &str) -> Option<PathBuf> {
        let is_plain = uid
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let fits = is_plain && (1..=64).contains(&uid.len());
        fits.then(|| self.0.path(DIRECTORY).join(format!("{OF_JOB}{uid}")))
    }
}

fn set_mode(path: &std::path::Path, mode: u32) -> Result<(), IoFailure> {
    std::fs::set_permissions(path, Permissions::from_mode(mode))
        .map_err(|error| IoFailure::new("set mode of", path, error))
}

fn remove(path: PathBuf) -> Result<(), IoFailure> {
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(IoFailure::new("remove", path, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> String {
        format!("v{number:032x}")
    }

    /// Proves: PK6 (P)
    #[test]
    fn only_the_job_that_it_was_bound_to_gets_it() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open_or_make(&dir.path().join("data")).unwrap();
        let custody = Custody(&data);
        custody.keep(&id(1), b"sealed").unwrap();
        let mode = |below: &str| {
            let meta = data.path(DIRECTORY).join(below).metadata().unwrap();
            meta.permissions().mode() & 0o777
        };
        assert_eq!((mode(""), mode(&format!("result-{}", id(1)))), (0o700, 0o600));
        assert_eq!(custody.read("uid-1").unwrap(), None);
        assert!(custody.bind(&id(1), "uid-1").unwrap());
        assert!(custody.bind(&id(1), "uid-1").unwrap(), "twice");
        assert!(!custody.bind(&id(1), "uid-2").unwrap());
        assert_eq!(custody.read("uid-1").unwrap(), Some(b"sealed".to_vec()));
        assert!(custody.has("uid-1").unwrap() && !custody.has("uid-2").unwrap());
        for path in ["../x", "a/b", "", "."] {
            assert!(!custody.has(path).unwrap() && !custody.bind(&id(1), path).unwrap());
        }
        custody.forget_job("uid-1").unwrap();
        custody.forget_job("uid-1").unwrap();
        assert_eq!(custody.read("uid-1").unwrap(), None);
    }

    /// Proves: PK6 (P), OH3 (P)
    #[test]
    fn a_sweep_leaves_what_is_needed_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open_or_make(&dir.path().join("data")).unwrap();
        let custody = Custody(&data);
        let none = BTreeMap::new();
        custody.sweep(&none, &[]).unwrap();
        for number in 1..=5 {
            custody.keep(&id(number), b"sealed").unwrap();
        }
        for (number, uid) in [(3, "over"), (4, "open"), (5, "unknown")] {
            assert!(custody.bind(&id(number), uid).unwrap());
        }
        let jobs = [("over".to_owned(), true), ("open".to_owned(), false)].into();
        custody.sweep(&jobs, &[id(1)]).unwrap();
        let left = || {
            let entries = std::fs::read_dir(data.path(DIRECTORY)).unwrap();
            let mut names: Vec<String> = entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        assert_eq!(left(), ["job-open", "job-unknown", &format!("result-{}", id(1))]);
        let age = |name: &str, age: Duration| {
            let file = std::fs::File::open(data.path(DIRECTORY).join(name)).unwrap();
            file.set_modified(SystemTime::now() - age).unwrap();
        };
        for name in left() {
            age(&name, LEFT * 2);
        }
        custody.sweep(&jobs, &[id(1)]).unwrap();
        assert_eq!(left(), ["job-open"]);
        age("job-open", MOST_AGE * 2);
        custody.sweep(&jobs, &[]).unwrap();
        assert_eq!(left(), [""; 0]);
    }
}
