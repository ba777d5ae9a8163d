//! The typed settings that the rest of the system reads. Defaults are those of `table.rs`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::typed_authentication::Authentication;
use super::typed_database::Database;
use super::typed_gateway::{AppDefaults, Gateway};
use super::typed_pam::Pam;
use super::values::Toleration;
use crate::api::access::AccessType;
use crate::runtimes::Matching;

/// Everything the configuration says, with defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `[Server]`.
    pub server: Server,
    /// `SQLite.Dir` (`Database.Dir` in older files); masked (FS1).
    pub sqlite_dir: PathBuf,
    /// `[Database]` and `[Postgres]`.
    pub database: Database,
    /// `[Applications]`.
    pub applications: Applications,
    /// `[R]`.
    pub r: Language,
    /// `R.ConfigActive`: value of `R_CONFIG_ACTIVE` (EN5).
    pub r_config_active: String,
    /// `[Python]`.
    pub python: Language,
    /// `Python.PackageManager`: `pip`, or `uv` for content that allows it (PK2).
    pub python_package_manager: PackageManager,
    /// `[Quarto]`.
    pub quarto: Language,
    /// `[NodeJs]`.
    pub nodejs: Language,
    /// `Packages.External`: R packages taken from the system library.
    pub packages_external: Vec<String>,
    /// `[RPackageRepository "name"]`, in order.
    pub r_repositories: Vec<Repository>,
    /// `[Jobs]`.
    pub jobs: Jobs,
    /// `[Sandbox]`: settings of this system's own sandbox.
    pub sandbox: Sandbox,
    /// `[Scheduler]`: resources of a process in a Pod (SC7).
    pub scheduler: Scheduler,
    /// `[Kubernetes]`: Pod mode.
    pub kubernetes: Kubernetes,
    /// `[HTTP]`, `[HTTPS]`, `[HTTPRedirect]` and `[Gateway]`: what visitors meet.
    pub gateway: Gateway,
    /// `[PAM]`: log-in by password, and sessions around processes.
    pub pam: Pam,
    /// `[Authentication]` and `[ProxyAuth]`: who visits.
    pub authentication: Authentication,
    /// `ExecutionEnvironments.ConfigFilePath` (`Launcher.ClusterDefinition` in older files): `runtimes.yaml`.
    pub runtimes_file: Option<PathBuf>,
    /// The directory the configuration was read from; masked (FS1).
    pub config_dir: Option<PathBuf>,
}

/// `[Server]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// `Server.DataDir`.
    pub data_dir: PathBuf,
    /// `Server.TempDir` (TD2).
    pub temp_dir: PathBuf,
    /// `Server.ManifestDir`: the manifests of `offhost serve`.
    pub manifest_dir: Option<PathBuf>,
    /// `Server.RVersion`: R home directories, of older files (EX1).
    pub r_version: Vec<PathBuf>,
}

/// `[Applications]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Applications {
    /// `Applications.RunAs` (RA1).
    pub run_as: String,
    /// `Applications.MostPermissiveAccessType`: to whom content may show itself at most.
    pub most_permissive_access: AccessType,
    /// `Applications.SharedRunAsUnixGroup`; the primary group of `RunAs` when absent (RA3).
    pub shared_run_as_unix_group: Option<String>,
    /// `Applications.RunAsCurrentUser` (CU1).
    pub run_as_current_user: bool,
    /// `Applications.HomeMounting` (FS5).
    pub home_mounting: bool,
    /// `Applications.InheritSystemEnvVars` (EN2).
    pub inherit_system_env_vars: bool,
    /// `Applications.ProhibitedEnvironment` (EN4).
    pub prohibited_environment: Vec<String>,
    /// `Applications.Supervisor`, split into words (SV1).
    pub supervisor: Vec<String>,
    /// `Applications.Pandoc1Dir` (EN6).
    pub pandoc1_dir: Option<PathBuf>,
    /// `Applications.Pandoc2Dir` (EN6).
    pub pandoc2_dir: Option<PathBuf>,
    /// `Applications.Pandoc211Dir` (EN6).
    pub pandoc211_dir: Option<PathBuf>,
    /// `Applications.MaxLogSize`: bytes of output kept of one process of an application.
    pub max_log_size: u64,
    /// `Applications.BundleRetentionLimit`: bundles kept per content item; 0 keeps all.
    pub bundle_retention_limit: u32,
    /// `Applications.RenderingSweepLimit`: results kept per variant; 0 keeps all (RD4).
    pub rendering_sweep_limit: u32,
    /// `Applications.RenderingSweepAge`, in seconds: older results are removed; 0 keeps all (RD4).
    pub rendering_sweep_age_seconds: u64,
    /// `Applications.ParameterResultLimit`: results kept per document and visitor; 0 offers no form (PK6).
    pub parameter_result_limit: u32,
    /// `Applications.ParameterResultAge`, in seconds; 0 keeps them (PK6).
    pub parameter_result_age_seconds: u64,
}

impl Applications {
    /// For how many days a result that a visitor has asked for is kept; none where it is kept for ever.
    #[must_use]
    pub fn parameter_result_days(&self) -> Option<u64> {
        let seconds = self.parameter_result_age_seconds;
        (seconds > 0).then(|| (seconds / 86_400).max(1))
    }
}

/// `[R]`, `[Python]` or `[Quarto]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Language {
    /// `Enabled`.
    pub enabled: bool,
    /// `Executable`, repeatable (EX1).
    pub executable: Vec<PathBuf>,
    /// `ExecutableScanning`: look in `/opt/<language>/X` as well (EX2).
    pub executable_scanning: bool,
    /// `VersionMatching` (EX3).
    pub version_matching: Matching,
}

