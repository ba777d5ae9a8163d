//! `ContentJob`: one finite task on one content item.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::quantities;
use super::schedule::Schedule;

/// A finite task on a content item: an installation, a render, a site render or a command.
///
/// The form of a job file. The API server's own form of it is [`ContentJob`](super::resource::ContentJob).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(
    rename = "ContentJob",
    description = "A finite task on a content item: an installation, a render, a site render or a command."
)]
pub struct JobFile {
    /// Always `offhost.dev/v1alpha1`.
    pub api_version: String,
    /// Always `ContentJob`.
    pub kind: String,
    /// Name and labels of the job.
    pub metadata: Metadata,
    /// What is to be done.
    pub spec: ContentJobSpec,
}

/// The part of Kubernetes' `ObjectMeta` that a job file may carry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// Name of the job, a DNS-1123 label.
    pub name: String,
    /// Namespace; ignored in local mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Labels, passed on to the Pod.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations; not interpreted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// What a `ContentJob` asks for. Only `retries`, `suspended`, `ttlSecondsAfterFinished` and the words of
/// a `schedule` can be changed afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContentJobSpec {
    /// The content item: its GUID or name, a DNS-1123 label. Taken from the bundle's directory name when empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub content: Option<String>,
    /// The deployment to work on; the active one of the content item when empty.
    #[serde(default, skip_serializing_if = "BundleRef::is_empty")]
    pub bundle: BundleRef,
    /// What is to be done; taken from the kind of the content when empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskKind>,
    /// Overrides the kind of content (`appmode`) that the manifest names (PK9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub app_mode: Option<String>,
    /// Overrides the file that the manifest names as the entry point (PK9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub entrypoint: Option<String>,
    /// Parameters of the report (PK3).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub parameters: Vec<Parameter>,
    /// The command line of a `Run` task, run in the source directory (PK8).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024), inner(length(max = 32_768)))]
    pub command: Vec<String>,
    /// Variables added to the process's environment (EN4).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 512))]
    pub env: Vec<EnvVar>,
    /// Which runtime to use (EX5) and which interpreter versions.
    #[serde(default, skip_serializing_if = "RuntimeRequest::is_empty")]
    pub runtime: RuntimeRequest,
    /// The account to run as, by name or number; `Applications.RunAs` when empty (RA2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub run_as: Option<String>,
    /// Limits of the process.
    #[serde(default, skip_serializing_if = "Resources::is_empty")]
    pub resources: Resources,
    /// The process is ended when it has run for this long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 31_536_000))]
    pub timeout_seconds: Option<i64>,
    /// The variant of the report whose result this makes; `default` when empty (RD2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub variant: Option<String>,
    /// Whether a successful result becomes the one that is served (RD3).
    #[serde(default, skip_serializing_if = "Activation::is_default")]
    pub activation: Activation,
    /// The one language whose packages an `Install` task installs; all that the content needs when empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<InstallLanguage>,
    /// Nothing is started while this is true, and what runs is ended (Pod mode).
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspended: bool,
    /// How often a task that failed by itself is tried again (Pod mode). An attempt that the cluster ended, as by the
    /// loss of a node, is repeated without being counted.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0, max = 20))]
    pub retries: i32,
    /// A Pod that has not started after this many seconds fails (Pod mode); 3600 when empty. Time in a queue, with
    /// scheduling gates or suspended, does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 604_800))]
    pub start_deadline_seconds: Option<i64>,
    /// The finished job is deleted after this many seconds (Pod mode); `Kubernetes.TTLSecondsAfterFinished` when empty.
    /// Results stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 31_536_000))]
    pub ttl_seconds_after_finished: Option<i64>,
    /// Priority class of the Pod (Pod mode).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,
    /// Service account of the Pod (Pod mode). Setting it needs the permission `runas`, as `runAs` does. Its token is
    /// mounted, which no other content Pod has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub service_account_name: Option<String>,
    /// Scheduling gates of the Pod, for a queue that takes them off (Pod mode).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 317)))]
    pub scheduling_gates: Vec<String>,
    /// Makes the job a template, of which a job of its own is made at each time. Followed by `offhost serve` and on a
    /// cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(value: &i32) -> bool {
    *value == 0
}

