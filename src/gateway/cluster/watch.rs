//! Follows the applications of the namespace: each becomes a route.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use kube::runtime::watcher::{self, Config};
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;
use tokio::time::sleep;

use super::routes::Maker;
use crate::apps::AppId;
use crate::controller::seen::SeenApp;
use crate::gateway::{Refused, Routes};

/// How long one connection of the watch lasts, in seconds. A connection that died without a word is found out after it.
const LASTS: u32 = 60;
/// Pause after an error.
const PAUSE: Duration = Duration::from_secs(1);

/// What is known of one application.
#[derive(Debug)]
struct Known {
    id: AppId,
    listing: u64,
}

/// Follows applications.
#[derive(Debug)]
pub(super) struct Follower {
    maker: Maker,
    routes: Arc<Routes>,
    /// By name.
    known: HashMap<String, Known>,
    /// Counts the lists.
    listing: u64,
    /// Routes whose address another application has, by name: tried again when one goes.
    displaced: HashMap<String, Arc<SeenApp>>,
    synced: watch::Sender<bool>,
}

impl Follower {
    pub(super) fn new(maker: Maker, routes: Arc<Routes>) -> (Self, watch::Receiver<bool>) {
        let (synced, told) = watch::channel(false);
        let follower = Self {
            maker,
            routes,
            known: HashMap::new(),
            listing: 0,
            displaced: HashMap::new(),
            synced,
        };
        (follower, told)
    }

    /// Follows until it is dropped.
    pub(super) async fn run(mut self, client: Client, namespace: String) {
        let api: Api<SeenApp> = Api::namespaced(client, &namespace);
        let mut said = String::new();
        let mut events = watcher::watcher(api, Config::default().timeout(LASTS)).boxed();
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    said.clear();
                    self.take(event).await;
                }
                Err(error) => {
                    let sentence = error.to_string();
                    if said != sentence {
                        tracing::warn!("Applications can not be followed, trying again: {sentence}");
                        said = sentence;
                    }
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn take(&mut self, event: watcher::Event<SeenApp>) {
        match event {
            watcher::Event::Init => self.listing += 1,
            watcher::Event::InitApply(app) | watcher::Event::Apply(app) => self.set(Arc::new(app)).await,
            watcher::Event::InitDone => {
                let listing = self.listing;
                let gone = self.known.iter().filter(|(_, known)| known.listing != listing);
                let gone: Vec<String> = gone.map(|(name, _)| name.clone()).collect();
                for name in gone {
                    self.remove(&name).await;
                }
                self.synced.send_replace(true);
            }
            watcher::Event::Delete(app) => self.remove(&app.name_any()).await,
        }
    }

    async fn set(&mut self, seen: Arc<SeenApp>) {
        let name = seen.name_any();
        let id = AppId::from(seen.app.metadata.uid.as_deref().unwrap_or_default());
        let known = Known {
            id: id.clone(),
            listing: self.listing,
        };
        if let Some(before) = self.known.insert(name.clone(), known)
            && before.id != id
        {
            self.routes.remove(&before.id);
        }
        match self.put(seen.clone()).await {
            Ok(()) => {
                self.displaced.remove(&name);
            }
            Err(refused) => {
                if self.displaced.insert(name, seen).is_none() {
                    tracing::warn!("Route refused: {refused}");
                }
            }
        }
    }

    async fn put(&self, seen: Arc<SeenApp>) -> Result<(), Refused> {
        let maker = self.maker.clone();
        let made = tokio::task::spawn_blocking(move || maker.route(&seen.app)).await;
        match made {
            Ok(route) => self.routes.set(route),
            Err(error) => {
                tracing::error!(%error, "a route could not be made");
                Ok(())
            }
        }
    }

    async fn remove(&mut self, name: &str) {
        self.displaced.remove(name);
        if let Some(known) = self.known.remove(name) {
            self.routes.remove(&known.id);
        }
        for (name, seen) in std::mem::take(&mut self.displaced) {
            if self.put(seen.clone()).await.is_err() {
                self.displaced.insert(name, seen);
            }
        }
    }
}
