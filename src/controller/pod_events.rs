//! Warnings about Pods, which say what a Pod's own status does not: why it can not be mounted, scheduled, pulled.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::Event;
use kube::ResourceExt;

/// How many are kept of one Pod: the newest.
const OF_ONE_POD: usize = 8;
/// Of how many Pods that are not ours, or not known yet, the newest are kept.
const UNKNOWN_PODS: usize = 256;

/// The newest warnings by uid of the Pod.
#[derive(Debug, Default)]
pub struct PodEvents {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    events: HashMap<String, VecDeque<Event>>,
    /// Pods whose events came before themselves, oldest first.
    unknown: VecDeque<String>,
}

impl PodEvents {
    /// Takes an event over. `known` says whether its Pod is one of ours.
    pub fn learn(&self, event: Event, known: bool) {
        let Some(uid) = event.involved_object.uid.clone() else {
            return;
        };
        let mut inner = self.lock();
        let is_new = !inner.events.contains_key(&uid);
        let of_pod = inner.events.entry(uid.clone()).or_default();
        let name = event.name_any();
        // What is repeated comes as a new version of the same event.
        of_pod.retain(|other| other.name_any() != name);
        of_pod.push_back(event);
        if of_pod.len() > OF_ONE_POD {
            of_pod.pop_front();
        }
        if is_new && !known {
            inner.unknown.push_back(uid);
            if inner.unknown.len() > UNKNOWN_PODS
                && let Some(oldest) = inner.unknown.pop_front()
            {
                inner.events.remove(&oldest);
            }
        }
    }

    /// What is known about a Pod.
    #[must_use]
    pub fn of(&self, uid: &str) -> Vec<Event> {
        let inner = self.lock();
        let events = inner.events.get(uid);
        events
            .map(|events| events.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// A Pod is known to be one of ours: its events stay until it goes.
    pub fn pod_seen(&self, uid: &str) {
        self.lock().unknown.retain(|other| other != uid);
    }

    /// A Pod is gone.
    pub fn pod_gone(&self, uid: &str) {
        let mut inner = self.lock();
        inner.events.remove(uid);
        inner.unknown.retain(|other| other != uid);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Events are hints; a panic can lose one at most.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(uid: &str, name: &str, message: &str) -> Event {
        let mut event = Event::default();
        event.involved_object.uid = Some(uid.to_owned());
        event.metadata.name = Some(name.to_owned());
        event.message = Some(message.to_owned());
        event
    }

    #[test]
    fn the_newest_of_each_pod_are_kept() {
        let events = PodEvents::default();
        for number in 0..20 {
            events.learn(event("a", &format!("e{number}"), "once"), true);
        }
        events.learn(event("a", "e19", "twice"), true);
        let messages: Vec<_> = events
            .of("a")
            .into_iter()
            .filter_map(|event| event.message)
            .collect();
        assert_eq!(messages.len(), OF_ONE_POD);
        assert_eq!(messages.last().map(String::as_str), Some("twice"));
        events.pod_gone("a");
        assert!(events.of("a").is_empty());
    }

    #[test]
    fn foreign_pods_do_not_fill_the_memory() {
        let events = PodEvents::default();
        events.learn(event("ours", "e", "early"), false);
        events.pod_seen("ours");
        for number in 0..1000 {
            events.learn(event(&format!("foreign{number}"), "e", ""), false);
        }
        assert_eq!(events.lock().events.len(), UNKNOWN_PODS + 1);
        assert_eq!(events.of("ours").len(), 1);
    }
}
