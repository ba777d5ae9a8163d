//! The applications and their Pods, as the watches have told.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use tokio::sync::watch;

use crate::controller::cache::Cache;
use crate::controller::schedule::Key;
use crate::controller::seen::SeenApp;
use crate::names::{KIND_CONTENT_APP, LABEL_PROCESS};

/// Begins the key of an application among those of jobs, whose names have no slash.
const PREFIX: &str = "app/";

/// The key of the application with this name.
#[must_use]
pub fn key_of(name: &str) -> Key {
    Key::from(format!("{PREFIX}{name}"))
}

/// The name of the application that a key stands for, if it stands for one.
#[must_use]
pub fn name_of(key: &Key) -> Option<&str> {
    key.strip_prefix(PREFIX)
}

/// What was seen.
#[derive(Debug, Default)]
pub struct AppView {
    /// The applications.
    pub apps: Cache<SeenApp>,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Names of the Pods of each application, by its uid.
    pods: HashMap<String, BTreeSet<String>>,
    /// Who waits for news of a Pod, by its name.
    followers: HashMap<String, watch::Sender<()>>,
}

impl AppView {
    /// The applications that serve this content item, by their names.
    #[must_use]
    pub fn of_content(&self, content: &str) -> Vec<Key> {
        let serves = |seen: &Arc<SeenApp>| {
            let named = seen.app.spec.content.as_deref();
            named.map_or_else(|| seen.name_any() == content, |named| named == content)
        };
        let apps = self.apps.all();
        apps.iter()
            .filter(|seen| serves(seen))
            .map(|seen| key_of(&seen.name_any()))
            .collect()
    }

    /// Names of the Pods of the application with this uid.
    #[must_use]
    pub fn pods_of(&self, uid: &str) -> Vec<String> {
        let inner = self.inner();
        let names = inner.pods.get(uid);
        names
            .map(|names| names.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// Names of all Pods of all applications.
    #[must_use]
    pub fn all_pods(&self) -> Vec<String> {
        self.inner().pods.values().flatten().cloned().collect()
    }

    /// There is news of a Pod of the application with this uid.
    pub fn pod_told(&self, uid: &str, pod: &str) {
        let mut inner = self.inner();
        inner
            .pods
            .entry(uid.to_owned())
            .or_default()
            .insert(pod.to_owned());
        inner.tell(pod);
    }

    /// A Pod is gone.
    pub fn pod_gone(&self, uid: &str, pod: &str) {
        let mut inner = self.inner();
        if let Some(names) = inner.pods.get_mut(uid) {
            names.remove(pod);
            if names.is_empty() {
                inner.pods.remove(uid);
            }
        }
        inner.tell(pod);
    }

    /// Tells whenever there is news of a Pod, from this call on.
    #[must_use]
    pub fn follow(&self, pod: &str) -> watch::Receiver<()> {
        let mut inner = self.inner();
        inner
            .followers
            .retain(|_, follower| follower.receiver_count() > 0);
        let follower = inner.followers.entry(pod.to_owned()).or_default();
        follower.subscribe()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Each change is one insertion or removal.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn tell(&self, pod: &str) {
        if let Some(follower) = self.followers.get(pod) {
            follower.send_replace(());
        }
    }
}

/// Name and uid of the application that a Pod belongs to.
#[must_use]
pub fn owner(pod: &Pod) -> Option<(String, String)> {
    let owner = pod
        .owner_references()
        .iter()
        .find(|owner| owner.kind == KIND_CONTENT_APP && owner.controller == Some(true))?;
    Some((owner.name.clone(), owner.uid.clone()))
}

/// The key of the process that a Pod is.
#[must_use]
pub fn process_of(pod: &Pod) -> Option<&str> {
    pod.labels().get(LABEL_PROCESS).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_an_application_is_no_jobs() {
        assert_eq!(name_of(&key_of("sales")), Some("sales"));
        assert_eq!(name_of(&Key::from("sales")), None);
    }

    #[test]
    fn a_follower_hears_of_its_pod_alone() {
        let view = AppView::default();
        let mut news = view.follow("a");
        view.pod_told("u", "b");
        assert!(!news.has_changed().unwrap());
        view.pod_told("u", "a");
        assert!(news.has_changed().unwrap());
        news.borrow_and_update();
        assert_eq!(view.pods_of("u"), ["a", "b"]);
        view.pod_gone("u", "a");
        assert!(news.has_changed().unwrap());
        assert_eq!(view.all_pods(), ["b"]);
    }
}
