//! Everything that the watches have told, and who is to be asked to look when something changes.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::{Event, Pod};
use kube::ResourceExt;

use super::apps::view::{self as apps, AppView};
use super::cache::Cache;
use super::health::Health;
use super::index::{Awaited, Index, awaited_archive};
use super::pod_events::PodEvents;
use super::schedule::Key;
use super::seen::{SeenApp, SeenJob, trim};
use super::worker::Triggers;
use crate::api::resource::ContentJob;
use crate::api::status::{ContentJobStatus, SUCCEEDED};
use crate::names::KIND_CONTENT_JOB;
use crate::reason::Reason;

/// What is watched, in the words of the API.
pub const WATCHED: [&str; 4] = ["contentjobs", "contentapps", "pods", "events"];

/// What was seen.
#[derive(Debug)]
pub struct View {
    /// The jobs.
    pub jobs: Arc<Cache<SeenJob>>,
    /// The applications.
    pub apps: AppView,
    /// The Pods of jobs and applications.
    pub pods: Cache<Pod>,
    /// Warnings about Pods.
    pub events: PodEvents,
    /// Which jobs wait for what.
    pub index: Index,
    /// Whether everything was listed.
    pub health: Arc<Health>,
    /// Who looks at jobs; nobody does in a replica that stands by.
    triggers: Mutex<Option<Triggers>>,
    /// Names of the Pods of each job.
    pods_of: Mutex<HashMap<String, BTreeSet<String>>>,
}

impl Default for View {
    fn default() -> Self {
        Self::new()
    }
}

impl View {
    /// Nothing was seen yet, and nobody looks.
    #[must_use]
    pub fn new() -> Self {
        Self {
            jobs: Arc::default(),
            apps: AppView::default(),
            pods: Cache::default(),
            events: PodEvents::default(),
            index: Index::default(),
            health: Arc::new(Health::of(&WATCHED)),
            triggers: Mutex::default(),
            pods_of: Mutex::default(),
        }
    }

    /// Has jobs and applications looked at from now on, beginning with all that there are.
    pub fn look_from_now_on(&self, triggers: Triggers) {
        *self.triggers() = Some(triggers);
        for seen in self.jobs.all() {
            self.ask(seen.name_any());
        }
        let owners: Vec<String> = self.owners().keys().cloned().collect();
        for job in owners {
            self.ask(job);
        }
        self.ask_all_apps();
    }

    /// Asks for a look at every application.
    pub fn ask_all_apps(&self) {
        for seen in self.apps.apps.all() {
            self.ask(apps::key_of(&seen.name_any()));
        }
    }

    /// An application is as it is given here.
    pub fn app_seen(&self, seen: SeenApp) {
        let name = seen.name_any();
        if self.apps.apps.learn(seen) {
            self.ask(apps::key_of(&name));
        }
    }

    /// A write of our own made this of an application.
    pub fn app_written(&self, seen: SeenApp) {
        self.apps.apps.learn_answer(seen);
    }

    /// An application is gone.
    pub fn app_gone(&self, name: &str, uid: Option<&str>) {
        if self.apps.apps.forget(name, uid) {
            let key = apps::key_of(name);
            self.index.gone(&key);
            self.ask(key);
        }
    }

    /// Every application was told anew; others are gone.
    pub fn apps_listed(&self) {
        for gone in self.apps.apps.end_list() {
            let key = apps::key_of(&gone.name_any());
            self.index.gone(&key);
            self.ask(key);
        }
    }

    /// Asks for a look at a job.
    pub fn ask(&self, job: impl Into<Key>) {
        if let Some(triggers) = &*self.triggers() {
            triggers.ask(job);
        }
    }

    fn triggers(&self) -> MutexGuard<'_, Option<Triggers>> {
        // It is set whole.
        self.triggers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A job is as it is given here.
    pub fn job_seen(&self, seen: SeenJob) {
        let name = Key::from(seen.name_any());
        if self.take_job(seen, Cache::learn) {
            self.ask(name);
        }
    }

