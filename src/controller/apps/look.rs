//! One look at an application: gather, decide (`status::next_app`), write it down, tell the hub. May be cut off anywhere
//! and made again.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::gather::{self, Gathered};
use super::pod::Said;
use super::source;
use crate::api::app_resource::ContentApp;
use crate::api::app_status::ContentAppStatus;
use crate::apps::{AppId, AppSpec, Bounds, Deployment, Failure, bounds_of};
use crate::controller::call_error::CallError;
use crate::controller::context::Context;
use crate::controller::install;
use crate::controller::look_error::LookError;
use crate::controller::schedule::{Key, Outcome};
use crate::controller::seen::SeenApp;
use crate::reason::Reason;
use crate::status::{self, AppNext, AppPlanned, AppReady, Problem};
use crate::visitors::rule_of;

/// How soon something that is missing is looked for again where nothing tells that it has come.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// How often the mere number of sessions changes the status.
const COARSE: SignedDuration = SignedDuration::from_secs(10);

/// Looks at an application; what goes wrong is told here and nowhere else.
pub async fn look(context: &Context, key: &Key, name: &str) -> Outcome {
    let looked = Box::pin(reconcile(context, key, name)).await;
    let apps = &context.apps;
    if let Err(error) = &looked
        && let Some(seen) = context.view.apps.apps.get(name)
    {
        // Its processes go on, and the hub is not held up by one that can not be looked at.
        tell_anyhow(context, &seen.app);
        if !error.is_stale() {
            context.metrics.failed(error.label());
            tracing::warn!(app = name, "Application not looked at, trying again: {error}");
        }
    }
    apps.told(name);
    looked.unwrap_or(Outcome::Failed)
}

async fn reconcile(context: &Context, key: &Key, name: &str) -> Result<Outcome, LookError> {
    if !context.tenure.holds() {
        return Err(LookError::NotLeading);
    }
    let apps = &context.apps;
    let Some(seen) = context.view.apps.apps.get(name) else {
        return gone(context, key, name).await;
    };
    if seen.app.metadata.deletion_timestamp.is_some() {
        return gone(context, key, name).await;
    }
    let uid = seen.app.metadata.uid.clone().unwrap_or_default();
    if let Some(other) = context.held.put(key, &uid) {
        context.disk.with(move |volume| volume.release(&other)).await?;
    }
    let gathered = gather::gather(context, apps, &seen).await?;
    context.view.index.waits(key, gathered.waits.clone());
    let now = context.now();
    let mut next = status::next_app(&seen.app, &gathered.world, now);
    tell(context, &seen.app, &gathered, &mut next);
    if let Some(recipe) = &gathered.recipe {
        // Before the status says that this generation was looked at: an installation that failed before it says nothing,
        // and has to go also where this look is cut off.
        let since = gather::needed_since(&seen.app, now);
        install::make(context, name, since, &recipe.work, &next.install).await?;
    }
    let later = write(context, &seen, &next, now).await?;
    if let Some(wanted) = &gathered.source {
        source::make(context, wanted).await?;
    }
    let waits = next.held.is_some() && !seen.app.spec.suspended;
    Ok(match (later, waits) {
        (Some(later), _) => Outcome::Again(later),
        (None, true) => Outcome::Again(LOOK_AGAIN),
        (None, false) => Outcome::Settled,
    })
}

/// An application that is gone, or is to go: its Pods are ended by the hub, and by Kubernetes as they belong to it.
async fn gone(context: &Context, key: &Key, name: &str) -> Result<Outcome, LookError> {
    context.apps.gone(name);
    if let Some(uid) = context.held.take(key) {
        context.disk.with(move |volume| volume.release(&uid)).await?;
    }
    Ok(Outcome::Settled)
}

/// Tells the hub what is to be of an application. What is wrong with a new deployment does not end the one before it.
fn tell(context: &Context, app: &ContentApp, gathered: &Gathered, next: &mut AppNext) {
    let (name, uid) = (app.name_any(), app.metadata.uid.clone().unwrap_or_default());
    let bounds = match asked(context, app) {
        Ok(bounds) => bounds,
        Err(message) => {
            let problem = Problem {
                reason: Reason::InvalidInput,
                message,
            };
            refuse(context, app, gathered, next, problem);
            return;
        }
    };
    if !matches!(gathered.world.planned, AppPlanned::Ready(AppReady { .. })) && next.held.is_none() {
        // Files need no process, and the hub need not know of them.
        context.apps.gone(&name);
        return;
    }
    let (deployment, held) = wanted(context, app, &uid, gathered, next);
    if let Some(recipe) = gathered
        .recipe
        .as_ref()
        .filter(|recipe| recipe.deployment == deployment)
    {
        context.apps.set_recipe(&uid, recipe.clone());
    }
    let spec = AppSpec {
        deployment,
        bounds,
        held,
        has_pools: false,
    };
    context.apps.set(&name, &uid, spec);
}

