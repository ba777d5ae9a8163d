//! What this process holds in memory: the bundles and uploads of jobs, and the locks of attempts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use jiff::Timestamp;

use super::attempt::Attempt;
use super::held::Held;
use crate::api::job::{ContentJobSpec, TaskKind};
use crate::content::BundleFacts;
use crate::data::{BundleUse, ContentId};

/// Everything that is held.
#[derive(Debug, Default)]
pub(super) struct State {
    inner: Mutex<Inner>,
}

/// The place of one attempt; empty until it is looked for on the volume.
pub(super) type Slot = Arc<Mutex<Option<Held>>>;

#[derive(Debug, Default)]
struct Inner {
    jobs: HashMap<String, JobHold>,
    attempts: HashMap<String, Place>,
    bundles: HashMap<(ContentId, u64), Weak<BundleUse>>,
    facts: HashMap<FactsKey, Weak<BundleFacts>>,
    retained: HashMap<ContentId, Timestamp>,
}

/// An attempt by its job.
#[derive(Debug)]
struct Place {
    job_uid: String,
    slot: Slot,
}

/// What one job holds.
#[derive(Debug, Default)]
pub(super) struct JobHold {
    /// Its bundle, which no retention removes meanwhile.
    in_use: Option<Arc<BundleUse>>,
    /// Its bundle, from when it was found until its status names it.
    pub(super) found: Option<(ContentId, u64)>,
    /// What its bundle says.
    facts: Option<Arc<BundleFacts>>,
    /// Digest of the archive that it waits for or has deployed.
    pub(super) upload: Option<String>,
    /// What that archive says, once it was opened and not yet deployed.
    pub(super) opened: Option<(FactsKey, Arc<BundleFacts>)>,
}

/// What the facts of a bundle depend on: the bundle, and what the job overrides.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct FactsKey {
    content: ContentId,
    bundle: u64,
    app_mode: Option<String>,
    entrypoint: Option<String>,
    task: Option<u8>,
    has_command: bool,
}

impl FactsKey {
    pub(super) fn of(content: &ContentId, bundle: u64, spec: &ContentJobSpec) -> Self {
        Self {
            content: content.clone(),
            bundle,
            app_mode: spec.app_mode.clone(),
            entrypoint: spec.entrypoint.clone(),
            task: spec.task.map(|task: TaskKind| task as u8),
            has_command: !spec.command.is_empty(),
        }
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change is one insertion or removal, so what a panic leaves is whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what a job holds.
    pub(super) fn with_job<T>(&self, uid: &str, act: impl FnOnce(&mut JobHold) -> T) -> T {
        act(self.lock().jobs.entry(uid.to_owned()).or_default())
    }

    /// The use of a bundle that some job has.
    pub(super) fn bundle(&self, content: &ContentId, bundle: u64) -> Option<Arc<BundleUse>> {
        self.lock().bundles.get(&(content.clone(), bundle))?.upgrade()
    }

    /// Lets a job hold a bundle.
    pub(super) fn hold_bundle(&self, uid: &str, content: &ContentId, bundle: u64, in_use: Arc<BundleUse>) {
        let mut inner = self.lock();
        let place = (content.clone(), bundle);
        inner.bundles.insert(place, Arc::downgrade(&in_use));
        inner.jobs.entry(uid.to_owned()).or_default().in_use = Some(in_use);
    }

    /// The facts of a bundle that some job holds.
    pub(super) fn facts(&self, key: &FactsKey) -> Option<Arc<BundleFacts>> {
        self.lock().facts.get(key)?.upgrade()
    }

    /// Lets a job hold the facts of its bundle.
    pub(super) fn hold_facts(&self, uid: &str, key: FactsKey, facts: Arc<BundleFacts>) {
        let mut inner = self.lock();
        inner.facts.insert(key, Arc::downgrade(&facts));
        let job = inner.jobs.entry(uid.to_owned()).or_default();
        job.facts = Some(facts);
        job.opened = None;
    }

    /// Takes the upload of a job away from it.
    pub(super) fn take_upload(&self, uid: &str) -> Option<String> {
        self.lock().jobs.get_mut(uid)?.upload.take()
    }

    /// Whether some job waits for this upload, or has just deployed it.
    pub(super) fn is_awaited(&self, digest: &str) -> bool {
        let inner = self.lock();
        inner
            .jobs
            .values()
            .any(|job| job.upload.as_deref() == Some(digest))
    }

    /// The place of an attempt.
    pub(super) fn slot(&self, attempt: &Attempt) -> Slot {
        let mut inner = self.lock();
        let place = inner
            .attempts
            .entry(attempt.key().to_owned())
            .or_insert_with(|| Place {
                job_uid: attempt.job_uid().to_owned(),
                slot: Slot::default(),
            });
        place.slot.clone()
    }

    /// Drops the place of an attempt that is over.
    pub(super) fn forget_attempt(&self, key: &str) {
        self.lock().attempts.remove(key);
    }

    /// Ends what a job holds. Gives its upload.
    pub(super) fn release(&self, uid: &str) -> Option<String> {
        let (job, slots) = {
            let mut inner = self.lock();
            let own = |_: &String, place: &mut Place| place.job_uid == uid;
            let slots: Vec<Place> = inner.attempts.extract_if(own).map(|(_, place)| place).collect();
            (inner.jobs.remove(uid), slots)
        };
        for place in slots {
            if let Some(held) = lock_slot(&place.slot).take() {
                held.close();
            }
        }
        let upload = job.and_then(|job| job.upload);
        let mut inner = self.lock();
        inner.bundles.retain(|_, in_use| in_use.strong_count() > 0);
        inner.facts.retain(|_, facts| facts.strong_count() > 0);
        upload
    }

    /// Whether the records of a content item's jobs are due to be looked through; they are not again for a minute.
    pub(super) fn retention_due(&self, content: &ContentId, now: Timestamp) -> bool {
        const PAUSE: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);
        let mut inner = self.lock();
        let last = inner.retained.get(content);
        let due = last.is_none_or(|last| now.duration_since(*last).abs() >= PAUSE);
        if due {
            inner.retained.insert(content.clone(), now);
        }
        due
    }
}

/// Locks the place of an attempt.
pub(super) fn lock_slot(slot: &Slot) -> MutexGuard<'_, Option<Held>> {
    // What is held is a lock file each; a panic in between leaves some of them, as a kill does.
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}