    /// A run is news for the job whose schedule made it.
    fn ask_template(&self, run: Option<&SeenJob>) {
        if let Some((name, _)) = run.and_then(|run| template(&run.job)) {
            self.ask(name);
        }
    }

    /// A write of our own made this of a job: whoever wrote it knows, so nobody is asked to look at it.
    pub fn job_written(&self, seen: SeenJob) {
        self.take_job(seen, Cache::learn_answer);
    }

    /// A job is gone.
    pub fn job_gone(&self, name: &str, uid: Option<&str>) {
        let known = self.jobs.get(name);
        if self.jobs.forget(name, uid) {
            self.ask_template(known.as_deref());
            let name = Key::from(name);
            self.index.gone(&name);
            self.ask_those_who_wait(&name);
            self.ask(name);
        }
    }

    /// Every job was told anew; others are gone.
    pub fn jobs_listed(&self) {
        for gone in self.jobs.end_list() {
            self.ask_template(Some(&gone));
            let name = Key::from(gone.name_any());
            self.index.gone(&name);
            self.ask_those_who_wait(&name);
            self.ask(name);
        }
    }

    /// Every Pod was told anew; others are gone.
    pub fn pods_listed(&self) {
        for gone in self.pods.end_list() {
            self.pod_forgotten(&gone);
        }
    }

    /// A Pod is as it is given here.
    pub fn pod_seen(&self, pod: Pod) {
        if let Some(job) = self.take_pod(pod, Cache::learn) {
            self.ask(job);
        }
    }

    /// An answer to a call of our own shows this of a Pod: whoever called knows, so nobody is asked to look.
    pub fn pod_written(&self, pod: Pod) {
        self.take_pod(pod, Cache::learn_answer);
    }

    /// Takes a Pod over; gives the job that it is news for.
    fn take_pod(&self, mut pod: Pod, learn: fn(&Cache<Pod>, Pod) -> bool) -> Option<String> {
        trim(&mut pod.metadata);
        let owner = owner(&pod);
        if let Some(uid) = &pod.metadata.uid {
            self.events.pod_seen(uid);
        }
        let name = pod.name_any();
        let app = apps::owner(&pod);
        let news = learn(&self.pods, pod);
        if let Some((app, uid)) = app.filter(|_| news) {
            self.apps.pod_told(&uid, &name);
            self.ask(apps::key_of(&app));
        }
        let (job, _) = owner.filter(|_| news)?;
        self.owners().entry(job.clone()).or_default().insert(name);
        Some(job)
    }

    /// The Pods that belong to a job of this name, whichever uid it has.
    #[must_use]
    pub fn pods_of(&self, job: &str) -> Vec<Arc<Pod>> {
        let names = self.owners().get(job).cloned().unwrap_or_default();
        names.iter().filter_map(|name| self.pods.get(name)).collect()
    }

    /// A Pod is gone.
    pub fn pod_gone(&self, pod: &Pod) {
        if self.pods.forget(&pod.name_any(), pod.metadata.uid.as_deref()) {
            self.pod_forgotten(pod);
        }
    }

    /// A Pod is not among those that are kept any more.
    fn pod_forgotten(&self, pod: &Pod) {
        if let Some(uid) = &pod.metadata.uid {
            self.events.pod_gone(uid);
        }
        if let Some((app, uid)) = apps::owner(pod) {
            self.apps.pod_gone(&uid, &pod.name_any());
            self.ask(apps::key_of(&app));
        }
        let Some((job, _)) = owner(pod) else { return };
        let mut owners = self.owners();
        if let Some(names) = owners.get_mut(&job) {
            names.remove(&pod.name_any());
            if names.is_empty() {
                owners.remove(&job);
            }
        }
        drop(owners);
        self.ask(job);
    }

