//! What a Pod is made of besides the plan: its job, its attempt, its cluster. Plain data.

use std::collections::BTreeMap;

use crate::settings::Kubernetes;

/// Where and for whom a Pod is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodPlace {
    /// Name of the Pod.
    pub pod_name: String,
    /// Its namespace, which is that of the job and of the claim.
    pub namespace: String,
    /// The job that owns it.
    pub job: Job,
    /// Number of the attempt.
    pub attempt: i32,
    /// Key of the attempt, which the plan was made with.
    pub key: String,
    /// Claim of the data directory.
    pub claim: String,
    /// Image with the helper and the starters.
    pub exec_image: String,
    /// How that comes into the Pod.
    pub delivery: Delivery,
    /// `spec.priorityClassName` of the job.
    pub priority_class_name: Option<String>,
    /// `spec.serviceAccountName` of the job.
    pub service_account_name: Option<String>,
    /// `spec.schedulingGates` of the job.
    pub scheduling_gates: Vec<String>,
    /// `[Kubernetes]`.
    pub kubernetes: Kubernetes,
}

/// The job of a Pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Job {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its labels, passed on to the Pod.
    pub labels: BTreeMap<String, String>,
}

/// How the helper and the starters come into a Pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Their image is mounted.
    ImageVolume,
    /// An init container of their image copies them.
    InitContainer,
}
