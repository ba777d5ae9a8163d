//! The rendering of a plan for a cluster (pure): `build(&Plan, &ProcessPlan, &PodPlace) -> Pod`. It can not fail, as
//! everything was checked by the plan. One decision a file.
//!
//! ```text
//! /opt/offhost                 the helper and the starters: an image volume, or what the init container `install` copied
//! /opt/offhost/inputs          files made for this process, read-only          \
//! /opt/offhost/source          the bundle, where the helper makes a copy of it  } the claim, each by its subPath
//! /opt/rstudio-connect/mnt/…   what the plan shows of the data directory       /
//! TMPDIR, /tmp, /var/tmp, HOME, /dev/shm                                       empty, and gone with the Pod
//! ```

mod container;
mod dollars;
mod env;
mod init;
mod metadata;
mod mounts;
mod place;
mod scheduling;
mod scratch;
mod security;
mod serving;
mod volumes;

pub use metadata::{label_value, mark_app, mark_build};
pub use place::{Delivery, Job, PodPlace};

use k8s_openapi::api::core::v1::{Pod, PodSpec};

use crate::plan::{Plan, ProcessPlan};

/// Time from the order to end until the kubelet kills what is left, in seconds. The helper needs five of them for a
/// process that does not listen, and fifteen for an application of R, which is interrupted first; the rest is for storage that is slow to take the last lines of a log. A Pod whose
/// process ends at once is gone at once.
const TERMINATION_GRACE_SECONDS: i64 = 30;

/// The Pod of one process of a plan in Pod mode.
///
/// It has no deadline of its own: the helper holds the job's time limit, from the start of the process on, and the
/// kubelet's clock would count the pulling of images as well.
#[must_use]
pub fn build(plan: &Plan, process: &ProcessPlan, place: &PodPlace) -> Pod {
    let scratch = scratch::of(plan, process, place);
    let settings = &place.kubernetes;
    let own_account = scheduling::own_service_account(process, place);
    Pod {
        metadata: metadata::of(plan, process, place),
        spec: Some(PodSpec {
            init_containers: init::containers(plan, process, place),
            containers: vec![container::content(plan, process, place, &scratch)],
            volumes: Some(volumes::of(plan, place, &scratch)),
            restart_policy: Some("Never".to_owned()),
            termination_grace_period_seconds: Some(TERMINATION_GRACE_SECONDS),
            security_context: Some(security::of_pod(&process.identity)),
            host_users: settings.user_namespaces.then_some(false),
            automount_service_account_token: Some(own_account.is_some()),
            service_account_name: own_account.or(settings.service_account.as_ref()).cloned(),
            enable_service_links: Some(false),
            image_pull_secrets: scheduling::pull_secrets(settings),
            node_selector: Some(settings.node_selector.clone()).filter(|labels| !labels.is_empty()),
            tolerations: Some(scheduling::tolerations(settings)),
            priority_class_name: scheduling::priority_class(place),
            runtime_class_name: settings.runtime_class_name.clone(),
            scheduling_gates: scheduling::gates(place),
            ..PodSpec::default()
        }),
        status: None,
    }
}
