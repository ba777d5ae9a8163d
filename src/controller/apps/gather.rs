//! First step: everything about an application that can be found out. Decides nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::pod::{Recipe, SERVE};
use super::{Apps, numbers, pods, source};
use crate::api::app_resource::ContentApp;
use crate::apps::AppPlace;
use crate::content::kinds::Nature;
use crate::controller::context::Context;
use crate::controller::gather::{Work, environments_seen, waits_for_runtime};
use crate::controller::index::Awaited;
use crate::controller::look_error::LookError;
use crate::controller::planning::Rules;
use crate::controller::seen::SeenApp;
use crate::controller::volume::{AppAsked, Bundle, BundleError, Volume};
use crate::names::LABEL_APP_UID;
use crate::plan::EnvironmentKey;
use crate::reason::Reason;
use crate::status::{AppPlanned, AppReady, AppWorld, BundleSeen, Planned, Problem};

/// Stands for the key of a process before there is one.
const NO_KEY: &str = "PROCESS";

/// What was found.
#[derive(Debug)]
pub(super) struct Gathered {
    /// For the decision.
    pub(super) world: AppWorld,
    /// What processes are made from, where they can be.
    pub(super) recipe: Option<Recipe>,
    /// The job that is to bring the deployment, where the application brings one.
    pub(super) source: Option<source::Wanted>,
    /// What changes it.
    pub(super) waits: BTreeSet<Awaited>,
}

/// What the volume and the plan gave.
struct Read {
    bundle: Option<Bundle>,
    planned: Found,
}

enum Found {
    /// It can not be served, or not yet.
    Not(Planned),
    /// It is files.
    Files,
    /// It has processes.
    Processes(Box<Work>, Vec<EnvironmentKey>),
}

/// Gathers what there is to know about an application.
///
/// # Errors
/// [`LookError`].
pub(super) async fn gather(
    context: &Context,
    apps: &Apps,
    seen: &Arc<SeenApp>,
) -> Result<Gathered, LookError> {
    let app = &seen.app;
    let source = source::of(context, app);
    let read = match (&seen.fault, &source.problem) {
        (Some(fault), _) => Read {
            bundle: None,
            planned: Found::Not(Planned::Refused(unreadable(fault))),
        },
        (None, Some(problem)) => Read {
            bundle: None,
            planned: Found::Not(Planned::Waiting(problem.clone())),
        },
        (None, None) => read_volume(context, seen, source.bundle.clone()).await?,
    };
    let bundle = read.bundle.as_ref();
    let seen_bundle = bundle.map(|bundle| BundleSeen {
        content: bundle.content.to_string(),
        bundle: bundle.bundle.to_string(),
    });
    let app_mode = bundle.map(|bundle| bundle.facts.app_mode.name().to_owned());
    let (planned, recipe, mut waits) = plan_of(context, app, read.planned);
    waits.extend(source.waits);
    let place = AppPlace::of(
        &app.name_any(),
        &app.spec,
        context.settings.gateway.app_domain.as_deref(),
    );
    let uid = app.metadata.uid.as_deref().unwrap_or_default();
    Ok(Gathered {
        world: AppWorld {
            bundle: seen_bundle,
            app_mode,
            planned,
            numbers: numbers::of(apps, app),
            starting: pods::starting_problem(context, app),
            url: Some(place.url(context.settings.gateway.address.as_deref())),
            selector: Some(format!("{LABEL_APP_UID}={uid}")),
        },
        recipe,
        source: source.wanted,
        waits,
    })
}

fn unreadable(fault: &str) -> Problem {
    Problem {
        reason: Reason::InvalidInput,
        message: format!(
            "this version of offhost can not read the application: {fault}; write it for this version"
        ),
    }
}

/// The verdict, what processes are made from, and what is waited for.
fn plan_of(
    context: &Context,
    app: &ContentApp,
    found: Found,
) -> (AppPlanned, Option<Recipe>, BTreeSet<Awaited>) {
    match found {
        Found::Files => (AppPlanned::Files, None, BTreeSet::new()),
        Found::Not(planned) => {
            let waits = waits_for_runtime(&planned).into_iter().collect();
            let planned = match planned {
                Planned::Refused(problem) => AppPlanned::Refused(problem),
                Planned::Waiting(problem) => AppPlanned::Waiting(problem),
                Planned::Ready(_) => AppPlanned::Files,
            };
            (planned, None, waits)
        }
        Found::Processes(work, keys) => {
            let since = needed_since(app, context.now());
            let (environments, waits) = environments_seen(context, &work.plan, &keys, since);
            let image = work.plan.runtime.runtime.clone();
            let ready = AppReady {
                runtime: image.clone(),
                image,
                environments,
            };
            let recipe = Recipe::new(app, *work, &context.site);
            (AppPlanned::Ready(ready), Some(recipe), waits)
        }
    }
}

