//! Removes what killed runs have left behind (TD1, RD3). What lives is known by its lock and is never touched.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::dir::DataDir;
use super::failure::IoFailure;
use super::layout::{
    self, COPY_PREFIX, ContentId, GONE_PREFIX, R_STAGING_PREFIX, STAGING_PREFIX, UNPACK_PREFIX,
};
use super::lock::{FileLock, Probe};
use super::records::StoreError;
use super::remove::remove_tree;
use super::store::Store;
use super::{fdio, interrupted};
use crate::names::WORKSPACES;

/// What a sweep has done.
#[derive(Debug, Default)]
pub struct Swept {
    /// What was removed, in order.
    pub removed: Vec<Leftover>,
    /// What could not be removed; the next sweep tries again.
    pub failed: Vec<IoFailure>,
}

/// Something that a killed run had left behind.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Leftover {
    /// Where it was.
    pub path: PathBuf,
    /// What it was, for people.
    pub what: &'static str,
}

/// Removes what killed runs have left below `data` and below `temp_dir`'s `connect-workspaces`. Nothing below `data` where
/// that is a controller's: its Pods live on while it does not, and only it knows which.
#[must_use]
pub fn sweep(data: &DataDir, temp_dir: &Path) -> Swept {
    let mut sweeper = Sweeper::new(data);
    if !data.is_controllers() {
        sweeper.data();
    }
    sweeper.workspaces(&temp_dir.join(WORKSPACES));
    sweeper.swept
}

/// Removes what killed runs have left below `data`. For a controller that holds the locks of all its attempts.
#[must_use]
pub fn sweep_volume(data: &DataDir) -> Swept {
    let mut sweeper = Sweeper::new(data);
    sweeper.data();
    sweeper.swept
}

struct Sweeper<'a> {
    data: &'a DataDir,
    swept: Swept,
}

impl<'a> Sweeper<'a> {
    fn new(data: &'a DataDir) -> Self {
        let swept = Swept::default();
        Self { data, swept }
    }
}

