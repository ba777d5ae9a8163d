//! `offhost plan --mode pod -o pod`: the Pods themselves, as the controller would post them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;

use super::failure::{Because, Failure};
use super::printer;
use crate::api::job::ContentJobSpec;
use crate::controller::install;
use crate::plan::{Plan, ProcessPlan, Purpose};
use crate::pod::{self, Delivery, Job, PodPlace};
use crate::reason::Reason;
use crate::settings::{ImageVolumes, Settings};
use crate::status::attempt_ids;

/// Stands for the uid that the API server gives a job.
const UID: &str = "00000000-0000-0000-0000-000000000000";
/// Stands for the claim of the data directory.
const CLAIM: &str = "data";
/// Stands for the image with the helper.
const EXEC_IMAGE: &str = "offhost-exec";

/// The job whose Pods are printed.
pub(super) struct PodJob<'a> {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) spec: &'a ContentJobSpec,
    pub(super) settings: &'a Settings,
}

/// The key of the first attempt of such a job.
pub(super) fn key() -> String {
    attempt_ids("", UID, 1).key
}

/// Prints a Pod for each process.
pub(super) fn print(plan: &Plan, job: &PodJob<'_>) -> Result<u8, Failure> {
    for note in &plan.notes {
        printer::note(format!("note: {note}"));
    }
    printer::line(head(plan, &job.settings.kubernetes));
    for process in &plan.processes {
        let pod: Pod = pod::build(plan, process, &place(process, job));
        let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
        let text = serde_saphyr::to_string_with_options(&pod, options).because(Reason::InvalidInput)?;
        printer::line(format!("---\n{}", text.trim_end()));
    }
    Ok(0)
}

/// What stands for something else.
fn head(plan: &Plan, settings: &crate::settings::Kubernetes) -> String {
    let mut lines = vec![format!(
        "# {} Pods, one after the other; {UID} stands for the uid of the job.",
        plan.processes.len()
    )];
    if settings.data_dir_pvc_name.is_none() {
        lines.push(format!(
            "# Kubernetes.DataDirPVCName is not set: '{CLAIM}' stands for it."
        ));
    }
    if settings.exec_image.is_none() {
        lines.push(format!(
            "# Kubernetes.ExecImage is not set: '{EXEC_IMAGE}' stands for it."
        ));
    }
    if settings.image_volumes == ImageVolumes::Auto {
        lines.push(
            "# A cluster without image volumes gets an init container in the place of that volume."
                .to_owned(),
        );
    }
    lines.join("\n")
}

fn place(process: &ProcessPlan, job: &PodJob<'_>) -> PodPlace {
    let settings = &job.settings.kubernetes;
    // Packages are installed by jobs of their own.
    let name = match &process.purpose {
        Purpose::Install(key) => install::name(&key.path),
        Purpose::Task(_) | Purpose::Serve | Purpose::Build => job.name.clone(),
    };
    let ids = attempt_ids(&name, UID, 1);
    let or = |given: &Option<String>, stands: &str| given.clone().unwrap_or_else(|| stands.to_owned());
    PodPlace {
        pod_name: ids.pod_name,
        namespace: or(&settings.namespace, "default"),
        job: Job {
            name,
            uid: UID.to_owned(),
            labels: job.labels.clone(),
        },
        attempt: 1,
        key: ids.key,
        claim: or(&settings.data_dir_pvc_name, CLAIM),
        exec_image: or(&settings.exec_image, EXEC_IMAGE),
        delivery: match settings.image_volumes {
            ImageVolumes::Never => Delivery::InitContainer,
            ImageVolumes::Auto | ImageVolumes::Always => Delivery::ImageVolume,
        },
        priority_class_name: job.spec.priority_class_name.clone(),
        service_account_name: job.spec.service_account_name.clone(),
        scheduling_gates: job.spec.scheduling_gates.clone(),
        kubernetes: settings.clone(),
    }
}
