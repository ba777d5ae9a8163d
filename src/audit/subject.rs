//! One probe with all that is known of it: what it found, and what was planned.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Serialize;

use super::{Exposed, Facts};
use crate::plan::{Identity, Limits};
use crate::sandbox::SandboxMode;

/// What a probe stood for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The process of a job.
    Job,
    /// The installation of packages.
    Install,
    /// A process of an application.
    Application,
}

impl Role {
    /// What it is called.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Install => "install",
            Self::Application => "application",
        }
    }
}

/// What the probe's process was to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The form of the sandbox.
    pub mode: SandboxMode,
    /// Its account.
    pub identity: Identity,
    /// Names of its variables.
    pub variables: BTreeSet<String>,
    /// `TMPDIR`.
    pub tmp: PathBuf,
    /// `HOME` (FS5).
    pub home: PathBuf,
    /// Whether `/home` is covered.
    pub home_covered: bool,
    /// What it is shown.
    pub exposures: Vec<Exposed>,
    /// Its limits.
    pub limits: Limits,
    /// Whether it inherits a listening socket.
    pub listens: bool,
    /// The supervisor's words.
    pub supervisor: Vec<String>,
}

/// What was seen of the probe from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The layers that the helper told.
    pub layers: Vec<String>,
    /// Namespaces outside, as `/proc/self/ns` says.
    pub namespaces: std::collections::BTreeMap<String, String>,
    /// The exit code that the probe was asked for, and the one that came.
    pub exit: [Option<i32>; 2],
    /// Whether what the probe had left behind was gone when it had ended; `None` where it left nothing.
    pub nothing_left: Option<bool>,
    /// Whether its temporary directory is gone.
    pub tmp_removed: bool,
}

/// A probe with all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// What it stood for.
    pub role: Role,
    /// What it was to be.
    pub expected: Expected,
    /// What it found.
    pub facts: Facts,
    /// What was seen from outside.
    pub seen: Seen,
}
