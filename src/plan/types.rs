//! What a plan is. Plain data, ordered, so that the same input prints the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{PodResources, ServePlan, ServeTask};
use crate::api::job::{ContentJobSpec, KeyRef, TaskKind};
use crate::content::BundleFacts;
use crate::runtimes::{Choice, LanguageName};

/// Which rendering of the plan is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The sandbox of this machine.
    Local,
    /// A Kubernetes Pod.
    Pod,
}

/// One thing to be done, with the facts that were gathered for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Which mode the plan is for.
    pub mode: Mode,
    /// What was asked for.
    pub spec: ContentJobSpec,
    /// Where the content is served, if that is what is asked for.
    pub serve: Option<ServeTask>,
    /// The content item (XX).
    pub content: String,
    /// The bundle (YY).
    pub bundle: String,
    /// The job's own key: names its temporary directory, copy and log directory.
    pub job_key: String,
    /// The result's number (RR).
    pub rendering: String,
    /// What the bundle says.
    pub facts: BundleFacts,
    /// Image that is the content item's default (EX5, third).
    pub content_image: Option<String>,
    /// The server's own environment; empty in Pod mode (EN2, EN3).
    pub server_env: BTreeMap<String, String>,
    /// Environments that are already installed, by key.
    pub installed: Vec<EnvironmentKey>,
    /// R packages that the shared cache holds, relative to `DataDir`: `packrat/4.2.2/v2/library/PACKAGE/HASH` (PK1).
    pub r_cache: BTreeSet<String>,
    /// Whether `uv` is to be had beside the chosen Python.
    pub uv: Option<PathBuf>,
}

/// The directory of an installed environment, relative to `DataDir` (PK1, PK2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct EnvironmentKey {
    /// R or Python.
    pub language: LanguageName,
    /// Path below `DataDir`: `python-environments/pip/3.11.2/KEY` or `packrat/4.2.2/libraries/KEY`.
    pub path: String,
}

/// All processes of one job, in order: installations first (RA4), then the task itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Which mode it was made for.
    pub mode: Mode,
    /// The content item (XX).
    pub content: String,
    /// The bundle (YY).
    pub bundle: String,
    /// What a reader should know: inferences, ignored settings, weakened isolation.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The runtime and why it was chosen (EX3, EX5).
    pub runtime: Choice,
    /// The processes.
    pub processes: Vec<ProcessPlan>,
}

/// One process.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessPlan {
    /// What it is for.
    pub purpose: Purpose,
    /// Its full command line, the supervisor's words first (SV1).
    pub command: Vec<String>,
    /// How many words of `command` are the supervisor's.
    #[serde(skip_serializing_if = "is_zero")]
    pub supervisor_words: usize,
    /// Working directory.
    pub working_dir: String,
    /// Account (RA).
    pub identity: Identity,
    /// What it sees of the data, and whether it may write there (FS3). Parents come before what lies below them.
    pub mounts: Vec<Mount>,
    /// What it does not see (FS1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub masks: Vec<Mask>,
    /// Its temporary directory (TD1).
    pub tmp: TmpDir,
    /// What covers `/home` (FS5).
    pub home: HomePlan,
    /// Limits that the helper sets; in local mode those of the sandbox as well.
    #[serde(skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
    /// Requests and limits of the Pod (SC7); none in local mode.
    #[serde(skip_serializing_if = "PodResources::is_empty")]
    pub resources: PodResources,
    /// Ended after this many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
    /// How it serves, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serve: Option<ServePlan>,
    /// What it makes, and what becomes of that.
    pub output: Output,
    /// Environment (EN).
    pub env: BTreeMap<String, EnvValue>,
    /// Files written for this process alone, shown read-only below `names::MOUNT_INPUTS`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<InputFile>,
}

/// What a process is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Purpose {
    /// Installs packages into a shared cache.
    Install(EnvironmentKey),
    /// Does the task of the job.
    Task(TaskKind),
    /// Serves an application (PK5).
    Serve,
    /// Builds a package of a Git repository (GB6).
    Build,
}

