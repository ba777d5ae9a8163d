//! The settings of `rstudio-pm.gcfg` that matter to Git builds. One a line.

use super::Feeds::Checked;
use super::Kind::{Bool, Count, Duration, Path, Paths};
use super::{Setting, named, setting};

#[rustfmt::skip]
pub(super) const SETTINGS: &[Setting] = &[
    setting("Server", "DataDir", Path, "/var/lib/rstudio-pm", Checked, "Everything Package Manager keeps. It is hidden from builds."),
    setting("Server", "TempDir", Path, "/tmp", Checked, "Holds `rspm-workspaces`, where each build has a temporary directory of its own. The server's own TMPDIR, if set, comes before the default."),
    setting("Server", "SockFileDir", Path, "/var/run/rstudio-pm", Checked, "Directory of the socket of Package Manager's command line. It is hidden from builds."),
    setting("Server", "LauncherDir", Path, "", Checked, "Work area of builds; below the data directory when empty."),
    setting("Server", "RVersion", Paths, "", Checked, "Home directories of R."),
    setting("Server", "PythonVersion", Paths, "", Checked, "Paths of Python."),
    setting("SQLite", "Dir", Path, "{Server.DataDir}", Checked, "The embedded database. It is hidden from builds."),
    setting("Git", "PollInterval", Duration, "5m", Checked, "How often repositories are looked at."),
    setting("Git", "BuildRetries", Count, "3", Checked, "How often a build that failed is tried again."),
    setting("Git", "BuilderDir", Path, "", Checked, "Directory of Git builds, hidden from other builds; below the data directory when empty."),
    setting("Git", "BuildConcurrency", Count, "25", Checked, "Builds of one Git builder at a time."),
    setting("Git", "AllowUnsandboxedGitBuilds", Bool, "false", Checked, "Lets Git builds run without a sandbox where there can be none."),
    named("FileStorage", "Location", Path, Checked, "Directory of this kind of stored files. It is hidden from builds."),
];