    fn owners(&self) -> MutexGuard<'_, HashMap<String, BTreeSet<String>>> {
        // Each change is one insertion or removal.
        self.pods_of.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was told about a Pod.
    pub fn event_seen(&self, mut event: Event) {
        trim(&mut event.metadata);
        let about = &event.involved_object;
        let pod = about.name.as_deref().and_then(|name| self.pods.get(name));
        let pod = pod.filter(|pod| pod.metadata.uid == about.uid);
        self.events.learn(event, pod.is_some());
        if let Some((job, _)) = pod.as_deref().and_then(owner) {
            self.ask(job);
        }
        if let Some((app, uid)) = pod.as_deref().and_then(apps::owner) {
            if let Some(pod) = &pod {
                self.apps.pod_told(&uid, &pod.name_any());
            }
            self.ask(apps::key_of(&app));
        }
    }

    fn take_job(&self, seen: SeenJob, learn: fn(&Cache<SeenJob>, SeenJob) -> bool) -> bool {
        let name = Key::from(seen.name_any());
        let before = self.jobs.get(&name);
        let told = is_told(before.as_deref().map(|seen| &seen.job), &seen.job);
        let awaited = awaited_archive(&seen.job);
        let deployed = deployed(before.as_deref().map(|seen| &seen.job), &seen.job);
        let run = template(&seen.job);
        let news = learn(&self.jobs, seen);
        if let Some((job, _)) = run.filter(|_| news) {
            self.ask(job);
        }
        if news {
            self.index.seen(&name, awaited);
        }
        if news && told {
            self.ask_those_who_wait(&name);
        }
        if let Some(content) = deployed.filter(|_| news) {
            for app in self.apps.of_content(&content) {
                self.ask(app);
            }
        }
        news
    }

    fn ask_those_who_wait(&self, job: &Key) {
        for waiting in self.index.waiting_for(&Awaited::Job(job.to_string())) {
            self.ask(waiting);
        }
    }
}

/// Name and uid of the job that a Pod belongs to.
#[must_use]
pub fn owner(pod: &Pod) -> Option<(String, String)> {
    let owner = pod
        .owner_references()
        .iter()
        .find(|owner| owner.kind == KIND_CONTENT_JOB && owner.controller == Some(true))?;
    Some((owner.name.clone(), owner.uid.clone()))
}

/// Name and uid of the job whose schedule made this one.
#[must_use]
pub fn template(run: &ContentJob) -> Option<(String, String)> {
    let owners = run.metadata.owner_references.as_deref().unwrap_or_default();
    let owner = owners
        .iter()
        .find(|owner| owner.kind == KIND_CONTENT_JOB && owner.controller == Some(true))?;
    Some((owner.name.clone(), owner.uid.clone()))
}

/// The content item of which a job has deployed something, or made a result, since it was last seen.
fn deployed(before: Option<&ContentJob>, after: &ContentJob) -> Option<String> {
    let made = |job: &ContentJob| {
        let status = job.status.as_ref()?;
        Some((status.bundle.clone(), status.result.clone()))
    };
    let after_made = made(after)?;
    if before.and_then(made).as_ref() == Some(&after_made) {
        return None;
    }
    after.status.as_ref()?.content.clone()
}

/// Whether those who wait for an installation or a deployment are to hear of this change: it has ended, or something new is wrong with
/// it. Its mere progress they read when they look the next time.
fn is_told(before: Option<&ContentJob>, after: &ContentJob) -> bool {
    let said = |job: Option<&ContentJob>| job.and_then(|job| succeeded(job.status.as_ref()?));
    let (before, after) = (said(before), said(Some(after)));
    let is_news =
        |(status, reason): &(String, String)| status != "Unknown" || Reason::from_name(reason).is_some();
    before != after && after.as_ref().is_some_and(is_news)
}

/// Status and reason of the condition `Succeeded`.
fn succeeded(status: &ContentJobStatus) -> Option<(String, String)> {
    let condition = status
        .conditions
        .iter()
        .find(|condition| condition.type_ == SUCCEEDED)?;
    Some((condition.status.clone(), condition.reason.clone()))
}
