//! Whether this replica is ready: every watch has told it what there is.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// How far the watches are.
#[derive(Debug)]
pub struct Health {
    waiting: Mutex<BTreeMap<&'static str, String>>,
    ready: watch::Sender<bool>,
}

impl Health {
    /// Waits for these.
    #[must_use]
    pub fn of(resources: &[&'static str]) -> Self {
        let waiting = resources.iter().map(|resource| {
            let what = format!("{resource} are not listed yet");
            (*resource, what)
        });
        Self {
            waiting: Mutex::new(waiting.collect()),
            ready: watch::Sender::new(resources.is_empty()),
        }
    }

    /// Everything of this resource was listed.
    pub fn listed(&self, resource: &str) {
        let mut waiting = self.lock();
        waiting.remove(resource);
        if waiting.is_empty() {
            self.ready.send_replace(true);
        }
    }

    /// Why this resource is not listed yet.
    pub fn hindered(&self, resource: &str, why: &str) {
        if let Some(said) = self.lock().get_mut(resource) {
            *said = format!("{resource} can not be listed: {why}");
        }
    }

    /// What is waited for, in sentences; empty where this replica is ready.
    #[must_use]
    pub fn waits_for(&self) -> Vec<String> {
        self.lock().values().cloned().collect()
    }

    /// Waits until everything is listed.
    pub async fn ready(&self) {
        let mut ready = self.ready.subscribe();
        // The sender lives in `self`.
        drop(ready.wait_for(|ready| *ready).await);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn is_ready_when_everything_is_listed() {
        let health = Health::of(&["pods", "contentjobs"]);
        health.hindered("pods", "forbidden");
        health.listed("contentjobs");
        assert_eq!(health.waits_for(), ["pods can not be listed: forbidden"]);
        health.listed("pods");
        health.hindered("pods", "cut off");
        assert!(health.waits_for().is_empty());
        health.ready().await;
    }
}
