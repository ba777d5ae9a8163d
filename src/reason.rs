//! One closed list of the reasons a job can fail for: exit code, name and hint of each.

use serde::{Deserialize, Serialize};

/// Why a job has not succeeded: yet, or for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Reason {
    /// What the user wrote is wrong: settings, job file, manifest, command line.
    InvalidInput,
    /// No runtime fits.
    RuntimeNotFound,
    /// The account is missing, is root, or is outside the shared group.
    AccountRefused,
    /// No PAM session could be opened for the account.
    SessionRefused,
    /// The machine can not give a sandbox.
    SandboxUnavailable,
    /// The supervisor does not keep its promises.
    SupervisorRefused,
    /// Packages could not be installed.
    InstallFailed,
    /// The content's process failed.
    ProcessFailed,
    /// The process was ended when its time was over.
    DeadlineExceeded,
    /// The process met its memory limit.
    OutOfMemory,
    /// The process met its limit of temporary storage (Pod mode).
    OutOfStorage,
    /// The data directory could not be read or written.
    DataUnavailable,
    /// The job was stopped, or its server ended while it ran.
    Interrupted,
    /// The archive of the job has not been sent yet (Pod mode).
    AwaitingUpload,
    /// The document has no result yet that could be served.
    NothingToServe,
    /// Packages are missing, and a job installs them (Pod mode).
    Installing,
    /// The job is suspended (Pod mode).
    Suspended,
    /// A scheduling gate holds the Pod (Pod mode).
    Gated,
    /// No node fits the Pod (Pod mode).
    Unschedulable,
    /// The API server refuses the Pod: quota, admission, service account (Pod mode).
    PodRefused,
    /// The image can not be pulled (Pod mode).
    ImageUnavailable,
    /// A Secret, ConfigMap or key that the job names is missing (Pod mode).
    ReferenceNotFound,
    /// A volume can not be mounted (Pod mode).
    MountFailed,
    /// The Pod did not start in time, for another reason (Pod mode).
    StartFailed,
    /// The node was lost (Pod mode).
    NodeLost,
    /// The cluster ended the Pod: evicted, preempted, deleted (Pod mode).
    Disrupted,
}

impl Reason {
    /// All of them, in order.
    pub const ALL: [Self; Self::Disrupted as usize + 1] = [
        Self::InvalidInput,
        Self::RuntimeNotFound,
        Self::AccountRefused,
        Self::SessionRefused,
        Self::SandboxUnavailable,
        Self::SupervisorRefused,
        Self::InstallFailed,
        Self::ProcessFailed,
        Self::DeadlineExceeded,
        Self::OutOfMemory,
        Self::OutOfStorage,
        Self::DataUnavailable,
        Self::Interrupted,
        Self::AwaitingUpload,
        Self::NothingToServe,
        Self::Installing,
        Self::Suspended,
        Self::Gated,
        Self::Unschedulable,
        Self::PodRefused,
        Self::ImageUnavailable,
        Self::ReferenceNotFound,
        Self::MountFailed,
        Self::StartFailed,
        Self::NodeLost,
        Self::Disrupted,
    ];

    /// The reason of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// Stable CamelCase name: condition reason, event reason and metric label.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidInput => "InvalidInput",
            Self::RuntimeNotFound => "RuntimeNotFound",
            Self::AccountRefused => "AccountRefused",
            Self::SessionRefused => "SessionRefused",
            Self::SandboxUnavailable => "SandboxUnavailable",
            Self::SupervisorRefused => "SupervisorRefused",
            Self::InstallFailed => "InstallFailed",
            Self::ProcessFailed => "ProcessFailed",
            Self::DeadlineExceeded => "DeadlineExceeded",
            Self::OutOfMemory => "OutOfMemory",
            Self::OutOfStorage => "OutOfStorage",
            Self::DataUnavailable => "DataUnavailable",
            Self::Interrupted => "Interrupted",
            Self::AwaitingUpload => "AwaitingUpload",
            Self::NothingToServe => "NothingToServe",
            Self::Installing => "Installing",
            Self::Suspended => "Suspended",
            Self::Gated => "Gated",
            Self::Unschedulable => "Unschedulable",
            Self::PodRefused => "PodRefused",
            Self::ImageUnavailable => "ImageUnavailable",
            Self::ReferenceNotFound => "ReferenceNotFound",
            Self::MountFailed => "MountFailed",
            Self::StartFailed => "StartFailed",
            Self::NodeLost => "NodeLost",
            Self::Disrupted => "Disrupted",
        }
    }

    /// Exit code of the command line for this reason, where no process ran whose own code is passed on.
    /// 64 to 78 are those of `sysexits.h`; 124 is what `timeout(1)` gives.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::InvalidInput | Self::RuntimeNotFound | Self::ReferenceNotFound => 65,
            Self::AccountRefused => 77,
            // PM2 promises this number.
            Self::SessionRefused => 70,
            Self::SandboxUnavailable => 71,
            Self::SupervisorRefused => 78,
            Self::InstallFailed | Self::ProcessFailed => 1,
            Self::DeadlineExceeded => 124,
            Self::OutOfMemory => 137,
            Self::OutOfStorage | Self::DataUnavailable => 74,
            Self::Interrupted
            | Self::AwaitingUpload
            | Self::NothingToServe
            | Self::Installing
            | Self::Suspended
            | Self::Gated
            | Self::Unschedulable
            | Self::NodeLost
            | Self::Disrupted => 75,
            Self::PodRefused | Self::ImageUnavailable | Self::MountFailed | Self::StartFailed => 71,
        }
    }
}

/// How far a job is about which nothing is wrong: the reasons of conditions and events that are no [`Reason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
    /// Nothing is known yet, or what comes before is not done.
    Pending,
    /// The job can be done.
    Accepted,
    /// The job has no use for it.
    NotNeeded,
    /// All packages are installed.
    Installed,
    /// A node was found.
    Scheduled,
    /// The Pod is made and starts.
    Starting,
    /// No process runs, as nobody asks for one.
    Idle,
    /// A process is wanted, and the installation has no room for it.
    Queued,
    /// The process runs.
    Running,
    /// The Pod is being ended.
    Stopping,
    /// Done.
    Succeeded,
}

impl Progress {
    /// Stable `CamelCase` name: condition reason and event reason.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Accepted => "Accepted",
            Self::NotNeeded => "NotNeeded",
            Self::Installed => "Installed",
            Self::Scheduled => "Scheduled",
            Self::Starting => "Starting",
            Self::Idle => "Idle",
            Self::Queued => "Queued",
            Self::Running => "Running",
            Self::Stopping => "Stopping",
            Self::Succeeded => "Succeeded",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_stand_for_one_thing() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_name(reason.name()), Some(reason));
        }
        let mut names: Vec<&str> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        names.dedup();
        assert_eq!(names.len(), Reason::ALL.len());
        assert_eq!(Reason::from_name(Progress::Running.name()), None);
    }
}
