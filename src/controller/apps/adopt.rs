//! A new leader takes over the processes that run (OH2).

use std::collections::BTreeSet;

use kube::ResourceExt;

use super::PodFleet;
use super::look::tell_anyhow;
use super::pod::Said;
use super::process::Process;
use crate::controller::context::Context;
use crate::controller::volume::{Attempt, OpenJob};
use crate::data::ContentId;
use crate::hub::FleetEvent;

/// What the processes of applications hold on the volume, and the applications themselves.
#[must_use]
pub fn open_processes(context: &Context) -> Vec<OpenJob> {
    let mut open = Vec::new();
    for seen in context.view.apps.apps.all() {
        let status = seen.app.status.as_ref();
        let pinned = status.and_then(|status| {
            let content = ContentId::parse(status.content.as_deref()?).ok()?;
            Some((content, status.bundle.as_deref()?.parse().ok()?))
        });
        open.extend(seen.app.metadata.uid.clone().map(|uid| OpenJob {
            uid,
            attempt: None,
            pinned,
            awaits: None,
        }));
    }
    for name in context.view.apps.all_pods() {
        let pod = context.view.pods.get(&name);
        let Some(said) = pod.and_then(|pod| Said::of(&pod)) else {
            continue;
        };
        let key = said.process.as_str();
        let (content, bundle) = &said.bundle;
        open.push(OpenJob {
            uid: key.to_owned(),
            attempt: Attempt::new(key, content, key).ok(),
            pinned: ContentId::parse(content).ok().map(|content| (content, *bundle)),
            awaits: None,
        });
    }
    open
}

/// Tells the hub of every process that runs, and of every application that it has to know before it begins.
pub fn adopt(context: &Context, fleet: &PodFleet) {
    // First, as what is said of a process of an unknown application is lost.
    for seen in context.view.apps.apps.all() {
        if seen.app.metadata.deletion_timestamp.is_none() {
            tell_anyhow(context, &seen.app);
        }
    }
    for name in context.view.apps.all_pods() {
        let Some(pod) = context.view.pods.get(&name) else {
            continue;
        };
        let taken = Said::of(&pod).and_then(|said| Some((Process::adopted(&pod, &said)?, said)));
        let Some((process, said)) = taken else {
            tracing::warn!(
                pod = name,
                "Pod of an application left alone: its labels were changed by somebody else"
            );
            continue;
        };
        if pod.metadata.deletion_timestamp.is_none() {
            context.apps.hub().tell(FleetEvent::Adopted {
                app: process.app.clone(),
                process: said.process,
                deployment: said.deployment,
                address: None,
            });
        }
        fleet.take_over(process);
    }
    let apps = context.view.apps.apps.all();
    let names: BTreeSet<String> = apps.iter().map(|seen| seen.name_any()).collect();
    context.apps.await_all(names);
}