impl Sweeper<'_> {
    fn data(&mut self) {
        self.removals();
        self.contents();
        self.reports();
        self.environments();
        self.jobs();
    }

    fn names(&mut self, dir: &Path) -> Vec<String> {
        fdio::names(dir).unwrap_or_else(|failure| {
            self.swept.failed.push(failure);
            Vec::new()
        })
    }

    fn note<T>(&mut self, done: Result<T, IoFailure>) -> Option<T> {
        done.map_err(|failure| self.swept.failed.push(failure)).ok()
    }

    fn remove(&mut self, path: &Path, what: &'static str) {
        match remove_tree(path) {
            Ok(0) => {}
            Ok(_) => self.swept.removed.push(Leftover {
                path: path.to_owned(),
                what,
            }),
            Err(failure) => self.swept.failed.push(failure),
        }
    }

    /// Runs `act` while holding the lock of something that nobody else holds; not at all where somebody does.
    fn if_dead(&mut self, path: &Path, act: impl FnOnce(&mut Self)) {
        match FileLock::probe(&layout::lock_beside(path)) {
            Ok(Probe::Held) => {}
            Ok(Probe::Missing) => act(self),
            Ok(Probe::Free(lock)) => {
                act(self);
                lock.remove();
            }
            Err(failure) => self.swept.failed.push(failure),
        }
    }

    /// Ends removals of content items that were cut off.
    fn removals(&mut self) {
        for name in self.names(&self.data.path(layout::contents())) {
            let Some(Ok(content)) = name.strip_prefix(GONE_PREFIX).map(ContentId::parse) else {
                continue;
            };
            let Some(Some(lock)) = self.note(FileLock::try_exclusive(&self.data.content_lock(&content)))
            else {
                continue;
            };
            let store = Store::new(self.data);
            let tombstone = store.tombstone(&content);
            if self.note(store.finish_removal(&content)).is_some() {
                let what = "rest of a removed content item";
                self.swept.removed.push(Leftover {
                    path: tombstone,
                    what,
                });
            }
            drop(lock);
        }
    }

    /// Staging directories of killed deployments, and records of bundles that never came to be.
    fn contents(&mut self) {
        let apps = self.data.path(layout::apps());
        self.staged_below(&apps, UNPACK_PREFIX, 0, "rest of a killed deployment");
        for name in self.names(&apps) {
            if name.starts_with(GONE_PREFIX) {
                self.remove(&apps.join(&name), "rest of a removed content item");
            }
            let Ok(content) = ContentId::parse(&name) else {
                continue;
            };
            // A deployment that runs holds this lock.
            let Some(Some(lock)) = self.note(FileLock::try_exclusive(&self.data.content_lock(&content)))
            else {
                continue;
            };
            for dir in [
                layout::app(&content),
                layout::content(&content),
                layout::bundle_records(&content),
            ] {
                self.staging_in(&self.data.path(dir), "rest of a killed deployment");
            }
            let bundles = Store::new(self.data).bundles(&content);
            for bundle in self.orphans(&content, &bundles.unwrap_or_default()) {
                self.remove(&bundle, "record of a bundle that is not there");
            }
            drop(lock);
        }
    }

    fn orphans(&mut self, content: &ContentId, bundles: &[u64]) -> Vec<PathBuf> {
        let records = self.data.path(layout::bundle_records(content));
        self.names(&records)
            .iter()
            .filter_map(|name| layout::parse_number(name.strip_suffix(".json")?))
            .filter(|number| !bundles.contains(number))
            .map(|number| records.join(format!("{number}.json")))
            .collect()
    }

    fn staging_in(&mut self, dir: &Path, what: &'static str) {
        for name in self.names(dir) {
            if name.starts_with(STAGING_PREFIX) {
                self.remove(&dir.join(name), what);
            }
        }
    }

    /// Copies of killed renders, and results that were never finished.
    fn reports(&mut self) {
        let reports = self.data.path(layout::reports());
        for content in self.names(&reports) {
            let dir = reports.join(&content);
            if content.starts_with(GONE_PREFIX) {
                self.remove(&dir, "rest of a removed content item");
                continue;
            }
            for inner in self.names(&dir) {
                if !inner.starts_with('.') {
                    self.results_in(&dir.join(inner));
                }
            }
        }
    }

    fn results_in(&mut self, dir: &Path) {
        for name in self.names(dir) {
            let path = dir.join(&name);
            if name.starts_with(GONE_PREFIX) {
                self.remove(&path, "rest of a removed result");
            } else if let Some(rest) = name.strip_prefix(STAGING_PREFIX) {
                let number = rest
                    .trim_start_matches("site-")
                    .trim_start_matches("source-")
                    .trim_end_matches(".json");
                // What is a result's is guarded by its lock, the rest by that of the variant.
                let owner = layout::parse_number(number).map_or_else(|| dir.to_owned(), |_| dir.join(number));
                self.if_dead(&owner, |sweeper| sweeper.remove(&path, "rest of a killed render"));
            } else if name.starts_with(COPY_PREFIX) {
                self.if_dead(&path, |sweeper| sweeper.remove(&path, "copy of a killed render"));
            } else if layout::parse_number(&name).is_some() {
                self.if_dead(&path, |sweeper| sweeper.unfinished(&path));
            } else if let Some(number) = name.strip_suffix(".json").and_then(layout::parse_number) {
                let result = dir.join(number.to_string());
                self.if_dead(&result, |sweeper| {
                    if !result.exists() {
                        sweeper.remove(&path, "record of a result that is not there");
                    }
                });
            } else if let Some(locked) = name.strip_prefix('.').and_then(|name| name.strip_suffix(".lock")) {
                let locked = dir.join(locked);
                if !locked.exists() {
                    self.if_dead(&locked, |_| {});
                }
            }
        }
    }

    /// Removes a result without a record. The caller holds its lock, so no record can come meanwhile.
    fn unfinished(&mut self, result: &Path) {
        let name = result.file_name().unwrap_or_default().to_string_lossy();
        if !result.with_file_name(format!("{name}.json")).exists() {
            self.remove(result, "unfinished result of a killed render");
        }
    }

    /// Environments that were never put in place.
    fn environments(&mut self) {
        for (top, prefix, depth) in [
            (layout::python_environments(), STAGING_PREFIX, 2),
            (layout::node_environments(), STAGING_PREFIX, 1),
            (layout::packrat(), STAGING_PREFIX, 5),
            (layout::r_data(), R_STAGING_PREFIX, 1),
            (PathBuf::from("runtime"), STAGING_PREFIX, 0),
        ] {
            let top = self.data.path(top);
            self.staged_below(&top, prefix, depth, "rest of a killed installation");
        }
    }

    fn staged_below(&mut self, dir: &Path, prefix: &str, depth: usize, what: &'static str) {
        for name in self.names(dir) {
            let path = dir.join(&name);
            if let Some(locked) = name.strip_suffix(".lock") {
                self.lone_lock(dir, locked, prefix);
            } else if name.starts_with(prefix) {
                self.if_dead(&path, |sweeper| sweeper.remove(&path, what));
            } else if depth > 0 && !name.starts_with('.') {
                self.staged_below(&path, prefix, depth - 1, what);
            }
        }
    }

    /// Removes the lock of something that was never made, or is gone already.
    fn lone_lock(&mut self, dir: &Path, locked: &str, prefix: &str) {
        let names = [Some(locked), locked.strip_prefix('.')];
        for name in names
            .into_iter()
            .flatten()
            .filter(|name| name.starts_with(prefix))
        {
            if !dir.join(name).exists() {
                self.if_dead(&dir.join(name), |_| {});
            }
        }
    }

    fn jobs(&mut self) {
        let jobs = self.data.path(layout::jobs());
        for name in self.names(&jobs) {
            let dir = jobs.join(&name);
            if name.starts_with(GONE_PREFIX) {
                self.remove(&dir, "rest of a removed content item");
                continue;
            }
            for key in self.names(&dir) {
                // A job that has ended in order has no lock any more.
                if let Some(key) = key.strip_prefix('.').and_then(|key| key.strip_suffix(".lock")) {
                    let job = dir.join(key);
                    self.if_dead(&job, |sweeper| sweeper.interrupted(&job));
                }
            }
        }
    }

    fn interrupted(&mut self, job: &Path) {
        // Answers of a visitor may be in them, which are nobody's business any more.
        self.remove(&job.join("task.inputs"), "inputs of a killed job");
        match interrupted::close(job, Timestamp::now()) {
            Ok(false) => self.remove(job, "record of a job that never began"),
            Err(StoreError::Io(failure)) => self.swept.failed.push(failure),
            // A damaged record says nothing that could be corrected.
            Ok(true) | Err(_) => {}
        }
    }

    /// Temporary directories whose process is dead. One without a lock file is not this program's.
    fn workspaces(&mut self, dir: &Path) {
        for name in self.names(dir) {
            let Some(key) = name.strip_prefix('.').and_then(|name| name.strip_suffix(".lock")) else {
                continue;
            };
            let lock = match FileLock::probe(&dir.join(&name)) {
                Ok(Probe::Free(lock)) => lock,
                Ok(_) => continue,
                Err(failure) => {
                    self.swept.failed.push(failure);
                    continue;
                }
            };
            // A group has the name of its process's temporary directory.
            crate::exec::remove_control_groups(key);
            let path = dir.join(key);
            self.remove(&path, "temporary directory of a killed process");
            // Without its lock the next sweep would take what could not be removed for somebody else's.
            if !path.exists() {
                lock.remove();
            }
        }
    }
}
