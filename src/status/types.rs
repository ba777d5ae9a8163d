//! What the controller sees of a job, and what is decided about it. Plain data.

use jiff::{SignedDuration, Timestamp};

use crate::api::status::{AttemptStatus, ContentJobStatus, ResultStatus};
use crate::reason::Reason;

/// Why something can not go on, in one sentence with the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// From the closed list.
    pub reason: Reason,
    /// The sentence.
    pub message: String,
}

/// Everything that was found out about a job besides the job itself.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    /// The deployment that the job works on, as soon as that is known: also where planning it then fails.
    pub bundle: Option<BundleSeen>,
    /// What reading and planning the job gave. Not looked at while the open attempt has a Pod.
    pub planned: Planned,
    /// The Pod of the attempt that is open in the job's status ([`super::open_attempt`]).
    pub pod: PodSeen,
    /// `Kubernetes.TTLSecondsAfterFinished`, for jobs that say nothing themselves.
    pub ttl_seconds_after_finished: Option<i64>,
}

/// The deployment that a job works on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleSeen {
    /// The content item.
    pub content: String,
    /// Number of the bundle.
    pub bundle: String,
}

/// What reading and planning a job gave.
#[derive(Clone, Debug, PartialEq)]
pub enum Planned {
    /// It can not be done as it is written; trying again does not help.
    Refused(Problem),
    /// Something is missing that may still come: an upload, the volume, a runtime.
    Waiting(Problem),
    /// It can be done.
    Ready(Ready),
}

/// A job that can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The chosen entry of `runtimes.yaml`; none where no process is needed.
    pub runtime: Option<String>,
    /// Its image.
    pub image: Option<String>,
    /// Whether the job has a Pod of its own: false where it only deploys, or where only environments are wanted.
    pub has_pod: bool,
    /// The environments it needs.
    pub environments: Vec<EnvironmentSeen>,
}

/// An environment that a job needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentSeen {
    /// `R`, `Python` or `Node.js`.
    pub language: String,
    /// Its directory below the data directory.
    pub path: String,
    /// The job that installs it, or would.
    pub job_name: String,
    /// How far it is.
    pub state: EnvironmentState,
}

/// How far an environment is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnvironmentState {
    /// It is there.
    Ready,
    /// Nobody installs it yet.
    Missing,
    /// Its job is on the way; the sentence of that job.
    Installing(String),
    /// Its job has failed for good since this job was made; the sentence of that job.
    Failed(String),
}

/// What is known of a Pod besides the Pod itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodContext {
    /// Name of the job, for the command that shows the output.
    pub job: String,
    /// The entry of `runtimes.yaml` that names its image.
    pub runtime: Option<String>,
    /// After how long the process is ended.
    pub timeout_seconds: Option<i64>,
    /// `Kubernetes.NodeLostSeconds`: how long after the time of grace of a deleted Pod its node is taken for lost that does
    /// not say that it has ended. A kubelet that is alive says so within a second or two.
    pub node_lost_seconds: i64,
    /// Now.
    pub now: Timestamp,
}

/// What was seen of the Pod of the open attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum PodSeen {
    /// There is none: not made yet, or gone.
    Absent,
    /// It could not be made, because of this; it is tried again.
    Refused(Problem),
    /// There is one.
    Present(Observation),
}

/// One look at a Pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// Uid of the Pod.
    pub uid: String,
    /// The node, once there is one.
    pub node: Option<String>,
    /// How far it is.
    pub stage: Stage,
}

/// How far a Pod is.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// It has no node yet: the problem where there is one, as "no node fits".
    Unscheduled {
        /// Whether a scheduling gate holds it: then no time runs.
        gated: bool,
        /// Why no node was found.
        problem: Option<Problem>,
    },
    /// It has a node, and its process has not started: pulling, mounting; the problem where there is one.
    Starting {
        /// Since when it has the node.
        since: Option<Timestamp>,
        /// Why it does not start.
        problem: Option<Problem>,
    },
    /// Its process runs.
    Running {
        /// Since when.
        since: Option<Timestamp>,
    },
    /// It is being deleted, and its node has not said yet that its process has ended.
    Leaving {
        /// From then on the node is taken for lost.
        until: Timestamp,
        /// Who deleted it.
        problem: Problem,
    },
    /// It is over.
    Ended(Ending),
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// `None` is success.
    pub problem: Option<Problem>,
    /// Exit code, if the process exited.
    pub exit_code: Option<i32>,
    /// Signal, if it was ended by one.
    pub signal: Option<i32>,
    /// When the process was started.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// Whether the cluster ended it: node lost, evicted, preempted, deleted from outside.
    pub disrupted: bool,
}

/// What finishing a successful attempt on the volume gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finished {
    /// The result is whole, and activated if that was asked for; `None` for a task without a result.
    Done(Option<ResultStatus>),
    /// What was made is not usable: the attempt failed.
    Unusable(Problem),
}

/// What is decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Next {
    /// The status to write; equal to the present one if nothing changed.
    pub status: ContentJobStatus,
    /// What to do, after the status was written.
    pub action: Action,
    /// Events to publish, one for each transition.
    pub events: Vec<EventRecord>,
    /// When to look again without being told.
    pub again: Option<SignedDuration>,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Nothing.
    None,
    /// Make the install jobs of these environments, unless they exist.
    Install(Vec<EnvironmentSeen>),
    /// Make the directories and the Pod of the open attempt (both may be there already).
    Begin(AttemptStatus),
    /// The Pod has ended: finish its result on the volume (success) or remove what it made (failure), then call
    /// [`super::finished`].
    Finish(AttemptStatus, Ending),
    /// End the Pod of this attempt: the job is suspended, or its Pod did not start in time.
    Stop(AttemptStatus),
    /// Delete the job: its time to live is over.
    Expire,
}

/// An event on the job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord {
    /// Whether it is a warning.
    pub warning: bool,
    /// Name of the reason: that of a condition, or a step such as `PodCreated`.
    pub reason: String,
    /// The verb: `Creating`, `Installing`.
    pub action: String,
    /// The sentence.
    pub note: String,
}
