//! The settings of `rstudio-pm.gcfg` that matter to Git builds. One a line.

use super::Feeds::{Checked, Field};
use super::Kind::{
    Bool, Choice, Count, Decimal, Duration, Labels, Object, Objects, Path, Paths, Size, SubPath, Text,
    Tolerations,
};
use super::kubernetes::{IMAGE_VOLUMES, PULL_POLICIES};
use super::{Setting, named, setting};

/// Where builds run.
const EXECUTORS: &[&str] = &["sandbox", "kubernetes"];

#[rustfmt::skip]
pub(super) const SETTINGS: &[Setting] = &[
    setting("Server", "DataDir", Path, "/var/lib/rstudio-pm", Field("builds.data_dir"), "Everything Package Manager keeps. It is hidden from builds."),
    setting("Server", "TempDir", Path, "/tmp", Field("builds.temp_dir"), "Holds `rspm-workspaces`, where each build has a temporary directory of its own. The server's own TMPDIR, if set, comes before the default."),
    setting("Server", "SockFileDir", Path, "/var/run/rstudio-pm", Field("builds.sock_file_dir"), "Directory of the socket of Package Manager's command line. It is hidden from builds."),
    setting("Server", "LauncherDir", Path, "", Checked, "Work area of builds; below the data directory when empty."),
    setting("Server", "RVersion", Paths, "", Field("builds.r_version"), "Home directories of R, as in `/opt/R/4.4.1`; the first that answers builds. Looked for in the usual places when there is none."),
    setting("Server", "PythonVersion", Paths, "", Checked, "Paths of Python."),
    setting("SQLite", "Dir", Path, "{Server.DataDir}", Field("builds.sqlite_dir"), "The embedded database. It is hidden from builds."),
    setting("Git", "PollInterval", Duration, "5m", Field("builds.poll_interval"), "How often `offhost builder` looks at a repository whose builder says nothing else."),
    setting("Git", "BuildRetries", Count, "3", Field("builds.build_retries"), "How often a build is tried at most."),
    setting("Git", "BuilderDir", Path, "{Server.DataDir}/git", Field("builds.builder_dir"), "What `offhost builder` remembers of its builds. It is hidden from builds."),
    setting("Git", "BuildConcurrency", Count, "25", Field("builds.build_concurrency"), "Builds of one Git builder at a time, where it builds tags; one that builds commits has one."),
    setting("Git", "AllowUnsandboxedGitBuilds", Bool, "false", Field("builds.allow_unsandboxed"), "Lets Git builds run without a sandbox where there can be none. Whoever writes such a package can then do what the server can."),
    setting("Sandbox", "MemoryLimit", Size, "0", Field("builds.limits.memory"), "Memory that one step of a build and its children may use; 0 is no limit. It needs a control group that was handed to the account."),
    setting("Sandbox", "CPULimit", Decimal, "0", Field("builds.limits.cpu_millis"), "Processors that one step of a build and its children may use; 0 is no limit. It needs a control group that was handed to the account."),
    setting("Sandbox", "ProcessLimit", Count, "1024", Field("builds.limits.processes"), "How many processes and threads there may be in the sandbox of one build; 0 is no limit."),
    setting("Sandbox", "FileSizeLimit", Size, "8 GiB", Field("builds.limits.file_size"), "Largest file that a build may write; 0 is no limit."),
    setting("Sandbox", "OpenFilesLimit", Count, "0", Field("builds.limits.open_files"), "How many files one process of a build may have open; 0 keeps the limit of the account."),
    setting("Git", "BuildExecutor", Choice(EXECUTORS), "sandbox", Field("builds.pods"), "Where builds run: in a sandbox of this machine, or as Pods of the cluster (`kubernetes`), for which `[Kubernetes]`, `[Scheduler]` and `[ExecutionEnvironments]` are."),
    setting("ExecutionEnvironments", "ConfigFilePath", Path, "", Field("builds.pods.runtimes_file"), "The file that lists the images with R that build Pods can have, `runtimes.yaml`. Builds as Pods need it."),
    setting("Kubernetes", "Namespace", Object, "", Field("builds.pods.kubernetes.namespace"), "Where build Pods are made; the builder's own namespace when empty."),
    setting("Kubernetes", "DataDirPVCName", Object, "", Field("builds.pods.kubernetes.data_dir_pvc_name"), "The claim that holds `Server.DataDir`, in that namespace. Builds as Pods need it."),
    setting("Kubernetes", "DataDirPVCSubPath", SubPath, "", Field("builds.pods.kubernetes.data_dir_pvc_sub_path"), "The directory of that volume which is `Server.DataDir`; its root when empty."),
    setting("Kubernetes", "ExecImage", Text, "", Field("builds.pods.kubernetes.exec_image"), "The image with the helper. Builds as Pods need it."),
    setting("Kubernetes", "ImageVolumes", Choice(IMAGE_VOLUMES), "auto", Field("builds.pods.kubernetes.image_volumes"), "Whether that image is mounted as it is (`always`), or copied by an init container (`never`); `auto` asks the cluster."),
    setting("Kubernetes", "ImagePullPolicy", Choice(PULL_POLICIES), "", Field("builds.pods.kubernetes.image_pull_policy"), "When images are pulled; Kubernetes' own rule when empty."),
    setting("Kubernetes", "ImagePullSecret", Objects, "", Field("builds.pods.kubernetes.image_pull_secrets"), "Name of a Secret with the credentials of a registry."),
    setting("Kubernetes", "ServiceAccount", Object, "", Field("builds.pods.kubernetes.service_account"), "Service account of build Pods; its token is not mounted."),
    setting("Kubernetes", "RuntimeClassName", Object, "", Field("builds.pods.kubernetes.runtime_class_name"), "Runtime class of build Pods."),
    setting("Kubernetes", "PriorityClassName", Object, "", Field("builds.pods.kubernetes.priority_class_name"), "Priority class of build Pods."),
    setting("Kubernetes", "UserNamespaces", Bool, "false", Field("builds.pods.kubernetes.user_namespaces"), "Runs each build Pod in a user namespace of its own. The account of the builder then needs ids up to 65535."),
    setting("Kubernetes", "NodeSelector", Labels, "", Field("builds.pods.kubernetes.node_selector"), "Label that nodes of builds must have, as `pool=builds`."),
    setting("Kubernetes", "Toleration", Tolerations, "", Field("builds.pods.kubernetes.tolerations"), "Taint that build Pods tolerate, as `pool=builds:NoSchedule` or `spot:NoExecute:300` (seconds)."),
    setting("Kubernetes", "TmpSizeLimit", Size, "4Gi", Field("builds.pods.kubernetes.tmp_size_limit"), "Most that a build may keep in its temporary directory, which is also its HOME, and in `/dev/shm`; 0 is no limit."),
    setting("Kubernetes", "NodeLostSeconds", Count, "30", Field("builds.pods.kubernetes.node_lost_seconds"), "How long a build is waited for on a node that does not answer."),
    setting("Kubernetes", "StartTimeout", Duration, "15m", Field("builds.pods.start_timeout"), "How long the Pod of a build may take until R runs in it."),
    setting("Scheduler", "CPURequest", Decimal, "0", Field("builds.pods.scheduler.cpu.request"), "Processors that are reserved for a build in a Pod; 0 reserves none."),
    setting("Scheduler", "CPULimit", Decimal, "0", Field("builds.pods.scheduler.cpu.limit"), "Processors that a build in a Pod may use; 0 is no limit."),
    setting("Scheduler", "MemoryRequest", Size, "0", Field("builds.pods.scheduler.memory.request"), "Memory that is reserved for a build in a Pod; 0 reserves none."),
    setting("Scheduler", "MemoryLimit", Size, "0", Field("builds.pods.scheduler.memory.limit"), "Memory that a build in a Pod may use; 0 is no limit."),
    setting("Scheduler", "EphemeralStorageRequest", Size, "0", Field("builds.pods.scheduler.ephemeral_storage.request"), "Local disk that is reserved for a build in a Pod; 0 reserves none."),
    setting("Scheduler", "EphemeralStorageLimit", Size, "0", Field("builds.pods.scheduler.ephemeral_storage.limit"), "Local disk that a build in a Pod may use; 0 is no limit."),
    named("FileStorage", "Location", Path, Field("builds.storage"), "Directory of this kind of stored files. It is hidden from builds."),
];