/// A language whose packages can be installed alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum InstallLanguage {
    /// R packages (PK1).
    R,
    /// Python packages (PK2).
    Python,
    /// Packages of Node.js.
    Node,
}

/// Which deployment of the content item.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BundleRef {
    /// A directory or archive with the content; a relative path counts from the job file. On a cluster it is relative to
    /// the directory `incoming` of the data volume and can not lead out of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub path: Option<String>,
    /// The number of a bundle that is already deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub id: Option<String>,
    /// An archive that is sent to the controller (Pod mode): the job waits until it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<ArchiveRef>,
}

impl BundleRef {
    /// Whether no bundle is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.path.is_none() && self.id.is_none() && self.archive.is_none()
    }
}

/// An archive, known by its digest: whoever may create the job says by it what the controller takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ArchiveRef {
    /// SHA-256 of the archive, 64 lower-case hexadecimal digits.
    #[schemars(length(min = 64, max = 64), regex(pattern = "^[0-9a-f]{64}$"))]
    pub sha256: String,
    /// Its size.
    #[schemars(range(min = 1, max = 1_099_511_627_776_i64))]
    pub bytes: i64,
}

/// What is to be done with a content item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum TaskKind {
    /// Deploy the bundle and nothing else.
    Deploy,
    /// Install the packages of the content's lock files (PK1, PK2).
    Install,
    /// Render one document (PK3).
    Render,
    /// Render a site in place (PK4).
    RenderSite,
    /// Run a command of the content (PK8).
    Run,
}

/// One parameter of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Parameter {
    /// Name, as the report declares it.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,
    /// Value, read as YAML: `2024` is a number, `"2024"` a string, `[a, b]` a list.
    #[schemars(length(max = 65536))]
    pub value: String,
}

/// One variable, given by value or by reference (EN4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvVar {
    /// Name of the variable.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,
    /// Its value; use `valueFrom` for anything secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65536))]
    pub value: Option<String>,
    /// Where its value is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_from: Option<EnvVarSource>,
}

/// Where the value of a variable is kept. In local mode a Secret or ConfigMap is a directory
/// `secrets/NAME` or `configmaps/NAME` beside the configuration file, and a key is a file in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum EnvVarSource {
    /// A key of a Secret.
    SecretKeyRef(KeyRef),
    /// A key of a ConfigMap.
    ConfigMapKeyRef(KeyRef),
}

/// A key of a Secret or ConfigMap in the job's own namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyRef {
    /// Name of the object.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key in it.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// Which runtime and which interpreter versions to use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuntimeRequest {
    /// Name of an entry of `runtimes.yaml` (EX5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub name: Option<String>,
    /// R version, or a PEP 440 specifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub r: Option<String>,
    /// Python version, or a PEP 440 specifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub python: Option<String>,
    /// Quarto version, or a PEP 440 specifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub quarto: Option<String>,
    /// Node.js version, or a PEP 440 specifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub nodejs: Option<String>,
}

impl RuntimeRequest {
    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Limits of the process, in Kubernetes' quantities.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resources {
    /// What is set aside for the process (Pod mode); at most its limit.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "quantities::read"
    )]
    #[schemars(schema_with = "quantities::schema")]
    pub requests: BTreeMap<String, String>,
    /// What the process may not exceed: `cpu`, `memory`, `pids`, `ephemeral-storage`; in Pod mode devices such as
    /// `nvidia.com/gpu` as well.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "quantities::read"
    )]
    #[schemars(schema_with = "quantities::schema")]
    pub limits: BTreeMap<String, String>,
}

impl Resources {
    /// Whether nothing is limited or requested.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.limits.is_empty()
    }
}

/// Whether a successful result becomes the one that is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Activation {
    /// The result is served as soon as the job has succeeded.
    #[default]
    OnSuccess,
    /// The result waits until somebody activates it.
    Manual,
}

impl Activation {
    /// Whether this is the default.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
