//! Every literal that two parts must agree on: API group, directories, file names, variables.

/// API group of the custom resources and of the job files.
pub const GROUP: &str = "offhost.dev";
/// Version of the custom resources.
pub const VERSION: &str = "v1alpha1";
/// `apiVersion` of a job file.
pub const API_VERSION: &str = "offhost.dev/v1alpha1";
/// `kind` of a finite task.
pub const KIND_CONTENT_JOB: &str = "ContentJob";
/// Plural of [`KIND_CONTENT_JOB`], as it stands in addresses and permissions.
pub const PLURAL_CONTENT_JOB: &str = "contentjobs";
/// Field manager of everything the controller applies, and `app.kubernetes.io/managed-by` of what it makes.
pub const FIELD_MANAGER: &str = "offhost-controller";
/// Lease of the controllers of one namespace, in that namespace: one of them works.
pub const LEASE: &str = "offhost-controller";
/// Finalizer of a job: its directories on the volume are not known to the API server.
pub const JOB_FINALIZER: &str = "offhost.dev/data";
/// Finalizer of a Pod: it stays until its outcome is in the status of its job (OH2).
pub const POD_FINALIZER: &str = "offhost.dev/result";
/// Label: name of the job, on its Pods.
pub const LABEL_JOB_NAME: &str = "offhost.dev/job-name";
/// Label: uid of the job, on its Pods.
pub const LABEL_JOB_UID: &str = "offhost.dev/job-uid";
/// Label: the content item, on Pods.
pub const LABEL_CONTENT: &str = "offhost.dev/content";
/// Label: number of the attempt, on Pods.
pub const LABEL_ATTEMPT: &str = "offhost.dev/attempt";
/// Label: digest of the environment that an install job makes.
pub const LABEL_ENVIRONMENT: &str = "offhost.dev/environment";
/// `app.kubernetes.io/name` of every content Pod; network policies select it.
pub const CONTENT_APP: &str = "offhost-content";
/// Name of the container that runs content.
pub const CONTENT_CONTAINER: &str = "content";
/// Where the image with the helper and the starters is seen in a content Pod.
pub const MOUNT_OFFHOST: &str = "/opt/offhost";
/// The helper in a content Pod.
pub const MOUNT_EXEC: &str = "/opt/offhost/bin/offhost-exec";
/// The deployed source in a content Pod, read-only, from which its working copy is made.
pub const MOUNT_SOURCE: &str = "/opt/offhost/source";
/// Port of the controller that takes archives.
pub const UPLOAD_PORT: u16 = 8081;
/// Directory below `DataDir` with bundles that jobs on a cluster name by path.
pub const INCOMING: &str = "incoming";

/// Where content sees its directories (PW1). Not customisable, as in the products whose content this runs.
pub const MOUNT_DIR: &str = "/opt/rstudio-connect/mnt";
/// The unpacked source, and the working directory (PW1).
pub const MOUNT_APP: &str = "/opt/rstudio-connect/mnt/app";
/// The output directory of a render (PW1).
pub const MOUNT_REPORT: &str = "/opt/rstudio-connect/mnt/report";
/// Staging area of R package installation (PW1, FS3).
pub const MOUNT_R: &str = "/opt/rstudio-connect/mnt/R";
/// The shared R package cache and the libraries made from it (PW1).
pub const MOUNT_PACKRAT: &str = "/opt/rstudio-connect/mnt/packrat";
/// The shared Python environments (PW1).
pub const MOUNT_PYTHON: &str = "/opt/rstudio-connect/mnt/python-environments";
/// The job's log directory (FS3).
pub const MOUNT_LOG: &str = "/opt/rstudio-connect/mnt/log";
/// The starters of `runtime/`; outside `MOUNT_DIR` on purpose (PW3).
pub const MOUNT_RUNTIME: &str = "/opt/offhost/runtime";
/// Files made for one process: its parameters, its list of packages. Read-only; outside `MOUNT_DIR` on purpose (PW3).
pub const MOUNT_INPUTS: &str = "/opt/offhost/inputs";

/// Directory below `Server.TempDir` that holds the per-process temporary directories (TD2).
pub const WORKSPACES: &str = "connect-workspaces";
/// Default configuration directory; always masked (FS1).
pub const CONFIG_DIR: &str = "/etc/rstudio-connect";
/// Default configuration file.
pub const CONFIG_FILE: &str = "/etc/rstudio-connect/rstudio-connect.gcfg";
/// Prefix of the variables that override settings: `OFFHOST_SECTION_KEY` (CN1).
pub const ENV_PREFIX: &str = "OFFHOST_";
/// Name of the helper program, installed beside `offhost`.
pub const EXEC_PROGRAM: &str = "offhost-exec";
/// Directory below each control group controller that holds the groups of jobs.
pub const CGROUP_PARENT: &str = "offhost";
/// What a layer says that stands for a limit the machine can not give.
pub const LIMIT_MISSING: &str = "limit not in force";
