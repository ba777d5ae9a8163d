//! What the Pods of an application say.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::pod::Said;
use crate::api::app_resource::ContentApp;
use crate::controller::context::Context;
use crate::status::{self, Observation, PodContext, Problem, Stage};

/// One look at a Pod of an application.
#[must_use]
pub(super) fn observe(context: &Context, app: &str, pod: &Pod) -> Observation {
    let events = context
        .view
        .events
        .of(pod.metadata.uid.as_deref().unwrap_or_default());
    let about = PodContext {
        job: output_of(app, pod),
        runtime: None,
        timeout_seconds: None,
        node_lost_seconds: i64::from(context.settings.kubernetes.node_lost_seconds),
        now: context.now(),
    };
    status::observe(pod, &events, &about)
}

/// How `offhost logs` knows what a Pod has printed.
fn output_of(app: &str, pod: &Pod) -> String {
    Said::of(pod).map_or_else(
        || format!("capp/{app}"),
        |said| format!("{}/{}", said.bundle.0, said.process),
    )
}

/// Why a Pod of the application does not start.
#[must_use]
pub(super) fn starting_problem(context: &Context, app: &ContentApp) -> Option<Problem> {
    let uid = app.metadata.uid.as_deref()?;
    let name = app.name_any();
    let pods = context.view.apps.pods_of(uid);
    let mut pods = pods.iter().filter_map(|pod| context.view.pods.get(pod));
    pods.find_map(|pod| match observe(context, &name, &pod).stage {
        Stage::Unscheduled { problem, .. } | Stage::Starting { problem, .. } => problem,
        _ => None,
    })
}