/// Which program installs Python packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageManager {
    /// `pip`.
    Pip,
    /// `uv`, where it is present and the content allows it.
    Uv,
}

/// One `[RPackageRepository "name"]`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Repository {
    /// Name of the subsection.
    pub name: String,
    /// `URL`; `file:` addresses are read where the installation runs.
    pub url: String,
}

/// `[Jobs]`: how long the records and logs of ended jobs are kept (PK10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jobs {
    /// `Jobs.MaxCompleted`: records kept per content item; 0 keeps all.
    pub max_completed: u32,
    /// `Jobs.MaxRunning`: jobs that `offhost serve` runs at a time.
    pub max_running: u32,
    /// `Jobs.OldestCompleted`, in seconds; 0 keeps all.
    pub oldest_completed_seconds: u64,
}

/// `[Sandbox]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sandbox {
    /// `Sandbox.MaskTmp`: cover `/tmp` and `/var/tmp` as the older product did (FS2).
    pub mask_tmp: bool,
    /// `Sandbox.UserNamespace`: `auto`, or `never` to use the mount-only form (SB2).
    pub user_namespace: bool,
    /// `Sandbox.MemoryLimit` in bytes; 0 is unlimited.
    pub memory_limit: u64,
    /// `Sandbox.CPULimit` in thousandths of a CPU; 0 is unlimited.
    pub cpu_limit_millis: u64,
    /// `Sandbox.ProcessLimit`; 0 is unlimited.
    pub process_limit: u64,
    /// `Sandbox.FileSizeLimit` in bytes; 0 is unlimited.
    pub file_size_limit: u64,
    /// `Sandbox.OpenFilesLimit`; 0 keeps the server's.
    pub open_files_limit: u64,
}

/// `[Scheduler]`: the resources of a process (SC7), and the processes of an application (SC2, SC3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scheduler {
    /// `CPURequest` and so on, in thousandths of a CPU.
    pub cpu: Amounts,
    /// `MemoryRequest` and so on, in bytes.
    pub memory: Amounts,
    /// `EphemeralStorageRequest` and so on, in bytes.
    pub ephemeral_storage: Amounts,
    /// `NvidiaGPULimit`, `MaxNvidiaGPULimit`.
    pub nvidia_gpu: Devices,
    /// `AMDGPULimit`, `MaxAMDGPULimit`.
    pub amd_gpu: Devices,
    /// `MinProcesses` and so on: applications that say nothing of their own (SC2, SC3).
    pub apps: AppDefaults,
}

/// What a process gets of one resource, and the most it may ask for. 0 is none, or no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Set aside unless the content says otherwise.
    pub request: u64,
    /// Not exceeded unless the content says otherwise.
    pub limit: u64,
    /// Bound of the request.
    pub max_request: u64,
    /// Bound of the limit.
    pub max_limit: u64,
}

/// How many devices of one kind a process gets, and the most it may ask for. 0 is none, or no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Devices {
    /// Given unless the content says otherwise.
    pub limit: u64,
    /// Bound of that.
    pub max_limit: u64,
}

/// `[Kubernetes]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kubernetes {
    /// `Kubernetes.Namespace`; the controller's own when absent.
    pub namespace: Option<String>,
    /// `Kubernetes.DataDirPVCName`: the claim of `Server.DataDir`; Pod mode needs it.
    pub data_dir_pvc_name: Option<String>,
    /// `Kubernetes.DataDirPVCSubPath`: the directory of that volume which is `Server.DataDir`; its root when absent.
    pub data_dir_pvc_sub_path: Option<String>,
    /// `Kubernetes.ExecImage`: the image with the helper and the starters; Pod mode needs it.
    pub exec_image: Option<String>,
    /// `Kubernetes.ImageVolumes`.
    pub image_volumes: ImageVolumes,
    /// `Kubernetes.ImagePullPolicy`, in Kubernetes' words.
    pub image_pull_policy: Option<&'static str>,
    /// `Kubernetes.ImagePullSecret`.
    pub image_pull_secrets: Vec<String>,
    /// `Kubernetes.ServiceAccount`, for jobs that name none.
    pub service_account: Option<String>,
    /// `Kubernetes.RuntimeClassName`.
    pub runtime_class_name: Option<String>,
    /// `Kubernetes.PriorityClassName`, for jobs that name none.
    pub priority_class_name: Option<String>,
    /// `Kubernetes.UserNamespaces`.
    pub user_namespaces: bool,
    /// `Kubernetes.NodeSelector`.
    pub node_selector: BTreeMap<String, String>,
    /// `Kubernetes.Toleration`.
    pub tolerations: Vec<Toleration>,
    /// `Kubernetes.TmpSizeLimit` in bytes; 0 is unlimited.
    pub tmp_size_limit: u64,
    /// `Kubernetes.HomeSizeLimit` in bytes; 0 is unlimited.
    pub home_size_limit: u64,
    /// `Kubernetes.NodeLostSeconds`.
    pub node_lost_seconds: u32,
    /// `Kubernetes.TTLSecondsAfterFinished`; finished jobs are kept when absent.
    pub ttl_seconds_after_finished: Option<u32>,
}

/// How the helper comes into a Pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImageVolumes {
    /// Mounted where the cluster has image volumes, else copied.
    #[default]
    Auto,
    /// Mounted.
    Always,
    /// Copied by an init container.
    Never,
}
