//! Builds as Pods of a cluster (GB6): `Git.BuildExecutor = kubernetes`.
//!
//! ```text
//!  view::sandbox -- plan --> Plan -- pod::build --> Pod -- life --> its end -- outcome --> the build's
//! ```
//!
//! Git runs in the builder as ever. A Pod sees three directories of its own build, by their subPaths of the claim, and nothing of
//! the builder: no key, no setting, no token. `plan`, `choice`, `outcome` and `work` are pure.

pub mod choice;
mod error;
pub mod life;
pub mod outcome;
pub mod plan;
pub mod work;

use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

pub use error::ClusterError;
use life::{Patience, Pods};
use outcome::Verdict;
use plan::Setting;
use work::{Work, step};

use crate::cluster::client::{self, Connect};
use crate::controller::{context::Clock, features};
use crate::data::IoFailure;
use crate::local::signals;
use crate::pod::{self, Delivery, Job, PodPlace};
use crate::runtimes::{self, Choice};
use crate::sandbox::SandboxSpec;
use crate::settings::{BuildPods, BuildSettings};

use super::error::BuildError;

/// Between two looks whether the end of the program was asked for.
const TICK: Duration = Duration::from_millis(250);

/// The cluster as this builder uses it.
#[derive(Debug)]
pub struct Cluster {
    runtime: Runtime,
    pods: Pods,
    site: Site,
    choices: Vec<Choice>,
    chosen: usize,
}

/// What Pods of one builder have in common.
#[derive(Clone, Debug)]
pub struct Site {
    /// Namespace of Pods and claim.
    pub namespace: String,
    /// The claim.
    pub claim: String,
    /// Image with the helper.
    pub exec_image: String,
    /// How that comes into Pods.
    pub delivery: Delivery,
    /// The Pod that the builder runs in: build Pods go with it. Without a uid there is none.
    pub owner: Job,
    /// Value of the label by which a builder finds its Pods.
    pub builder: String,
    /// `Server.DataDir`, links followed.
    pub root: PathBuf,
    /// Settings.
    pub settings: BuildPods,
}

/// One process of a build.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    /// What it is, as in errors.
    pub what: &'static str,
    /// Its sandbox.
    pub sandbox: &'a SandboxSpec,
    /// What is built.
    pub work: &'a Work,
    /// Tells this build from every other, also of the same thing.
    pub key: &'a str,
    /// Directory for its log, below `Server.DataDir`.
    pub log: &'a Path,
    /// How long it may take.
    pub limit: Duration,
}

impl Site {
    /// The Pod of a process.
    ///
    /// # Errors
    /// It can not be a Pod's.
    pub fn pod(&self, step: &Step<'_>, choice: &Choice) -> Result<Pod, ClusterError> {
        let setting = Setting {
            choice,
            root: &self.root,
            log: step.log,
            scheduler: &self.settings.scheduler,
        };
        let plan = plan::plan(step.sandbox, &setting)?;
        let place = PodPlace {
            pod_name: step.work.pod_name(step.what),
            namespace: self.namespace.clone(),
            job: self.owner.clone(),
            attempt: 1,
            key: step.key.to_owned(),
            claim: self.claim.clone(),
            exec_image: self.exec_image.clone(),
            delivery: self.delivery,
            priority_class_name: None,
            service_account_name: None,
            scheduling_gates: Vec::new(),
            kubernetes: self.settings.kubernetes.clone(),
        };
        let mut pod = pod::build(&plan, &plan.processes[0], &place);
        let deadline = step.limit + self.settings.start_timeout;
        let deadline = i64::try_from(deadline.as_secs()).unwrap_or(i64::MAX);
        pod::mark_build(&mut pod, &self.builder, step.key, &step.work.of, deadline);
        Ok(pod)
    }
}

impl Cluster {
    /// Finds the cluster and the images. Nothing runs yet.
    ///
    /// # Errors
    /// A setting is missing, or there is no cluster, or no image with R.
    pub fn open(settings: &BuildSettings, pods: &BuildPods) -> Result<Self, BuildError> {
        let file = needed(
            pods.runtimes_file.as_ref(),
            "ExecutionEnvironments.ConfigFilePath",
            "name the file that lists images with R",
        )?;
        let choices = images(file, &settings.r_version)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(BuildError::Begin)?;
        let connect = Connect {
            context: None,
            namespace: pods.kubernetes.namespace.clone().or_else(|| own("POD_NAMESPACE")),
        };
        let connection = runtime
            .block_on(client::connect(&connect))
            .map_err(ClusterError::from)?;
        let api = Pods::new(&connection.client, &connection.namespace, Clock::default());
        let mut site = site(settings, pods, connection.namespace)?;
        let delivery = runtime.block_on(async {
            let stop = stop_with_signals();
            features::delivery(api.calls(), &pods.kubernetes, &stop).await
        });
        site.delivery = delivery.ok_or(BuildError::Stopped)?;
        Ok(Self {
            runtime,
            pods: api,
            site,
            choices,
            chosen: 0,
        })
    }

