//! Finds the controller that leads: its address stands in the Lease.

use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::coordination::v1::Lease;
use kube::runtime::watcher::{self, Config};
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::names::{ANNOTATION_HUB, LEASE};

/// How long one connection of the watch lasts, in seconds.
const LASTS: u32 = 60;
/// Pause after an error.
const PAUSE: Duration = Duration::from_secs(1);

/// Tells the address of the leader, now and whenever it changes, until nobody listens.
pub(super) fn follow(client: Client, namespace: &str) -> watch::Receiver<Option<SocketAddr>> {
    let (sender, receiver) = watch::channel(None);
    let api: Api<Lease> = Api::namespaced(client, namespace);
    tokio::spawn(run(api, sender));
    receiver
}

async fn run(api: Api<Lease>, sender: watch::Sender<Option<SocketAddr>>) {
    let config = Config::default()
        .fields(&format!("metadata.name={LEASE}"))
        .timeout(LASTS);
    let mut events = watcher::watcher(api, config).boxed();
    let mut said = String::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::Apply(lease) | watcher::Event::InitApply(lease)) => {
                said.clear();
                tell(&sender, address(&lease));
            }
            Ok(watcher::Event::Delete(_)) => tell(&sender, None),
            Ok(watcher::Event::Init | watcher::Event::InitDone) => {}
            Err(error) => {
                let sentence = error.to_string();
                if said != sentence {
                    tracing::warn!("The controllers' Lease can not be followed, trying again: {sentence}");
                    said = sentence;
                }
                sleep(PAUSE).await;
            }
        }
        if sender.is_closed() {
            return;
        }
    }
}

fn tell(sender: &watch::Sender<Option<SocketAddr>>, found: Option<SocketAddr>) {
    sender.send_if_modified(|known| {
        // A Lease that was given back names nobody; whoever led may still answer until another one does.
        let is_news = found.is_some() && *known != found;
        if is_news {
            tracing::info!(?found, "The controller that leads is found");
            *known = found;
        }
        is_news
    });
}

fn address(lease: &Lease) -> Option<SocketAddr> {
    lease.annotations().get(ANNOTATION_HUB)?.parse().ok()
}
