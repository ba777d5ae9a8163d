//! `runtimes.yaml` as it is in force: read again when it changes, a broken version refused and the last good one kept
//! (EX6). The file is looked at every two seconds and compared by its content: a ConfigMap's files change by the swap of
//! a link, which watches of files miss or tell twice.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use thiserror::Error;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::runtimes::{Runtimes, RuntimesError, parse};
use crate::telemetry::metrics::Metrics;

/// Time between two looks at the file.
const PAUSE: Duration = Duration::from_secs(2);

/// Why a version of the file is not in force.
#[derive(Debug, Error)]
pub enum ReloadError {
    /// It can not be read.
    #[error("{path}: {source}; ExecutionEnvironments.ConfigFilePath must name a file that can be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It is not what the format says.
    #[error(transparent)]
    Parse(#[from] RuntimesError),
}

/// The version in force.
#[derive(Clone, Debug, Default)]
pub struct InForce {
    /// The entries.
    pub runtimes: Arc<Runtimes>,
    /// Grows with each version.
    pub version: u64,
    /// Why there is none, in a sentence: the file was broken when the controller started.
    pub missing: Option<String>,
}

/// The file and the version of it that is in force.
#[derive(Debug)]
pub struct RuntimesFile {
    path: PathBuf,
    metrics: Arc<Metrics>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    in_force: InForce,
    /// What was last read, good or not.
    read: Option<Result<Vec<u8>, std::io::ErrorKind>>,
}

impl RuntimesFile {
    /// Reads the file. A fault in it is logged, and jobs wait until it is mended.
    #[must_use]
    pub fn open(path: &Path, metrics: Arc<Metrics>) -> Self {
        let file = Self {
            path: path.to_owned(),
            metrics,
            state: Mutex::default(),
        };
        file.look();
        file
    }

    /// The version in force.
    #[must_use]
    pub fn in_force(&self) -> InForce {
        self.lock().in_force.clone()
    }

    /// Looks at the file until told to stop. `changed` is called after each new version.
    pub async fn follow(self: Arc<Self>, stop: CancellationToken, changed: impl Fn()) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(PAUSE) => {}
            }
            let file = self.clone();
            // The file system may be slow; only a panic in `look` makes this an error, and the next round goes on.
            if tokio::task::spawn_blocking(move || file.look())
                .await
                .unwrap_or(false)
            {
                changed();
            }
        }
    }

    /// Looks at the file once. Says whether another version is in force now.
    pub fn look(&self) -> bool {
        let read = std::fs::read(&self.path);
        let mut state = self.lock();
        let seen = read.as_ref().map(Vec::clone).map_err(std::io::Error::kind);
        if state.read.as_ref() == Some(&seen) {
            return false;
        }
        state.read = Some(seen);
        match self.parsed(read) {
            Ok(runtimes) => {
                let changed = state.in_force.version == 0 || *state.in_force.runtimes != runtimes;
                if changed {
                    let version = state.in_force.version + 1;
                    let (file, images) = (self.path.display(), runtimes.runtimes.len());
                    tracing::info!(%file, images, version, "Runtimes in force");
                    state.in_force = InForce {
                        runtimes: Arc::new(runtimes),
                        version,
                        missing: None,
                    };
                }
                self.metrics.runtimes_current.set(1);
                #[allow(
                    clippy::cast_precision_loss,
                    reason = "seconds since 1970 fit a float exactly"
                )]
                self.metrics
                    .runtimes_loaded
                    .set(Timestamp::now().as_second() as f64);
                changed
            }
            Err(error) => {
                self.metrics.runtimes_current.set(0);
                if state.in_force.version == 0 {
                    tracing::error!("Runtimes refused, jobs wait until the file is mended: {error}");
                    state.in_force.missing = Some(error.to_string());
                } else {
                    tracing::error!("Runtimes refused, the version before stays in force: {error}");
                }
                false
            }
        }
    }

    fn parsed(&self, read: std::io::Result<Vec<u8>>) -> Result<Runtimes, ReloadError> {
        let bytes = read.map_err(|source| ReloadError::Read {
            path: self.path.clone(),
            source,
        })?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(parse(&text, &self.path.display().to_string())?)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while parsing leaves the version before in force.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "- name: registry.example.com/r:4\n  r:\n    installations: [{version: 4.4.1, path: /usr/bin/R}]\n";

    fn names(file: &RuntimesFile) -> Vec<String> {
        let in_force = file.in_force();
        in_force
            .runtimes
            .runtimes
            .iter()
            .map(|r| r.name.clone())
            .collect()
    }

    /// A directory in which files change as in one made from a ConfigMap: by the swap of one link.
    fn swap(directory: &Path, number: u32, text: &str) {
        let version = directory.join(format!("..{number}"));
        std::fs::create_dir(&version).unwrap();
        std::fs::write(version.join("runtimes.yaml"), text).unwrap();
        let (data, next) = (directory.join("..data"), directory.join("..next"));
        std::os::unix::fs::symlink(&version, &next).unwrap();
        std::fs::rename(&next, &data).unwrap();
        let link = directory.join("runtimes.yaml");
        if !link.exists() {
            std::os::unix::fs::symlink("..data/runtimes.yaml", link).unwrap();
        }
    }

    /// Proves: EX6 (P)
    #[test]
    fn a_broken_version_leaves_the_last_good_one_in_force() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        swap(directory, 1, GOOD);
        let metrics = Arc::new(Metrics::new());
        let file = RuntimesFile::open(&directory.join("runtimes.yaml"), metrics.clone());
        assert_eq!(names(&file), ["registry.example.com/r:4"]);
        assert!(!file.look(), "nothing has changed");
        swap(directory, 2, "- name: x\n  nmae: y\n");
        assert!(!file.look());
        assert_eq!(names(&file), ["registry.example.com/r:4"]);
        assert_eq!(metrics.runtimes_current.get(), 0);
        swap(directory, 3, &GOOD.replace("r:4", "r:5"));
        assert!(file.look());
        assert_eq!(names(&file), ["registry.example.com/r:5"]);
        assert_eq!((file.in_force().version, metrics.runtimes_current.get()), (2, 1));
        std::fs::remove_file(directory.join("..data")).unwrap();
        assert!(!file.look(), "gone for a moment");
        assert_eq!(names(&file), ["registry.example.com/r:5"]);
    }

    /// Proves: EX6 (P)
    #[test]
    fn a_file_that_is_broken_at_start_says_where() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("runtimes.yaml");
        std::fs::write(&path, "- name: x\n  nmae: y\n").unwrap();
        let file = RuntimesFile::open(&path, Arc::new(Metrics::new()));
        let said = file.in_force().missing.unwrap();
        assert!(
            said.contains("runtimes.yaml:2:3") && said.contains("nmae"),
            "{said}"
        );
        std::fs::write(&path, GOOD).unwrap();
        assert!(file.look());
        assert_eq!(file.in_force().missing, None);
    }
}
