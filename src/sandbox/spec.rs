//! What `offhost-exec` reads from its inherited descriptor: one process in one sandbox. Plain data.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One process and the sandbox around it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SandboxSpec {
    /// How the sandbox is made.
    pub mode: SandboxMode,
    /// Command line; the first word is an absolute path or is looked for in the `PATH` of `env`.
    pub argv: Vec<String>,
    /// Complete environment, `NAME=value`.
    pub env: Vec<String>,
    /// Working directory, entered after the mounts are in place.
    pub cwd: PathBuf,
    /// User id; never 0.
    pub uid: u32,
    /// Group id; never 0.
    pub gid: u32,
    /// Complete supplementary groups (RA6).
    pub groups: Vec<u32>,
    /// Paths that become empty and unreadable, before `binds` are put in place (FS1).
    pub masks: Vec<MaskPath>,
    /// Directories that are put in place, in order, sources resolved before any mask (FS3).
    pub binds: Vec<Bind>,
    /// Resource limits of the process.
    pub rlimits: Vec<Rlimit>,
    /// Control group limits, where the machine has the controllers.
    pub cgroup: Option<CgroupSpec>,
    /// Killed after this many milliseconds.
    pub timeout_ms: Option<u64>,
    /// Time between SIGTERM and SIGKILL when the launcher is told to end.
    pub grace_ms: u64,
    /// How it serves, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serve: Option<ServeSpec>,
}

/// How a process serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServeSpec {
    /// The file that it makes when it can answer. Its directory is made in the sandbox, as the process's account.
    pub ready_file: PathBuf,
    /// Time between SIGINT and SIGTERM, where its end begins with SIGINT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interrupt_ms: Option<u64>,
}

/// How the sandbox is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SandboxMode {
    /// Root, with a user namespace (SB1).
    RootUserns,
    /// Root, mounts and PID namespace only (SB2).
    Root,
    /// An ordinary user, as themselves (SB9).
    Unprivileged,
}

/// One masked path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskPath {
    /// The path; a directory becomes an empty one, a file becomes empty.
    pub path: PathBuf,
    /// Whether its absence is an error.
    pub required: bool,
}

/// One exposed directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bind {
    /// What is shown; `None` shows a new empty directory: mode 0755 read-only, 1777 otherwise.
    pub source: Option<PathBuf>,
    /// Where it is shown. Made in the sandbox's own mounts where it does not exist, never on the machine.
    pub target: PathBuf,
    /// Whether it can be written.
    pub read_only: bool,
}

/// One resource limit, soft and hard alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rlimit {
    /// Which.
    pub resource: RlimitName,
    /// Its value.
    pub limit: u64,
}

/// Resource limits that can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RlimitName {
    /// Core dumps, in bytes.
    Core,
    /// Size of a written file, in bytes.
    Fsize,
    /// Open files.
    Nofile,
    /// Processes of the account.
    Nproc,
}

/// Control group limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CgroupSpec {
    /// Name of the group, made below `offhost`.
    pub name: String,
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
    /// CPU in thousandths of a core.
    pub cpu_millis: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
}

/// What `offhost-exec` says on its report descriptor, one JSON object a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Report {
    /// The process runs: every mandatory layer was read back as in force.
    Started {
        /// Process id of the sandbox's first process, seen from outside.
        pid: i32,
        /// Layers in force, for people.
        layers: Vec<String>,
    },
    /// The process has said that it can answer.
    Ready,
    /// The sandbox could not be made; nothing of the content ran.
    Failed {
        /// The step.
        step: String,
        /// What was refused, with path and cause.
        message: String,
        /// What to do about it.
        hint: String,
    },
    /// Limits that the process has met, said before its end where there are any.
    Met(Met),
    /// The process ended.
    Ended {
        /// Exit code, if it exited.
        code: Option<i32>,
        /// Signal, if it was ended by one.
        signal: Option<i32>,
        /// Why the launcher ended it, or which limit it met.
        cause: Option<EndCause>,
    },
}

/// Limits that a process has met without being ended for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Met {
    /// How often a new process or thread was refused.
    pub refused_processes: u64,
    /// For how many milliseconds its processes and threads together waited for a processor that they may not use.
    pub throttled_ms: u64,
}

/// Why a process was ended, where it was not its own doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndCause {
    /// Its time was over.
    Timeout,
    /// It used more memory than its control group allows.
    Memory,
    /// The launcher was told to end it.
    Stopped,
}
