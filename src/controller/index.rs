//! Which jobs wait for what, so that each is looked at as soon as it has come.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::schedule::Key;
use crate::api::resource::ContentJob;
use crate::status::is_finished;

/// Something that jobs wait for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Awaited {
    /// The job of this name, which installs packages.
    Job(String),
    /// A version of `runtimes.yaml` that has what they need.
    Runtime,
}

/// Who waits.
#[derive(Debug, Default)]
pub struct Index {
    inner: Mutex<Inner>,
    archive_announced: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    /// By digest: the jobs that name it, and the size that each gives.
    archives: HashMap<String, HashMap<Key, u64>>,
    archive_of: HashMap<Key, String>,
    waiting: HashMap<Awaited, BTreeSet<Key>>,
    waits_for: HashMap<Key, BTreeSet<Awaited>>,
}

impl Index {
    /// Takes note of the archive that a job waits for, as it was seen.
    pub fn seen(&self, name: &Key, awaited: Option<(String, u64)>) {
        let mut inner = self.lock();
        inner.forget_archive(name);
        if let Some((digest, bytes)) = awaited {
            inner.archive_of.insert(name.clone(), digest.clone());
            inner
                .archives
                .entry(digest)
                .or_default()
                .insert(name.clone(), bytes);
            self.archive_announced.notify_waiters();
        }
    }

    /// Takes note of what a job waits for now; nothing else holds it.
    pub fn waits(&self, name: &Key, what: BTreeSet<Awaited>) {
        let mut inner = self.lock();
        inner.forget_waiting(name);
        for awaited in &what {
            let jobs = inner.waiting.entry(awaited.clone()).or_default();
            jobs.insert(name.clone());
        }
        if !what.is_empty() {
            inner.waits_for.insert(name.clone(), what);
        }
    }

    /// Forgets a job that is gone.
    pub fn gone(&self, name: &Key) {
        let mut inner = self.lock();
        inner.forget_archive(name);
        inner.forget_waiting(name);
    }

    /// The jobs that wait for this.
    #[must_use]
    pub fn waiting_for(&self, what: &Awaited) -> Vec<Key> {
        let inner = self.lock();
        let jobs = inner.waiting.get(what);
        jobs.map(|jobs| jobs.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// The jobs that wait for the archive of this digest, and the size that each gives.
    #[must_use]
    pub fn archive(&self, digest: &str) -> Vec<(Key, u64)> {
        let inner = self.lock();
        let jobs = inner.archives.get(digest);
        jobs.map(|jobs| jobs.iter().map(|(job, bytes)| (job.clone(), *bytes)).collect())
            .unwrap_or_default()
    }

    /// Is done when some job says what it waits for, from this call on.
    pub fn archive_announced(&self) -> Notified<'_> {
        self.archive_announced.notified()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // What a panic leaves behind is put right by the next look at the job.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn forget_archive(&mut self, name: &Key) {
        if let Some(digest) = self.archive_of.remove(name)
            && let Some(jobs) = self.archives.get_mut(&digest)
        {
            jobs.remove(name);
            if jobs.is_empty() {
                self.archives.remove(&digest);
            }
        }
    }

    fn forget_waiting(&mut self, name: &Key) {
        for what in self.waits_for.remove(name).unwrap_or_default() {
            if let Some(jobs) = self.waiting.get_mut(&what) {
                jobs.remove(name);
                if jobs.is_empty() {
                    self.waiting.remove(&what);
                }
            }
        }
    }
}

/// Digest and size of the archive that a job waits for.
#[must_use]
pub fn awaited_archive(job: &ContentJob) -> Option<(String, u64)> {
    let archive = job.spec.bundle.archive.as_ref()?;
    let status = job.status.as_ref();
    let has_it = status.is_some_and(|status| status.bundle.is_some() || is_finished(status));
    if has_it || job.metadata.deletion_timestamp.is_some() {
        return None;
    }
    Some((archive.sha256.clone(), u64::try_from(archive.bytes).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::job::{ArchiveRef, BundleRef, ContentJobSpec};
    use crate::api::status::ContentJobStatus;
    use crate::names::{API_VERSION, KIND_CONTENT_JOB};

    fn names(keys: &[Key]) -> Vec<&str> {
        keys.iter().map(|key| &**key).collect()
    }

    #[test]
    fn a_job_waits_for_what_it_last_said() {
        let index = Index::default();
        let (a, b) = (Key::from("a"), Key::from("b"));
        let install = Awaited::Job("install-1".to_owned());
        index.waits(&a, BTreeSet::from([install.clone()]));
        index.waits(&b, BTreeSet::from([install.clone(), Awaited::Runtime]));
        assert_eq!(names(&index.waiting_for(&install)), ["a", "b"]);
        index.waits(&b, BTreeSet::new());
        assert_eq!(names(&index.waiting_for(&install)), ["a"]);
        assert!(index.waiting_for(&Awaited::Runtime).is_empty());
        index.gone(&a);
        assert!(index.waiting_for(&install).is_empty());
        assert!(index.lock().waiting.is_empty());
    }

    #[test]
    fn an_archive_is_awaited_until_it_is_deployed() {
        let index = Index::default();
        let name = Key::from("a");
        let mut job = ContentJob {
            api_version: API_VERSION.to_owned(),
            kind: KIND_CONTENT_JOB.to_owned(),
            metadata: kube::core::ObjectMeta::default(),
            spec: ContentJobSpec {
                bundle: BundleRef {
                    archive: Some(ArchiveRef {
                        sha256: "f".repeat(64),
                        bytes: 7,
                    }),
                    ..BundleRef::default()
                },
                ..ContentJobSpec::default()
            },
            status: None,
        };
        index.seen(&name, awaited_archive(&job));
        assert_eq!(index.archive(&"f".repeat(64)), [(name.clone(), 7)]);
        job.status = Some(ContentJobStatus {
            bundle: Some("1".to_owned()),
            ..ContentJobStatus::default()
        });
        index.seen(&name, awaited_archive(&job));
        assert_eq!(index.archive(&"f".repeat(64)), []);
    }
}
