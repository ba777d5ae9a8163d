//! Jobs that install one environment for all that wait for it. Their names follow from the environment, so that two jobs
//! with the same packages ask for one installation.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::core::ObjectMeta;
use sha2::{Digest, Sha256};

use super::call_error::CallError;
use super::context::Context;
use super::gather::Work;
use super::look_error::LookError;
use super::view::View;
use crate::api::job::{BundleRef, ContentJobSpec, InstallLanguage, RuntimeRequest, TaskKind};
use crate::api::resource::ContentJob;
use crate::api::status::SUCCEEDED;
use crate::names::{API_VERSION, KIND_CONTENT_JOB, LABEL_CONTENT, LABEL_ENVIRONMENT};
use crate::plan::{EnvironmentKey, Task};
use crate::pod::label_value;
use crate::reason::Reason;
use crate::runtimes::LanguageName;
use crate::status::{EnvironmentSeen, EnvironmentState, Problem, is_finished};

/// Name of the job that installs an environment.
#[must_use]
pub fn name(path: &str) -> String {
    format!("install-{}", digest(path))
}

fn digest(path: &str) -> String {
    let digest = Sha256::digest(path);
    digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a job installs an environment itself. Other jobs whose task is an installation leave it to such a job.
#[must_use]
pub fn is_install(job: &ContentJob) -> bool {
    let labels = job.labels();
    labels
        .get(LABEL_ENVIRONMENT)
        .is_some_and(|digest| job.name_any() == format!("install-{digest}"))
        && job.spec.task == Some(TaskKind::Install)
}

/// Whether a job installs this environment itself.
#[must_use]
pub fn makes(job: &ContentJob, key: &EnvironmentKey) -> bool {
    is_install(job) && job.name_any() == name(&key.path)
}

/// An attempt that was begun is gone through with, also where its environment has come from elsewhere meanwhile.
pub fn go_on(job: &ContentJob, task: &mut Task) {
    task.installed.retain(|key| !makes(job, key));
}

/// Why a job does not install what its content needs now.
#[must_use]
pub fn changed(path: &str) -> Problem {
    Problem {
        reason: Reason::InvalidInput,
        message: format!(
            "the content needs another environment than this job was made for, '{path}': its image or its settings have changed meanwhile; who needs that one makes a job for it"
        ),
    }
}

/// How far the installation of a missing environment is, for who waits for it since that moment.
#[must_use]
pub fn state(view: &View, since: Option<Timestamp>, key: &EnvironmentKey) -> EnvironmentState {
    let Some(seen) = view.jobs.get(&name(&key.path)) else {
        return EnvironmentState::Missing;
    };
    if seen.job.metadata.deletion_timestamp.is_some() {
        return EnvironmentState::Installing("the job is being deleted, and then made anew".to_owned());
    }
    if is_stale(&seen.job, since) {
        return EnvironmentState::Missing;
    }
    let conditions = seen.job.status.iter().flat_map(|status| &status.conditions);
    let condition = conditions
        .into_iter()
        .find(|condition| condition.type_ == SUCCEEDED);
    match condition {
        Some(condition) if condition.status == "False" => EnvironmentState::Failed(condition.message.clone()),
        Some(condition) => EnvironmentState::Installing(condition.message.clone()),
        None => EnvironmentState::Installing("it was not looked at yet".to_owned()),
    }
}

/// Whether a finished installation says nothing about an environment that is missing now: it failed before that moment, at
/// which the job that waits was made, or it succeeded and what it made was removed.
fn is_stale(install: &ContentJob, since: Option<Timestamp>) -> bool {
    let Some(status) = &install.status else {
        return false;
    };
    if !is_finished(status) {
        return false;
    }
    let succeeded = status
        .conditions
        .iter()
        .any(|condition| condition.type_ == SUCCEEDED && condition.status == "True");
    let ended = status.completion_time.as_ref().map(|time| time.0);
    succeeded || ended.is_some_and(|ended| since.is_some_and(|since| ended < since))
}

/// Makes the jobs that install what is missing, and removes those that say nothing any more. `waiting` names who waits,
/// since that moment.
///
/// # Errors
/// [`LookError`].
pub async fn make(
    context: &Context,
    waiting: &str,
    since: Option<Timestamp>,
    work: &Work,
    missing: &[EnvironmentSeen],
) -> Result<(), LookError> {
    for environment in missing {
        let known = context.view.jobs.get(&environment.job_name);
        if let Some(stale) = known.filter(|known| is_stale(&known.job, since)) {
            let path = environment.path.clone();
            // It may have come to its end since the volume was read.
            if !context
                .disk
                .with(move |volume| volume.environment_ready(&path))
                .await?
            {
                // Made anew when it is gone, which the watch tells.
                gone(context.calls.delete_job(&stale.job, true).await)?;
            }
            continue;
        }
        let job = job(&context.site.namespace, work, environment);
        match context.calls.create_job(&job).await {
            Ok(_) => {
                tracing::info!(job = waiting, install = %environment.job_name, "Installation asked for")
            }
            Err(CallError::Exists { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// What has gone or changed by itself is looked at again when the watch tells of it.
fn gone(answer: Result<(), CallError>) -> Result<(), CallError> {
    match answer {
        Err(CallError::Gone { .. } | CallError::Stale { .. }) => Ok(()),
        answer => answer,
    }
}

/// A job that installs one environment of the content that another one works on: the same deployment, the same image,
/// the same interpreters, so that it comes to the same environment.
fn job(namespace: &str, work: &Work, environment: &EnvironmentSeen) -> ContentJob {
    let (spec, choice) = (&work.bundle.spec, &work.plan.runtime);
    let content = work.bundle.content.to_string();
    let version = |language| {
        let interpreter = choice.interpreters.get(&language);
        interpreter.map(|interpreter| interpreter.version.clone())
    };
    let language = match environment.language.as_str() {
        label if label == LanguageName::R.label() => InstallLanguage::R,
        label if label == LanguageName::Nodejs.label() => InstallLanguage::Node,
        _ => InstallLanguage::Python,
    };
    let labels = [
        ("app.kubernetes.io/managed-by", "offhost".to_owned()),
        ("app.kubernetes.io/part-of", "offhost".to_owned()),
        (LABEL_CONTENT, label_value(&content)),
        (LABEL_ENVIRONMENT, digest(&environment.path)),
    ];
    ContentJob {
        api_version: API_VERSION.to_owned(),
        kind: KIND_CONTENT_JOB.to_owned(),
        metadata: ObjectMeta {
            name: Some(environment.job_name.clone()),
            namespace: Some(namespace.to_owned()),
            labels: Some(BTreeMap::from(
                labels.map(|(name, value)| (name.to_owned(), value)),
            )),
            ..ObjectMeta::default()
        },
        spec: ContentJobSpec {
            content: Some(content),
            bundle: BundleRef {
                id: Some(work.bundle.bundle.to_string()),
                ..BundleRef::default()
            },
            task: Some(TaskKind::Install),
            language: Some(language),
            app_mode: spec.app_mode.clone(),
            entrypoint: spec.entrypoint.clone(),
            runtime: RuntimeRequest {
                name: Some(choice.runtime.clone()),
                r: version(LanguageName::R),
                python: version(LanguageName::Python),
                quarto: version(LanguageName::Quarto),
                nodejs: version(LanguageName::Nodejs),
            },
            ..ContentJobSpec::default()
        },
        status: None,
    }
}