impl Purpose {
    /// Name of the process: that of its log and of its inputs.
    #[must_use]
    pub fn process_name(&self) -> &'static str {
        match self {
            Self::Install(key) if key.language == LanguageName::R => "install-r",
            Self::Install(key) if key.language == LanguageName::Nodejs => "install-node",
            Self::Install(_) => "install-python",
            Self::Task(_) => "task",
            Self::Serve => "serve",
            Self::Build => "build",
        }
    }
}

/// An account, complete (RA6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// Name.
    pub user: String,
    /// User id; never 0.
    pub uid: u32,
    /// Primary group id; never 0.
    pub gid: u32,
    /// All groups, the primary one included, sorted.
    pub groups: Vec<u32>,
    /// Home directory of the account, where it has one that exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<PathBuf>,
}

/// Value of a variable. Written as the plain text, or as `{secretKeyRef: {name, key}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum EnvValue {
    /// A key of a Secret: read when the process starts, never printed (EN4).
    SecretKeyRef(KeyRef),
    /// A key of a ConfigMap.
    ConfigMapKeyRef(KeyRef),
    /// The value itself.
    #[serde(untagged)]
    Value(String),
}

/// One exposed directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mount {
    /// Where the process sees it.
    pub target: String,
    /// Whether it may write there.
    pub access: Access,
    /// What it is, for people.
    pub what: String,
    /// Where it is.
    pub source: Source,
}

/// A file that is written for one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InputFile {
    /// File name below `names::MOUNT_INPUTS`.
    pub name: String,
    /// Content.
    pub text: String,
}

/// Where an exposed directory is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// Below `DataDir`, relative: a subPath of the volume in Pod mode (design decision 4).
    Data(String),
    /// The starters that come with this program.
    Runtime,
    /// The directory of this process's `inputs`.
    Inputs,
}

/// Whether an exposed directory can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Access {
    /// Read only.
    ReadOnly,
    /// Read and write.
    ReadWrite,
}

/// One masked path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mask {
    /// The path.
    pub path: PathBuf,
    /// The setting it comes from.
    pub setting: String,
    /// Whether its absence is an error (FS6) or leaves nothing to hide.
    pub required: bool,
}

/// The process's temporary directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TmpDir {
    /// Where it is on the machine: `Server.TempDir/connect-workspaces/KEY` (TD2).
    pub path: PathBuf,
    /// Value of `TMPDIR`.
    pub target: String,
    /// Whether it also covers `/tmp` and `/var/tmp` (FS2).
    pub mask_tmp: bool,
}

/// What the process sees at `/home` (FS5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum HomePlan {
    /// The machine's own `/home`.
    AsIs,
    /// This directory covers `/home`.
    CoveredBy(PathBuf),
    /// An empty directory covers `/home`.
    Empty,
}

/// Limits; `None` is unlimited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Memory in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// CPU in thousandths of a core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_millis: Option<u64>,
    /// Processes and threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids: Option<u64>,
    /// Size of one written file in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_size_bytes: Option<u64>,
    /// Open files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_files: Option<u64>,
}

impl Limits {
    /// Whether nothing is limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// What a process makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Output {
    /// Nothing that outlives it but its log.
    None,
    /// A copy of the source that it works on and that is removed afterwards (PK8); nothing else but its log stays.
    Scratch {
        /// The copy, relative to `DataDir`.
        source_copy: String,
    },
    /// An environment: `staging`, relative to `DataDir`, becomes `target` when it succeeded.
    Environment {
        /// Where it is made.
        staging: String,
        /// What it becomes.
        target: String,
        /// R: the hash of each package, by name; a package that the cache lacks is made in `staging` (PK1).
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        packages: BTreeMap<String, String>,
    },
    /// A result below `DataDir` (RD2).
    Result {
        /// Copy of the source, relative to `DataDir`, removed afterwards (RD1). `None` for a site rendered in place (ST1).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source_copy: Option<String>,
        /// Output directory, relative to `DataDir`.
        directory: String,
        /// Subdirectory that becomes the root of the output (ST2); `None` leaves it as it is (ST3).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        site_output_dir: Option<String>,
        /// Main file, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        index: Option<String>,
        /// Whether it is served after success (RD3).
        activate: bool,
    },
}