    /// Where workspaces are made: on the volume.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.site.root
    }

    /// Every R that may build, in the order in which they are tried.
    #[must_use]
    pub fn choices(&self) -> &[Choice] {
        &self.choices
    }

    /// Builds have this R from now on.
    pub fn choose(&mut self, chosen: usize) {
        self.chosen = chosen;
    }

    /// Runs a process to its end in a Pod.
    ///
    /// # Errors
    /// It can not be a Pod's.
    pub fn run(&self, step: &Step<'_>) -> Result<Verdict, ClusterError> {
        let pod = self.site.pod(step, &self.choices[self.chosen])?;
        Ok(self
            .runtime
            .block_on(self.pods.run(&pod, self.patience(step.limit), &signals::ends)))
    }

    /// Ends the Pods that a builder before has left.
    ///
    /// # Errors
    /// The API server does not allow it, or a Pod is not gone in time.
    pub fn end_left_over(&self) -> Result<(), ClusterError> {
        let patience = self.patience(Duration::ZERO);
        let ended = self.pods.end_all(&self.site.builder, patience, &signals::ends);
        Ok(self.runtime.block_on(ended)?)
    }

    fn patience(&self, limit: Duration) -> Patience {
        Patience {
            start: self.site.settings.start_timeout,
            run: limit,
            node_lost_seconds: self.site.settings.kubernetes.node_lost_seconds,
        }
    }
}

/// What the settings and this Pod's own variables say.
fn site(settings: &BuildSettings, pods: &BuildPods, namespace: String) -> Result<Site, BuildError> {
    let kubernetes = &pods.kubernetes;
    let claim = needed(
        kubernetes.data_dir_pvc_name.as_ref(),
        "Kubernetes.DataDirPVCName",
        "name the claim that holds Server.DataDir",
    )?;
    let exec_image = needed(
        kubernetes.exec_image.as_ref(),
        "Kubernetes.ExecImage",
        "name the image with the helper, the target `exec` of this project's Dockerfile",
    )?;
    let root = settings.data_dir.canonicalize();
    let sub_path = kubernetes.data_dir_pvc_sub_path.as_deref();
    // The cluster would take a Pod with an owner of another namespace for an orphan, and delete it.
    let is_here = own("POD_NAMESPACE").is_none_or(|here| here == namespace);
    Ok(Site {
        builder: builder_label(claim, sub_path, &settings.builder_dir),
        namespace,
        claim: claim.clone(),
        exec_image: exec_image.clone(),
        delivery: Delivery::InitContainer,
        owner: match (own("POD_NAME"), own("POD_UID")) {
            (Some(name), Some(uid)) if is_here => Job {
                name,
                uid,
                ..Job::default()
            },
            _ => Job::default(),
        },
        root: root.map_err(|error| IoFailure::new("find", &settings.data_dir, error))?,
        settings: pods.clone(),
    })
}

/// What the Pod that this program runs in says of itself.
fn own(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn needed<'s, T>(
    value: Option<&'s T>,
    setting: &'static str,
    remedy: &'static str,
) -> Result<&'s T, ClusterError> {
    value.ok_or(ClusterError::Missing { setting, remedy })
}

fn images(file: &Path, wanted: &[PathBuf]) -> Result<Vec<Choice>, ClusterError> {
    let text = std::fs::read_to_string(file).map_err(|source| ClusterError::Read {
        path: file.to_owned(),
        source,
    })?;
    let choices = choice::choices(&runtimes::parse(&text, &file.display().to_string())?, wanted);
    if !choices.is_empty() {
        return Ok(choices);
    }
    let named: Vec<String> = wanted.iter().map(|home| home.display().to_string()).collect();
    Err(ClusterError::NoImage {
        path: file.to_owned(),
        wanted: match named.is_empty() {
            true => "an R that may be chosen without being named".to_owned(),
            false => format!("an R of Server.RVersion ({})", named.join(", ")),
        },
    })
}

/// Whoever remembers its builds in the same place is the same builder.
fn builder_label(claim: &str, sub_path: Option<&str>, state: &Path) -> String {
    let state = state.display().to_string();
    let work = Work::new("", String::new(), &[claim, sub_path.unwrap_or_default(), &state]);
    work.name
}

/// Is cancelled when the end of the program is asked for.
fn stop_with_signals() -> CancellationToken {
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        while !signals::ends() {
            tokio::time::sleep(TICK).await;
        }
        told.cancel();
    });
    stop
}

/// A word for the directory of a process's log.
pub(super) fn log_directory(what: &str) -> String {
    format!("log-{}", step(what))
}
