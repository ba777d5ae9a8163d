//! Why a package was not built.

use std::path::PathBuf;
use std::time::Duration;

use super::cluster::{ClusterError, outcome};
use super::file::FileError;
use super::refs::RefError;
use super::source::SourceError;
use crate::data::{CopyError, IoFailure};
use crate::local::launcher::LaunchError;
use crate::local::tempdir::TempDirError;
use crate::reason::Reason;
use crate::settings::SettingsError;

/// Why a package was not built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The file of builders.
    #[error(transparent)]
    File(#[from] FileError),
    /// What was asked for.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// It is not in the repository.
    #[error(transparent)]
    Ref(#[from] RefError),
    /// A file operation.
    #[error(transparent)]
    Io(#[from] IoFailure),
    /// `Server.TempDir`.
    #[error(transparent)]
    TempDir(#[from] TempDirError),
    /// The sandbox.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// This program runs as root.
    #[error(
        "packages are not built by root, whose rights a sandbox could only take away; start this as an ordinary account, for example with \
         setpriv --reuid rstudio-pm --regid rstudio-pm --init-groups"
    )]
    Root,
    /// R does not answer in the sandbox.
    #[error("building packages is off, because R can not be used in the sandbox: {why}{causes}")]
    Off {
        /// Why not.
        why: String,
        /// `; ` and what can be the cause, with remedies.
        causes: String,
    },
    /// R does not answer in any Pod.
    #[error("building packages is off, because R can not be used in a Pod: {why}; it is tried again")]
    PodsOff {
        /// Why not, for each image.
        why: String,
    },
    /// Builds can not be Pods here.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The Pod of a process was not started, or was ended by the cluster or for a limit.
    #[error("{what}: {message}")]
    Pod {
        /// The process.
        what: &'static str,
        /// From the closed list.
        reason: Reason,
        /// The sentence.
        message: String,
    },
    /// A directory that can not be copied to where Pods see it.
    #[error("{}: can not be copied to Server.DataDir: {source}", .directory.display())]
    Copy {
        /// The directory.
        directory: PathBuf,
        /// The cause.
        #[source]
        source: Box<CopyError>,
    },
    /// Git could not be started.
    #[error("git can not be started: {0}; install it where the PATH of this program finds it")]
    NoGit(#[source] std::io::Error),
    /// Git has failed.
    #[error(
        "{url}: git {what} failed: {said}; look whether the address is right and what it asks for is given"
    )]
    Git {
        /// The repository.
        url: String,
        /// The command.
        what: &'static str,
        /// What it said last.
        said: String,
    },
    /// A repository of files that is another account's.
    #[error(
        "{url}: git refuses a repository that is another account's; give it to the account that builds, or serve it by http or ssh"
    )]
    NotOwn {
        /// The repository.
        url: String,
    },
    /// A host that `ssh` does not know, or that has another key than it knows.
    #[error(
        "{url}: ssh does not know the key of this host; compare it with what its owner says, and write it into known_hosts of the account"
    )]
    UnknownHost {
        /// The repository.
        url: String,
    },
    /// A host that lets the account not in.
    #[error(
        "{url}: the host refuses the private key; name one that it knows, without a passphrase, with --ssh-key (in a file of builders: sshKey)"
    )]
    KeyRefused {
        /// The repository.
        url: String,
    },
    /// An account that `ssh` does not take.
    #[error(
        "{url}: ssh does not run for an account without a name; give the one that builds an entry in /etc/passwd"
    )]
    NoName {
        /// The repository.
        url: String,
    },
    /// Git has not ended in time.
    #[error("{url}: git {what} did not end within {} s; look whether the repository can be reached and how large it is", .limit.as_secs())]
    GitTimedOut {
        /// The repository.
        url: String,
        /// The command.
        what: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// The repository is too large.
    #[error(
        "{url}: the state to build has {found}, and {allowed} is the most; build from a repository with the package alone"
    )]
    TooLarge {
        /// The repository.
        url: String,
        /// What it has.
        found: String,
        /// What is allowed.
        allowed: String,
    },
    /// The reference leads to another commit by now.
    #[error("{url}: '{name}' has moved to another commit while it was fetched; build it again")]
    Moved {
        /// The repository.
        url: String,
        /// The reference.
        name: String,
    },
    /// There is no package.
    #[error(
        "{place}: there is no file DESCRIPTION, so this is no R package; name its directory with --subdir (in a file of builders: subdir)"
    )]
    NoPackage {
        /// Where it was looked for.
        place: String,
    },
    /// A file with a password that others can read.
    #[error("{}: {problem}", .path.display())]
    Secret {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The process has failed.
    #[error("{what} {how}{}", said_last(.said))]
    Failed {
        /// `R CMD build`, or `R CMD INSTALL --build`.
        what: &'static str,
        /// How it ended.
        how: String,
        /// What it said last.
        said: String,
        /// Its exit code.
        code: Option<i32>,
        /// Whether its time was over.
        timed_out: bool,
    },
    /// The process was ended for a limit that it has met.
    #[error("{what} {how}{}", said_last(.said))]
    Limit {
        /// `R CMD build`, or `R CMD INSTALL --build`.
        what: &'static str,
        /// Which limit, and what raises it.
        how: String,
        /// What it said last.
        said: String,
        /// The reason of that limit.
        reason: Reason,
    },
    /// The process has left no archive.
    #[error("{what} has ended well and left {found} instead of one archive; look into its output")]
    NoArchive {
        /// The process.
        what: &'static str,
        /// What it left.
        found: String,
    },
    /// The end of the program was asked for.
    #[error("the build was stopped; start it again")]
    Stopped,
    /// What is remembered of builds can not be read or written.
    #[error("{}: {source}; remove the file to have everything built anew", .path.display())]
    Memory {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// The file of builders.
    #[error("the file of builders {} can not be read: {source}; name an existing, readable file with --builders", .path.display())]
    Builders {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The program itself.
    #[error("the builder can not begin: {0}; look at the limits of the account")]
    Begin(#[source] std::io::Error),
    /// Another server works on the same directory.
    #[error("another builder works in '{}'; end that one, or set another Git.BuilderDir", .0.display())]
    Busy(PathBuf),
    /// An address for health and metrics that can not be had.
    #[error("can not listen at {address}: {source}; free it or name another with --admin-listen")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

fn said_last(said: &str) -> String {
    match said {
        "" => "; it has said nothing".to_owned(),
        said => format!("; it said last: {said}"),
    }
}

impl BuildError {
    /// The reason, from the closed list.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Settings(_) | Self::File(_) | Self::Source(_) | Self::Ref(_) | Self::NoPackage { .. } => {
                Reason::InvalidInput
            }
            Self::NoGit(_)
            | Self::Secret { .. }
            | Self::Git { .. }
            | Self::NotOwn { .. }
            | Self::UnknownHost { .. }
            | Self::KeyRefused { .. }
            | Self::NoName { .. }
            | Self::TooLarge { .. }
            | Self::Listen { .. } => Reason::InvalidInput,
            Self::Root => Reason::AccountRefused,
            Self::Off { .. } | Self::PodsOff { .. } | Self::Launch(_) => Reason::SandboxUnavailable,
            Self::Limit { reason, .. } | Self::Pod { reason, .. } => *reason,
            Self::Cluster(error) => error.reason(),
            Self::Failed { timed_out: true, .. } | Self::GitTimedOut { .. } => Reason::DeadlineExceeded,
            Self::Failed { .. } | Self::NoArchive { .. } => Reason::ProcessFailed,
            Self::Stopped | Self::Moved { .. } => Reason::Interrupted,
            Self::Builders { .. } => Reason::InvalidInput,
            Self::Io(_)
            | Self::Copy { .. }
            | Self::TempDir(_)
            | Self::Busy(_)
            | Self::Memory { .. }
            | Self::Begin(_) => Reason::DataUnavailable,
        }
    }

    /// Whether it says nothing about the package: the next look tries again at once.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Stopped | Self::Moved { .. })
    }

    /// Whether it says nothing about the package, and trying again at once would be of no use: the next look builds it again, and
    /// that is no try.
    #[must_use]
    pub fn is_of_the_cluster(&self) -> bool {
        match self {
            Self::Pod { reason, .. } => outcome::is_of_the_cluster(*reason),
            Self::Cluster(_) => true,
            _ => false,
        }
    }
}
