//! The watches: what the API server tells goes into the view. A cut connection, an expired version and an API server
//! that is gone for a while heal by themselves.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::runtime::watcher::{self, Config};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::seen::{SeenApp, SeenJob};
use super::view::View;
use crate::telemetry::metrics::{ByResource, Metrics};

/// How long one connection of a watch lasts, in seconds. A connection that died without a word is found out after it.
const LASTS: u32 = 60;
/// Pauses after errors: doubled from the first to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// An error that comes so long after the one before it is the first of others.
const CALM: Duration = Duration::from_secs(30);
/// Pods that belong to jobs and applications.
pub const OUR_PODS: &str = "app.kubernetes.io/managed-by=offhost,app.kubernetes.io/name=offhost-content";
/// What goes wrong with Pods.
const WARNINGS: &str = "involvedObject.kind=Pod,type!=Normal";

/// What every watch needs.
#[derive(Clone)]
pub struct Watches {
    /// Client of the API server.
    pub client: Client,
    /// The namespace.
    pub namespace: String,
    /// Where everything goes.
    pub view: Arc<View>,
    /// Counts errors.
    pub metrics: Arc<Metrics>,
    /// Ends the watches.
    pub stop: CancellationToken,
}

impl Debug for Watches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watches")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

/// A kind of object, and what its watch does with the view.
trait Watched: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static {
    const RESOURCE: &'static str;

    fn begin_list(_view: &View) {}
    fn end_list(_view: &View) {}
    fn seen(self, view: &View);
    fn gone(self, view: &View);
}

impl Watched for SeenJob {
    const RESOURCE: &'static str = "contentjobs";

    fn begin_list(view: &View) {
        view.jobs.begin_list();
    }

    fn end_list(view: &View) {
        view.jobs_listed();
    }

    fn seen(self, view: &View) {
        view.job_seen(self);
    }

    fn gone(self, view: &View) {
        view.jobs.end(self.meta().uid.as_deref());
        view.job_gone(&self.name_any(), self.meta().uid.as_deref());
    }
}

impl Watched for SeenApp {
    const RESOURCE: &'static str = "contentapps";

    fn begin_list(view: &View) {
        view.apps.apps.begin_list();
    }

    fn end_list(view: &View) {
        view.apps_listed();
    }

    fn seen(self, view: &View) {
        view.app_seen(self);
    }

    fn gone(self, view: &View) {
        view.apps.apps.end(self.meta().uid.as_deref());
        view.app_gone(&self.name_any(), self.meta().uid.as_deref());
    }
}

impl Watched for Pod {
    const RESOURCE: &'static str = "pods";

    fn begin_list(view: &View) {
        view.pods.begin_list();
    }

    fn end_list(view: &View) {
        view.pods_listed();
    }

    fn seen(self, view: &View) {
        view.pod_seen(self);
    }

    fn gone(self, view: &View) {
        view.pods.end(self.metadata.uid.as_deref());
        view.pod_gone(&self);
    }
}

impl Watched for Event {
    const RESOURCE: &'static str = "events";

    fn seen(self, view: &View) {
        view.event_seen(self);
    }

    // An event goes when it is old; what it said was not taken back.
    fn gone(self, _view: &View) {}
}

/// Watches everything until told to stop.
pub async fn watch(watches: Watches) {
    let config = Config::default().timeout(LASTS);
    tokio::join!(
        one::<SeenJob>(&watches, config.clone()),
        one::<SeenApp>(&watches, config.clone()),
        one::<Pod>(&watches, config.clone().labels(OUR_PODS)),
        one::<Event>(&watches, config.fields(WARNINGS)),
    );
}

async fn one<K: Watched + Resource<Scope = k8s_openapi::NamespaceResourceScope>>(
    watches: &Watches,
    config: Config,
) {
    let api: Api<K> = Api::namespaced(watches.client.clone(), &watches.namespace);
    let anew = || watcher::watcher(api.clone(), config.clone()).boxed();
    let mut events = anew();
    let mut trouble = Trouble::default();
    loop {
        let event = tokio::select! {
            () = watches.stop.cancelled() => return,
            event = events.next() => event,
        };
        match event {
            Some(Ok(event)) => {
                // That a list is to begin says nothing yet of its success.
                if !matches!(event, watcher::Event::Init) {
                    trouble.over::<K>();
                }
                take(event, &watches.view);
            }
            Some(Err(error)) => {
                watches
                    .metrics
                    .watch_errors
                    .get_or_create(&ByResource {
                        resource: K::RESOURCE,
                    })
                    .inc();
                let pause = trouble.again::<K>(&error, &watches.view);
                if is_expired(&error) {
                    events = anew();
                }
                tokio::select! {
                    () = watches.stop.cancelled() => return,
                    () = sleep(pause) => {}
                }
            }
            None => return,
        }
    }
}

fn take<K: Watched>(event: watcher::Event<K>, view: &View) {
    match event {
        watcher::Event::Init => K::begin_list(view),
        watcher::Event::InitApply(object) | watcher::Event::Apply(object) => object.seen(view),
        watcher::Event::InitDone => {
            K::end_list(view);
            view.health.listed(K::RESOURCE);
        }
        watcher::Event::Delete(object) => object.gone(view),
    }
}

/// Errors of a watch in a row: told once, and again when they are over.
#[derive(Debug, Default)]
struct Trouble {
    said: Option<String>,
    pause: Duration,
    last: Option<Instant>,
}

impl Trouble {
    /// One more error; gives the pause before the next try.
    fn again<K: Watched>(&mut self, error: &watcher::Error, view: &View) -> Duration {
        // An expired version is nothing unusual, and listing everything anew is all there is to do.
        let expired = is_expired(error);
        let sentence = sentence::<K>(error);
        view.health.hindered(K::RESOURCE, &sentence);
        if !expired && self.said.as_ref() != Some(&sentence) {
            tracing::warn!(resource = K::RESOURCE, "Watch broken, trying again: {sentence}");
            self.said = Some(sentence);
        }
        let calm = self.last.is_none_or(|last| last.elapsed() > CALM);
        self.pause = if calm {
            PAUSES.0
        } else {
            self.pause.saturating_mul(2).min(PAUSES.1)
        };
        self.last = Some(Instant::now());
        self.pause
    }

    fn over<K: Watched>(&mut self) {
        self.last = None;
        if self.said.take().is_some() {
            tracing::info!(resource = K::RESOURCE, "Watch healed");
        }
    }
}

/// Whether the version that the watch was to go on from is too old.
fn is_expired(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::WatchError(status) => status.code == 410,
        watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status.code == 410,
        _ => false,
    }
}

/// The cause, with the permission that is missing where it is one.
fn sentence<K: Watched>(error: &watcher::Error) -> String {
    let (verb, said) = match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status)) => ("list", status.as_ref()),
        watcher::Error::WatchStartFailed(kube::Error::Api(status)) => ("watch", status.as_ref()),
        watcher::Error::WatchError(status) => ("watch", status.as_ref()),
        other => return other.to_string(),
    };
    let resource = K::RESOURCE;
    match said.code {
        403 => format!(
            "the controller may not {verb} {resource}: {}; give its role the verb {verb} on {resource}, as docs/rbac.md lists it",
            said.message
        ),
        404 => format!(
            "the API server does not know {resource}: {}; apply the custom resource definition of directory crds",
            said.message
        ),
        code => format!("{verb} {resource}: {} ({code})", said.message),
    }
}