/// An installation that failed before this says nothing: it is since then that the application is as it is.
pub(super) fn needed_since(app: &ContentApp, now: Timestamp) -> Option<Timestamp> {
    let conditions = app.status.iter().flat_map(|status| &status.conditions);
    let of_old = |time: &Time| time.0;
    let made = app.metadata.creation_timestamp.as_ref().map(of_old);
    let changed = conditions
        .filter(|condition| condition.observed_generation != app.metadata.generation)
        .map(|_| now)
        .max();
    changed.or(made)
}

async fn read_volume(
    context: &Context,
    seen: &Arc<SeenApp>,
    deployed: Option<(String, String)>,
) -> Result<Read, LookError> {
    let rules = Rules {
        settings: context.settings.clone(),
        in_force: context.runtimes.in_force(),
    };
    let (seen, now) = (seen.clone(), context.now());
    let read = context
        .disk
        .with(move |volume| read(volume, &seen.app, deployed, rules, now));
    Ok(read.await?)
}

fn read(
    volume: &Volume,
    app: &ContentApp,
    deployed: Option<(String, String)>,
    rules: Rules,
    now: Timestamp,
) -> Read {
    let mut spec = super::spec::job_spec(app);
    if let Some((content, bundle)) = deployed {
        spec.content = Some(content);
        spec.bundle.id = Some(bundle);
    }
    let asked = AppAsked {
        uid: app.metadata.uid.as_deref().unwrap_or_default(),
        spec: &spec,
        now,
    };
    let bundle = match volume.app_bundle(&asked) {
        Ok(bundle) => bundle,
        Err(error) => {
            return Read {
                bundle: None,
                planned: Found::Not(not_there(&error)),
            };
        }
    };
    let planned = find(volume, app, &bundle, rules).unwrap_or_else(|planned| Found::Not(*planned));
    Read {
        bundle: Some(bundle),
        planned,
    }
}

fn not_there(error: &BundleError) -> Planned {
    error.planned()
}

fn find(volume: &Volume, app: &ContentApp, bundle: &Bundle, rules: Rules) -> Result<Found, Box<Planned>> {
    match bundle.facts.app_mode.kind().nature {
        Nature::Files => return Ok(Found::Files),
        Nature::Document => return document(volume, app, bundle),
        Nature::Application => {}
        Nature::Command => {
            return Err(Box::new(Planned::Refused(Problem {
                reason: Reason::InvalidInput,
                message: format!(
                    "content item '{}' is a script, which is run and not served; run it with a ContentJob",
                    bundle.content
                ),
            })));
        }
    }
    let task = super::spec::task(volume, app, bundle, NO_KEY);
    let plan = rules.plan(&task)?;
    let keys = rules.environments(&task)?;
    volume
        .serves(&plan)
        .map_err(|error| Planned::Refused(error.problem()))?;
    if plan
        .processes
        .iter()
        .all(|process| process.purpose.process_name() != SERVE)
    {
        return Err(Box::new(Planned::Refused(Problem {
            reason: Reason::InvalidInput,
            message: format!(
                "content item '{}' has nothing that could be served",
                bundle.content
            ),
        })));
    }
    let work = Work {
        bundle: bundle.clone(),
        rules,
        plan,
    };
    Ok(Found::Processes(Box::new(work), keys))
}

/// A document is served once it was rendered.
fn document(volume: &Volume, app: &ContentApp, bundle: &Bundle) -> Result<Found, Box<Planned>> {
    let variant = app.spec.variant.as_deref();
    match volume.has_active_result(&bundle.content, variant) {
        Ok(true) => Ok(Found::Files),
        Ok(false) => Err(Box::new(Planned::Waiting(Problem {
            reason: Reason::NothingToServe,
            message: format!(
                "variant '{}' of content item '{}' has no result yet; render it with a ContentJob",
                variant.unwrap_or("default"),
                bundle.content
            ),
        }))),
        Err(error) => Err(Box::new(Planned::Waiting(error.problem()))),
    }
}
