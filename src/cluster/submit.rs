//! A job of this machine's content on a cluster: made, its archive sent, waited for.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::client::Connection;
use super::error::ClusterError;
use super::jobs::{Jobs, Outcome, Seen};
use super::pack::Packed;
use super::wait::{Teller, until};
use super::{logs, upload, wait};
use crate::api::job::{ArchiveRef, ContentJobSpec, Metadata};
use crate::api::resource::ContentJob;
use crate::names::{API_VERSION, KIND_CONTENT_JOB};

/// Most characters of the content's name in a job's name: with what is put around it that is 63.
const MOST_OF_NAME: usize = 45;

/// What is to be done on a cluster.
#[derive(Debug)]
pub struct Order {
    /// The job.
    pub job: ContentJob,
    /// Its content, where that is sent along.
    pub packed: Option<Packed>,
    /// The Service that takes it, where it was named.
    pub service: Option<String>,
}

/// The job that a specification becomes. `what` and `unique` are parts of its name: a job is made once, and the same
/// content may be deployed again.
#[must_use]
pub fn job(
    what: &str,
    unique: &str,
    metadata: Option<&Metadata>,
    mut spec: ContentJobSpec,
    packed: Option<&Packed>,
) -> ContentJob {
    if let Some(packed) = packed {
        spec.bundle.path = None;
        spec.bundle.archive = Some(ArchiveRef {
            sha256: packed.sha256.clone(),
            bytes: i64::try_from(packed.bytes).unwrap_or(i64::MAX),
        });
    }
    let content = spec.content.as_deref().unwrap_or("content");
    let content = content
        .get(..MOST_OF_NAME)
        .unwrap_or(content)
        .trim_end_matches('-');
    let unique = unique.get(..8).unwrap_or(unique);
    let given = metadata.cloned().unwrap_or_default();
    let some = |map: std::collections::BTreeMap<String, String>| Some(map).filter(|map| !map.is_empty());
    ContentJob {
        api_version: API_VERSION.to_owned(),
        kind: KIND_CONTENT_JOB.to_owned(),
        metadata: ObjectMeta {
            name: Some(format!("{what}-{content}-{unique}")),
            labels: some(given.labels),
            annotations: some(given.annotations),
            ..ObjectMeta::default()
        },
        spec,
        status: None,
    }
}

/// Makes the job and sends its archive. A job whose archive can not be sent is taken back.
///
/// # Errors
/// [`ClusterError`]; nothing is left on the cluster.
pub async fn send(
    connection: &Connection,
    order: &Order,
    teller: &dyn Teller,
) -> Result<String, ClusterError> {
    let jobs = Jobs::new(&connection.client, &connection.namespace);
    let name = order.job.metadata.name.clone().unwrap_or_default();
    let Some(packed) = &order.packed else {
        jobs.create(&order.job).await?;
        return Ok(name);
    };
    let service = upload::service(connection, order.service.as_deref()).await?;
    upload::check_permission(connection, &service).await?;
    jobs.create(&order.job).await?;
    teller.told(&format!("job {name} was made"));
    let sent = tokio::select! {
        sent = hand_over(connection, &jobs, &name, &service, packed, teller) => sent,
        _ = tokio::signal::ctrl_c() => Err(ClusterError::Interrupted),
    };
    if let Err(error) = sent {
        jobs.forget(&name).await;
        return Err(error);
    }
    Ok(name)
}

/// Sends the archive once the controller waits for it; it may have it already.
async fn hand_over(
    connection: &Connection,
    jobs: &Jobs,
    name: &str,
    service: &str,
    packed: &Packed,
    teller: &dyn Teller,
) -> Result<(), ClusterError> {
    let seen = until(jobs, name, teller, |seen| {
        seen.awaits_upload() || seen.status.bundle.is_some() || seen.outcome() != Outcome::Open
    })
    .await?;
    if seen.awaits_upload() {
        upload::send(connection, service, packed, teller).await?;
    }
    Ok(())
}

/// Waits for the end of a job, with the output of its processes where that is asked for. Whoever stops waiting leaves
/// the job as it is.
///
/// # Errors
/// [`ClusterError`]; [`ClusterError::Failed`] where the job did not succeed.
pub async fn finish(
    connection: &Connection,
    name: &str,
    output: Option<&mut dyn std::io::Write>,
    teller: &dyn Teller,
) -> Result<Seen, ClusterError> {
    let jobs = Jobs::new(&connection.client, &connection.namespace);
    let work = async {
        if let Some(output) = output {
            logs::all_attempts(connection, name, output, teller).await?;
        }
        wait::for_end(&jobs, name, teller).await
    };
    tokio::select! {
        ended = work => ended,
        _ = tokio::signal::ctrl_c() => Err(ClusterError::Left {
            name: name.to_owned(),
            namespace: connection.namespace.clone(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_label_however_long_the_content_is_called() {
        let named = |content: &str| {
            let spec = ContentJobSpec {
                content: Some(content.to_owned()),
                ..ContentJobSpec::default()
            };
            let job = job("deploy", "0123456789abcdef", None, spec, None);
            job.metadata.name.unwrap()
        };
        assert_eq!(named("report"), "deploy-report-01234567");
        let long = format!("{}-{}", "a".repeat(44), "b".repeat(18));
        assert_eq!(named(&long), format!("deploy-{}-01234567", "a".repeat(44)));
        assert!(named(&"c".repeat(63)).len() <= 63);
    }

    #[test]
    fn the_archive_takes_the_place_of_the_path() {
        let packed = Packed {
            file: tempfile::tempfile().unwrap(),
            sha256: "0".repeat(64),
            bytes: 7,
        };
        let mut spec = ContentJobSpec::default();
        spec.bundle.path = Some("report".to_owned());
        let job = job("run", "x", None, spec, Some(&packed));
        assert_eq!(job.spec.bundle.path, None);
        assert_eq!(job.spec.bundle.archive.map(|archive| archive.bytes), Some(7));
    }
}
