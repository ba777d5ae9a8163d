//! The typed settings of Git builds, from `rstudio-pm.gcfg`.

use std::path::PathBuf;
use std::time::Duration;

use super::typed::{Kubernetes, Scheduler};

/// What Git builds take from `rstudio-pm.gcfg`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildSettings {
    /// `Server.DataDir`, hidden from builds (GB3).
    pub data_dir: PathBuf,
    /// `Server.TempDir`, with `rspm-workspaces` (GB3).
    pub temp_dir: PathBuf,
    /// `Server.SockFileDir`, hidden from builds (GB3).
    pub sock_file_dir: PathBuf,
    /// `Server.RVersion`, homes of R.
    pub r_version: Vec<PathBuf>,
    /// `SQLite.Dir`, hidden from builds (GB3).
    pub sqlite_dir: PathBuf,
    /// Every `FileStorage.Location`, hidden from builds (GB3).
    pub storage: Vec<PathBuf>,
    /// `Git.BuilderDir`, hidden from builds (GB3).
    pub builder_dir: PathBuf,
    /// `Git.PollInterval`.
    pub poll_interval: Duration,
    /// `Git.BuildRetries`: tries of one build, at least one.
    pub build_retries: u32,
    /// `Git.BuildConcurrency`: builds of one builder of tags at a time, at least one.
    pub build_concurrency: u32,
    /// `Git.AllowUnsandboxedGitBuilds` (GB2).
    pub allow_unsandboxed: bool,
    /// `[Sandbox]`: limits of builds whose builder says nothing else.
    pub limits: BuildLimits,
    /// `Git.BuildExecutor = kubernetes`: what Pods of builds are made with (GB6); `None` builds in the sandbox.
    pub pods: Option<Box<BuildPods>>,
    /// The settings file, whose directory is hidden from builds (GB3).
    pub config_file: Option<PathBuf>,
}

/// What one step of a build may use. 0 is no limit everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BuildLimits {
    /// Memory of all its processes, in bytes.
    pub memory: u64,
    /// Processors, in thousandths.
    pub cpu_millis: u64,
    /// Processes and threads at a time.
    pub processes: u64,
    /// Largest file, in bytes.
    pub file_size: u64,
    /// Files that one process has open.
    pub open_files: u64,
}

/// What Pods of builds are made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildPods {
    /// `[Kubernetes]`.
    pub kubernetes: Kubernetes,
    /// The resources of `[Scheduler]`; nothing else of it.
    pub scheduler: Scheduler,
    /// `ExecutionEnvironments.ConfigFilePath`.
    pub runtimes_file: Option<PathBuf>,
    /// `Kubernetes.StartTimeout`, at least a second.
    pub start_timeout: Duration,
}