/// How many processes there may be. What can not be granted, of that or of who may see it, is one sentence.
fn asked(context: &Context, app: &ContentApp) -> Result<Bounds, String> {
    let access = rule_of(app.spec.access.as_ref(), context.settings.access_limits());
    access.map_err(|refused| refused.to_string())?;
    bounds_of(&app.spec, &context.settings.scheduler.apps).map_err(|error| error.to_string())
}

/// What new processes are made from, and why there may be none.
fn wanted(
    context: &Context,
    app: &ContentApp,
    uid: &str,
    gathered: &Gathered,
    next: &AppNext,
) -> (Deployment, Option<Failure>) {
    let Some(problem) = &next.held else {
        let recipe = gathered.recipe.as_ref();
        return (
            recipe.map_or_else(|| present(context, uid), |recipe| recipe.deployment.clone()),
            None,
        );
    };
    let before = context.apps.spec(&app.name_any(), uid);
    let id = AppId::from(uid);
    let can_start = |spec: &AppSpec| context.apps.recipe(&id, &spec.deployment).is_some();
    let was_served = !context.view.apps.pods_of(uid).is_empty()
        || before
            .as_ref()
            .is_some_and(|spec| spec.held.is_none() && can_start(spec));
    let deployment = before.map_or_else(|| present(context, uid), |before| before.deployment);
    let held = (app.spec.suspended || !was_served).then(|| for_visitors(problem));
    (deployment, held)
}

/// What it asks for can not be granted.
fn refuse(context: &Context, app: &ContentApp, gathered: &Gathered, next: &mut AppNext, problem: Problem) {
    let mut world = gathered.world.clone();
    world.planned = AppPlanned::Refused(problem);
    *next = status::next_app(app, &world, context.now());
}

/// The hub has to know of an application that could not be looked at.
pub(super) fn tell_anyhow(context: &Context, app: &ContentApp) {
    let (name, uid) = (app.name_any(), app.metadata.uid.clone().unwrap_or_default());
    if context.apps.spec(&name, &uid).is_some() {
        return;
    }
    if let Ok(bounds) = bounds_of(&app.spec, &context.settings.scheduler.apps) {
        let deployment = present(context, &uid);
        let spec = AppSpec {
            deployment,
            bounds,
            held: None,
            has_pools: false,
        };
        context.apps.set(&name, &uid, spec);
    }
}

/// What the newest Pod of an application was made from.
fn present(context: &Context, uid: &str) -> Deployment {
    let pods = context.view.apps.pods_of(uid);
    let pods = pods.iter().filter_map(|name| context.view.pods.get(name));
    let newest = pods.max_by_key(|pod| pod.metadata.creation_timestamp.as_ref().map(|time| time.0));
    newest
        .and_then(|pod| Said::of(&pod))
        .map_or_else(|| Deployment::from(""), |said| said.deployment)
}

/// What visitors are told: names and paths of the installation are none of their business.
fn for_visitors(problem: &Problem) -> Failure {
    let message = match problem.reason {
        Reason::Suspended => "the application is suspended by its publisher",
        Reason::Installing => {
            "the packages of the application are being installed; come back in some minutes"
        }
        Reason::AwaitingUpload => "the application has not been deployed yet",
        _ => "the application can not be served as it is; its publisher finds the reason in its status",
    };
    Failure {
        reason: problem.reason.name().to_owned(),
        message: message.to_owned(),
        process: None,
        exit_code: None,
    }
}

/// Writes the status where it has changed. Gives when to look again, where it is too early to write.
async fn write(
    context: &Context,
    seen: &Arc<SeenApp>,
    next: &AppNext,
    now: Timestamp,
) -> Result<Option<Duration>, LookError> {
    let app = &seen.app;
    if app.status.as_ref() == Some(&next.status) {
        return Ok(None);
    }
    let name = app.name_any();
    if let Some(later) = too_early(context, app, &next.status, now) {
        return Ok(Some(later));
    }
    if !context.tenure.holds() {
        return Err(LookError::NotLeading);
    }
    let call = context.calls.write_app_status(app, &next.status);
    let written = context.metrics.step("status", call).await;
    let written = written.inspect_err(|error| {
        // Where the watch has missed its end, it would be looked at for ever.
        if matches!(error, CallError::Gone { .. }) {
            context.view.app_gone(&name, app.metadata.uid.as_deref());
        }
    })?;
    context.apps.written(&name, now);
    for event in &next.events {
        tracing::info!(
            app = name,
            reason = event.reason,
            note = event.note,
            "Application changed"
        );
        context.events.publish_on(app, event.clone());
    }
    context.view.app_written(written);
    Ok(None)
}

/// Sessions come and go: that alone is written now and then.
fn too_early(
    context: &Context,
    app: &ContentApp,
    status: &ContentAppStatus,
    now: Timestamp,
) -> Option<Duration> {
    let before = app.status.as_ref()?;
    let same = ContentAppStatus {
        sessions: before.sessions,
        last_use_time: before.last_use_time.clone(),
        ..status.clone()
    };
    if same != *before {
        return None;
    }
    let until = context
        .apps
        .last_written(&app.name_any())?
        .checked_add(COARSE)
        .ok()?;
    Duration::try_from(until.duration_since(now))
        .ok()
        .filter(|left| !left.is_zero())
}
