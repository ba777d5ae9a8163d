//! What the Pods of an application are made from, and the Pod of one process.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use sha2::{Digest, Sha256};

use crate::api::app_resource::ContentApp;
use crate::apps::{Deployment, ProcessId};
use crate::controller::context::Site;
use crate::controller::gather::Work;
use crate::controller::volume::Bundle;
use crate::names::{ANNOTATION_BUNDLE, ANNOTATION_DEPLOYMENT};
use crate::plan::{Plan, ProcessPlan};
use crate::pod::{self, Job, PodPlace};

/// Name of the process that serves.
pub(super) const SERVE: &str = "serve";
/// Letters of the application's name in that of its Pods.
const NAME_LETTERS: usize = 40;
/// Stands for the key of a process in what all processes of a deployment have in common.
const ANY: &str = "process";

/// What the processes of a deployment are made from (AP2).
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    /// The application, as it was when the recipe was made.
    pub(super) app: ContentApp,
    /// Its bundle, its plan, and what that was made with.
    pub(super) work: Work,
    /// Digest of all that a process is made of.
    pub(super) deployment: Deployment,
}

impl Recipe {
    /// What an application comes to at present.
    #[must_use]
    pub(super) fn new(app: &ContentApp, work: Work, site: &Site) -> Self {
        let mut app = app.clone();
        app.status = None;
        let mut recipe = Self {
            app,
            work,
            deployment: Deployment::from(""),
        };
        recipe.deployment = recipe.digest(site).into();
        recipe
    }

    /// The process that serves, in a plan.
    #[must_use]
    pub(super) fn process(plan: &Plan) -> Option<&ProcessPlan> {
        let mut processes = plan.processes.iter();
        processes.find(|process| process.purpose.process_name() == SERVE)
    }

    /// The Pod of a process, from a plan that was made with its key.
    #[must_use]
    pub(super) fn pod(&self, plan: &Plan, process: &ProcessPlan, key: &str, site: &Site) -> Pod {
        let mut pod = pod::build(plan, process, &self.place(key, site));
        let Bundle { content, bundle, .. } = &self.work.bundle;
        let (content, bundle) = (content.to_string(), bundle.to_string());
        pod::mark_app(&mut pod, key, self.deployment.as_str(), &content, &bundle);
        pod
    }

    /// Name of the Pod of a process: a second one of that name is refused, so that no process runs twice.
    #[must_use]
    pub(super) fn pod_name(&self, key: &str) -> String {
        pod_name(&self.app, key)
    }

    fn place(&self, key: &str, site: &Site) -> PodPlace {
        PodPlace {
            pod_name: self.pod_name(key),
            namespace: site.namespace.clone(),
            job: Job {
                name: self.app.name_any(),
                uid: self.app.metadata.uid.clone().unwrap_or_default(),
                labels: self.app.labels().clone(),
            },
            attempt: 1,
            key: key.to_owned(),
            claim: site.claim.clone(),
            exec_image: site.exec_image.clone(),
            delivery: site.delivery,
            priority_class_name: self.app.spec.priority_class_name.clone(),
            service_account_name: self.app.spec.service_account_name.clone(),
            scheduling_gates: Vec::new(),
            kubernetes: self.work.rules.settings.kubernetes.clone(),
        }
    }

    /// Everything that a Pod says but its key. Two deployments with the same are one.
    fn digest(&self, site: &Site) -> String {
        let Some(process) = Self::process(&self.work.plan) else {
            return String::new();
        };
        let pod = self.pod(&self.work.plan, process, ANY, site);
        let text = serde_json::to_string(&pod).unwrap_or_default();
        let inputs = serde_json::to_string(&process.inputs).unwrap_or_default();
        let digest = Sha256::new().chain_update(text).chain_update(inputs).finalize();
        digest[..8].iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// Name of the Pod of a process.
#[must_use]
pub(super) fn pod_name(app: &ContentApp, key: &str) -> String {
    let name = app.name_any();
    let name = name.get(..NAME_LETTERS).unwrap_or(&name).trim_end_matches('-');
    let uid = app.metadata.uid.as_deref().unwrap_or_default();
    let uid = uid.get(..8).unwrap_or(uid);
    format!("{name}-{uid}-{key}")
}

/// What a Pod says of itself: whose it is, which process, from what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// Name of the application.
    pub(super) app: String,
    /// Its uid.
    pub(super) uid: String,
    /// The process.
    pub(super) process: ProcessId,
    /// What it was made from.
    pub(super) deployment: Deployment,
    /// Content item and number of the bundle.
    pub(super) bundle: (String, u64),
}

impl Said {
    /// Of a Pod of an application; `None` of another, or where somebody has changed it.
    #[must_use]
    pub(super) fn of(pod: &Pod) -> Option<Self> {
        let (app, uid) = super::view::owner(pod)?;
        let annotations: &BTreeMap<String, String> = pod.annotations();
        let (content, number) = annotations.get(ANNOTATION_BUNDLE)?.rsplit_once('/')?;
        Some(Self {
            app,
            uid,
            process: super::view::process_of(pod)?.into(),
            deployment: annotations.get(ANNOTATION_DEPLOYMENT)?.as_str().into(),
            bundle: (content.to_owned(), number.parse().ok()?),
        })
    }
}
