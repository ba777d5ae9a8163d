//! The deployment that an application itself brings: a path of the directory for incoming bundles, or an archive. A job
//! deploys it, as anybody's would; the application waits for that.

use std::collections::BTreeSet;

use kube::ResourceExt;
use sha2::{Digest, Sha256};

use crate::api::app_resource::ContentApp;
use crate::api::job::{BundleRef, ContentJobSpec, TaskKind};
use crate::api::resource::ContentJob;
use crate::api::status::SUCCEEDED;
use crate::controller::app_job::job_of;
use crate::controller::call_error::CallError;
use crate::controller::context::Context;
use crate::controller::index::Awaited;
use crate::controller::look_error::LookError;
use crate::names::LABEL_APP_UID;
use crate::reason::Reason;
use crate::status::Problem;

/// Letters of the application's name in that of the job.
const NAME_LETTERS: usize = 40;

/// A job that is to be made.
pub(super) type Wanted = Box<ContentJob>;

/// How far the deployment is that an application brings.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// What it became: content item and number. None where the application brings nothing.
    pub(super) bundle: Option<(String, String)>,
    /// Why it is not there yet.
    pub(super) problem: Option<Problem>,
    /// The job that deploys it, where there is none.
    pub(super) wanted: Option<Wanted>,
    /// The job that is waited for.
    pub(super) waits: BTreeSet<Awaited>,
}

/// Looks how far it is.
pub(super) fn of(context: &Context, app: &ContentApp) -> Source {
    let bundle = &app.spec.bundle;
    if bundle.path.is_none() && bundle.archive.is_none() {
        return Source::default();
    }
    let name = name_of(app);
    let waits = BTreeSet::from([Awaited::Job(name.clone())]);
    let waiting = |reason, message| Source {
        problem: Some(Problem { reason, message }),
        waits: waits.clone(),
        ..Source::default()
    };
    let Some(seen) = context.view.jobs.get(&name) else {
        return Source {
            wanted: Some(Box::new(job(app, &name))),
            ..waiting(
                Reason::AwaitingUpload,
                format!("job '{name}' is made to deploy spec.bundle"),
            )
        };
    };
    let status = seen.job.status.as_ref();
    let found = status.and_then(|status| Some((status.content.clone()?, status.bundle.clone()?)));
    if let Some(bundle) = found {
        return Source {
            bundle: Some(bundle),
            ..Source::default()
        };
    }
    let conditions = status.into_iter().flat_map(|status| &status.conditions);
    let succeeded = conditions
        .into_iter()
        .find(|condition| condition.type_ == SUCCEEDED);
    let said = succeeded.map_or("it was not looked at yet", |condition| &condition.message);
    let reason = succeeded.and_then(|condition| Reason::from_name(&condition.reason));
    waiting(
        reason.unwrap_or(Reason::AwaitingUpload),
        format!("job '{name}' deploys spec.bundle: {said}"),
    )
}

/// Makes the job.
///
/// # Errors
/// [`LookError`].
pub(super) async fn make(context: &Context, wanted: &ContentJob) -> Result<(), LookError> {
    match context.calls.create_job(wanted).await {
        Ok(_) | Err(CallError::Exists { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Its name follows from what is brought, so that each is deployed once.
fn name_of(app: &ContentApp) -> String {
    let bundle = &app.spec.bundle;
    let uid = app.metadata.uid.as_deref().unwrap_or_default();
    let what = serde_json::json!([uid, bundle, app.spec.content]).to_string();
    let digest: String = Sha256::digest(what)[..6]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let name = app.name_any();
    let name = name.get(..NAME_LETTERS).unwrap_or(&name).trim_end_matches('-');
    format!("{name}-deploy-{digest}")
}

fn job(app: &ContentApp, name: &str) -> ContentJob {
    let content = app.spec.content.clone().unwrap_or_else(|| app.name_any());
    let spec = ContentJobSpec {
        content: Some(content.clone()),
        bundle: BundleRef {
            id: None,
            ..app.spec.bundle.clone()
        },
        task: Some(TaskKind::Deploy),
        app_mode: app.spec.app_mode.clone(),
        entrypoint: app.spec.entrypoint.clone(),
        // As long as the application names this bundle, the job says what it became.
        ttl_seconds_after_finished: Some(31_536_000),
        ..ContentJobSpec::default()
    };
    let mark = (LABEL_APP_UID, app.metadata.uid.clone().unwrap_or_default());
    job_of(app, name.to_owned(), &content, mark, spec)
}
