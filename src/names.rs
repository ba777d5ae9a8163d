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
/// `kind` of what is served.
pub const KIND_CONTENT_APP: &str = "ContentApp";
/// Plural of [`KIND_CONTENT_APP`].
pub const PLURAL_CONTENT_APP: &str = "contentapps";
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
/// Label of a run: the job whose schedule made it.
pub const LABEL_SCHEDULE: &str = "offhost.dev/schedule";
/// `app.kubernetes.io/name` of every content Pod; network policies select it.
pub const CONTENT_APP: &str = "offhost-content";
/// Name of the container that runs content.
pub const CONTENT_CONTAINER: &str = "content";
/// Label: name of the `ContentApp`, on its Pods.
pub const LABEL_APP_NAME: &str = "offhost.dev/app-name";
/// Label: uid of the `ContentApp`, on its Pods.
pub const LABEL_APP_UID: &str = "offhost.dev/app-uid";
/// Label of a job that makes the result of a visitor: its id (PK6).
pub const LABEL_VISITOR_RESULT: &str = "offhost.dev/visitor-result";
/// Label: key of the process, on Pods of a `ContentApp`.
pub const LABEL_PROCESS: &str = "offhost.dev/process";
/// Label: the builder whose Pods of Git builds these are, by a digest of where it keeps what it remembers.
pub const LABEL_BUILDER: &str = "offhost.dev/builder";
/// Label: key of the build, on its Pods.
pub const LABEL_BUILD: &str = "offhost.dev/build";
/// Annotation of a job that makes the result of a visitor: what was given for it that is not in the job (PK6).
pub const ANNOTATION_GIVEN: &str = "offhost.dev/given";
/// Annotation of the Pods of a Git build: what is built.
pub const ANNOTATION_BUILD_OF: &str = "offhost.dev/build-of";
/// Annotation of the Pods of a `ContentApp`: what they were made from.
pub const ANNOTATION_DEPLOYMENT: &str = "offhost.dev/deployment";
/// Annotation of the Pods of a `ContentApp`: content item and number of the bundle, `CONTENT/NUMBER`.
pub const ANNOTATION_BUNDLE: &str = "offhost.dev/bundle";
/// Annotation of the controllers' Lease: where the leader takes the links of gateways, `address:port`.
pub const ANNOTATION_HUB: &str = "offhost.dev/hub";
/// Port of a content Pod at which its application answers.
pub const APP_PORT: u16 = 8000;
/// Port of a content Pod at which the helper says when its application is ready.
pub const STATUS_PORT: u16 = 8001;
/// Port of the controller for the links of gateways.
pub const HUB_PORT: u16 = 8082;
/// Default port of the gateway.
pub const GATEWAY_PORT: u16 = 3939;
/// The descriptor on which an application finds its listening socket.
pub const LISTEN_FD: i32 = 3;
/// Directory below a process's TMPDIR in which it says that it is ready.
pub const SERVE_DIR: &str = ".offhost";
/// File in [`SERVE_DIR`] that says so.
pub const READY_FILE: &str = "ready";
/// Socket in [`SERVE_DIR`] of applications that can not take a descriptor.
pub const APP_SOCKET: &str = "app.sock";
/// Path of the gateway below which content is found that names none.
pub const CONTENT_PREFIX: &str = "/content";
/// Name of the gateway's session cookie.
pub const SESSION_COOKIE: &str = "offhost-session";
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
/// The shared environments of Node.js packages, while one is made.
pub const MOUNT_NODE: &str = "/opt/rstudio-connect/mnt/node-environments";
/// The packages of a Node.js application: beside `MOUNT_APP`, because Node.js looks in the parents of a file's directory.
pub const MOUNT_NODE_MODULES: &str = "/opt/rstudio-connect/mnt/node_modules";
/// The job's log directory (FS3).
pub const MOUNT_LOG: &str = "/opt/rstudio-connect/mnt/log";
/// The starters of `runtime/`; outside `MOUNT_DIR` on purpose (PW3).
pub const MOUNT_RUNTIME: &str = "/opt/offhost/runtime";
/// Files made for one process: its parameters, its list of packages. Read-only; outside `MOUNT_DIR` on purpose (PW3).
pub const MOUNT_INPUTS: &str = "/opt/offhost/inputs";

/// Directory below `Server.TempDir` that holds the per-process temporary directories (TD2).
pub const WORKSPACES: &str = "connect-workspaces";
/// Directory below `Server.TempDir` with a directory of its own for each Git build (GB3).
pub const BUILD_WORKSPACES: &str = "rspm-workspaces";
/// Configuration directory of Git builds; always hidden from them (GB3).
pub const BUILD_CONFIG_DIR: &str = "/etc/rstudio-pm";
/// Where a Git build sees the source of its package (GB4).
pub const MOUNT_BUILD_SOURCE: &str = "/opt/offhost/build/source";
/// Where a Git build writes its archive (GB4).
pub const MOUNT_BUILD_OUTPUT: &str = "/opt/offhost/build/output";
/// Default configuration directory; always masked (FS1).
pub const CONFIG_DIR: &str = "/etc/rstudio-connect";
/// Default configuration file.
pub const CONFIG_FILE: &str = "/etc/rstudio-connect/rstudio-connect.gcfg";
/// Prefix of the variables that override settings: `OFFHOST_SECTION_KEY` (CN1).
pub const ENV_PREFIX: &str = "OFFHOST_";
/// Name of the helper program, installed beside `offhost`.
pub const EXEC_PROGRAM: &str = "offhost-exec";
/// First word of the helper's command line as the probe of `offhost audit`.
pub const PROBE: &str = "probe";
/// Exit code of that probe: one that nothing gives by itself, to see it come through (SB8).
pub const AUDIT_CODE: u8 = 43;
/// Name of the program that calls PAM, installed beside `offhost`.
pub const PAM_PROGRAM: &str = "offhost-pam";
/// Directory below each control group controller that holds the groups of jobs.
pub const CGROUP_PARENT: &str = "offhost";
/// What a layer says that stands for a limit the machine can not give.
pub const LIMIT_MISSING: &str = "limit not in force";

/// The ways in which a page of Shiny may speak with its process, in the order in which it tries them (PR2).
pub const PROTOCOLS: [&str; 7] = [
    "websocket",
    "xhr-streaming",
    "iframe-eventsource",
    "iframe-htmlfile",
    "xhr-polling",
    "iframe-xhr-polling",
    "jsonp-polling",
];
