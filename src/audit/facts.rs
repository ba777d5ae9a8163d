//! What the probe is asked, and what it answers. Plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What the probe is to look at, beside what every probe looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Orders {
    /// Masked paths, as they are outside.
    pub masks: Vec<Hidden>,
    /// Directories that are put before its eyes.
    pub exposures: Vec<Exposed>,
    /// A file below a mask that the account could read, were it not for the mask.
    pub canary: PathBuf,
    /// What the canary holds.
    pub token: String,
    /// A process of the same account outside.
    pub outsider: Option<i32>,
    /// Name of an abstract socket outside.
    pub abstract_socket: Option<String>,
    /// A listening port of the machine's loopback.
    pub port: Option<u16>,
    /// Where the process says that it can answer, if it serves.
    pub ready_file: Option<PathBuf>,
}

/// A masked path, as it is outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hidden {
    /// The path, without links.
    pub path: PathBuf,
    /// Device number of the file system.
    pub device: u64,
    /// Number of the file in it.
    pub inode: u64,
    /// Other places of the machine at which the same directory is mounted.
    pub aliases: Vec<PathBuf>,
}

/// A directory that the process is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exposed {
    /// Where.
    pub path: PathBuf,
    /// Whether it must not be written.
    pub read_only: bool,
}

/// Everything that the probe has found. No value of a variable and no content of a file is among it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Who it is.
    pub account: AccountFacts,
    /// What the kernel says of its privileges.
    pub status: StatusFacts,
    /// Namespace → what `/proc/self/ns` says of it.
    pub namespaces: BTreeMap<String, String>,
    /// Its mounts.
    pub mounts: Vec<MountFact>,
    /// What it found at each masked path.
    pub masks: Vec<MaskFact>,
    /// What it could do in each exposed directory.
    pub exposures: Vec<ExposureFact>,
    /// Ways that led to the canary.
    pub canary_ways: Vec<String>,
    /// Processes that it sees and that are not of its sandbox.
    pub strangers: Vec<i32>,
    /// What it could open of processes that are not of its sandbox: `/proc/1/environ`.
    pub looked_into: Vec<String>,
    /// Whether it could signal the process outside; `None` where there was none.
    pub signalled: Option<bool>,
    /// What was tried that must be refused.
    pub attempts: Vec<Attempt>,
    /// Open descriptors, by number.
    pub descriptors: BTreeMap<i32, String>,
    /// Whether it could open a controlling terminal.
    pub terminal: bool,
    /// Names of its variables.
    pub variables: BTreeSet<String>,
    /// Its directories.
    pub places: PlaceFacts,
    /// Limit → soft and hard value, `None` where there is none.
    pub rlimits: BTreeMap<String, [Option<u64>; 2]>,
    /// Lines of `/proc/self/cgroup`.
    pub cgroups: Vec<String>,
    /// Devices that it could open for more than reading, and block devices that it could read.
    pub devices: Vec<String>,
    /// Sockets of the file system that answered.
    pub sockets: Vec<PathBuf>,
    /// Whether the abstract socket outside answered; `None` where there was none.
    pub abstract_socket: Option<bool>,
    /// Whether the port of the machine's loopback answered; `None` where there was none.
    pub loopback: Option<bool>,
    /// Directories that it could write in.
    pub writable: Vec<DirectoryFact>,
    /// Directories and files that are usually nobody else's business, and could be read.
    pub readable: Vec<PathBuf>,
    /// How far the look around went.
    pub walk: WalkFacts,
}

/// Who the probe is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountFacts {
    /// Real, effective, saved and file system user id.
    pub uids: Vec<u32>,
    /// The same of the group.
    pub gids: Vec<u32>,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

/// What the kernel says of a process's privileges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusFacts {
    /// Set → bits, of `CapInh`, `CapPrm`, `CapEff`, `CapBnd` and `CapAmb`.
    pub capabilities: BTreeMap<String, u64>,
    /// `no_new_privs`.
    pub no_new_privs: bool,
    /// 0 is none, 2 a filter.
    pub seccomp: u32,
    /// How many filters.
    pub filters: Option<u32>,
}

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MountFact {
    /// Where.
    pub at: PathBuf,
    /// Kind of file system.
    pub kind: String,
    /// Path in the file system that is shown.
    pub root: PathBuf,
    /// Device of the file system, `MAJOR:MINOR`.
    pub device: String,
}

/// What is at a masked path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskFact {
    /// The path.
    pub path: PathBuf,
    /// Whether what is there is what is there outside.
    pub bare: bool,
    /// The first names in it.
    pub entries: Vec<String>,
    /// Other places at which what is masked was found.
    pub found_at: Vec<PathBuf>,
}

/// What could be done in an exposed directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExposureFact {
    /// The directory.
    pub path: PathBuf,
    /// Whether it could be listed.
    pub readable: bool,
    /// Whether a file could be made in it.
    pub writable: bool,
}

/// Something that must be refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// What was tried.
    pub what: String,
    /// What the answer should have been, where it was another.
    pub instead: Option<String>,
}

/// The directories of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaceFacts {
    /// `TMPDIR`.
    pub tmp: Option<PathBuf>,
    /// Names in it at the start.
    pub tmp_holds: Vec<String>,
    /// Whether a program could be written there and executed; what went wrong.
    pub tmp_problem: Option<String>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// Whether that is a directory.
    pub home_exists: bool,
    /// Names in `/home`.
    pub homes: Vec<String>,
    /// Working directory.
    pub cwd: PathBuf,
}

/// A directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectoryFact {
    /// Its path.
    pub path: PathBuf,
    /// Its mode.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
}

/// How far the look around went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WalkFacts {
    /// Directories that were looked at.
    pub directories: u64,
    /// Whether it came to an end before its time was over.
    pub complete: bool,
}
