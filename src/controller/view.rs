//! Everything that the watches have told, and who is to be asked to look when something changes.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Event, Pod};
use kube::ResourceExt;

use super::cache::Cache;
use super::health::Health;
use super::index::{Awaited, Index};
use super::pod_events::PodEvents;
use super::schedule::Key;
use super::seen::{SeenJob, trim};
use super::worker::Triggers;
use crate::api::resource::ContentJob;
use crate::api::status::{ContentJobStatus, SUCCEEDED};
use crate::names::{KIND_CONTENT_JOB, LABEL_ENVIRONMENT};
use crate::reason::Reason;

/// What is watched, in the words of the API.
pub const WATCHED: [&str; 3] = ["contentjobs", "pods", "events"];

/// What was seen.
#[derive(Debug)]
pub struct View {
    /// The jobs.
    pub jobs: Arc<Cache<SeenJob>>,
    /// The Pods of jobs.
    pub pods: Cache<Pod>,
    /// Warnings about Pods.
    pub events: PodEvents,
    /// Which jobs wait for what.
    pub index: Index,
    /// Whether everything was listed.
    pub health: Arc<Health>,
    triggers: Triggers,
}

impl View {
    /// Nothing was seen yet.
    #[must_use]
    pub fn new(triggers: Triggers) -> Self {
        Self {
            jobs: Arc::default(),
            pods: Cache::default(),
            events: PodEvents::default(),
            index: Index::default(),
            health: Arc::new(Health::of(&WATCHED)),
            triggers,
        }
    }

    /// Asks for a look at a job.
    pub fn ask(&self, job: impl Into<Key>) {
        self.triggers.ask(job);
    }

    /// A job is as it is given here.
    pub fn job_seen(&self, seen: SeenJob) {
        let name = Key::from(seen.name_any());
        let before = self.jobs.get(&name);
        self.index.seen(&name, &seen.job);
        let told = is_install(&seen.job) && is_told(before.as_deref().map(|seen| &seen.job), &seen.job);
        if self.jobs.learn(seen) {
            if told {
                self.ask_those_who_wait(&name);
            }
            self.ask(name);
        }
    }

    /// What a write of our own gave: nobody need be asked to look at it.
    pub fn job_written(&self, seen: SeenJob) {
        let name = Key::from(seen.name_any());
        self.index.seen(&name, &seen.job);
        let told = is_install(&seen.job) && is_told(self.jobs.get(&name).as_deref().map(|s| &s.job), &seen.job);
        if self.jobs.learn(seen) && told {
            self.ask_those_who_wait(&name);
        }
    }

    /// A job is gone.
    pub fn job_gone(&self, name: &str, uid: Option<&str>) {
        if self.jobs.forget(name, uid) {
            let name = Key::from(name);
            self.index.gone(&name);
            self.ask_those_who_wait(&name);
            self.ask(name);
        }
    }

    /// A Pod is as it is given here. Says whether that was news.
    pub fn pod_seen(&self, mut pod: Pod) -> bool {
        trim(&mut pod.metadata);
        let owner = owner(&pod);
        if let Some(uid) = &pod.metadata.uid {
            self.events.pod_seen(uid);
        }
        let news = self.pods.learn(pod);
        if let (true, Some((job, _))) = (news, owner) {
            self.ask(job);
        }
        news
    }

    /// A Pod is gone.
    pub fn pod_gone(&self, pod: &Pod) {
        if !self.pods.forget(&pod.name_any(), pod.metadata.uid.as_deref()) {
            return;
        }
        if let Some(uid) = &pod.metadata.uid {
            self.events.pod_gone(uid);
        }
        if let Some((job, _)) = owner(pod) {
            self.ask(job);
        }
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

fn is_install(job: &ContentJob) -> bool {
    job.labels().contains_key(LABEL_ENVIRONMENT)
}

/// Whether those who wait for an installation are to hear of this change: it has ended, or something new is wrong with
/// it. Its mere progress they read when they look the next time.
fn is_told(before: Option<&ContentJob>, after: &ContentJob) -> bool {
    let said = |job: Option<&ContentJob>| job.and_then(|job| succeeded(job.status.as_ref()?));
    let (before, after) = (said(before), said(Some(after)));
    let is_news = |(status, reason): &(String, String)| {
        status != "Unknown" || Reason::from_name(reason).is_some()
    };
    before != after && after.as_ref().is_some_and(is_news)
}

/// Status and reason of the condition `Succeeded`.
fn succeeded(status: &ContentJobStatus) -> Option<(String, String)> {
    let condition = status.conditions.iter().find(|condition| condition.type_ == SUCCEEDED)?;
    Some((condition.status.clone(), condition.reason.clone()))
}
