//! A server of local mode, opened: everything that is checked once at start has been checked.

use std::path::{Path, PathBuf};

use super::error::LocalError;
use super::launcher::Launcher;
use super::probe::{self, SandboxForm};
use super::supervisor::{self, Trial};
use super::{starters, tempdir};
use crate::data::{self, DataDir, IoFailure, Swept};
use crate::identity::{self, Accounts};
use crate::plan::{self, Identity};
use crate::runtimes::{self, Discovered};
use crate::settings::{Loaded, Settings, check_paths};

/// An opened server.
#[derive(Debug)]
pub struct Server {
    /// The settings.
    pub settings: Settings,
    /// The data directory.
    pub data: DataDir,
    /// Starts the processes.
    pub launcher: Launcher,
    /// The form of the sandbox (SB1, SB2, SB9).
    pub form: SandboxForm,
    /// The interpreters of this machine (EX1, EX2).
    pub discovered: Discovered,
    /// Where the starters are.
    pub runtime_dir: PathBuf,
    /// What an earlier run that was killed had left, and is gone now.
    pub swept: Swept,
    /// The account that installs packages, and runs content that names no other (RA1).
    pub run_as: Identity,
}

impl Server {
    /// Checks the settings, the directories, the accounts, the sandbox and the supervisor, and removes what killed runs
    /// have left. Nothing of any content has run when this fails.
    ///
    /// # Errors
    /// The first thing that is wrong, in one sentence.
    pub fn open(loaded: Loaded) -> Result<Self, LocalError> {
        let problems = check_paths(&loaded);
        if !problems.is_empty() {
            return Err(LocalError::Paths(problems));
        }
        let data = open_data(&loaded)?;
        if loaded.temp_dir_is_personal {
            make_own(&loaded.settings.server.temp_dir)?;
        }
        let settings = loaded.settings;
        let accounts = gather_accounts(&settings, None)?;
        let run_as = plan::default_identity(&settings, &accounts)?;
        tempdir::check(&settings.server.temp_dir, accounts.ordinary_user.is_some())?;
        let discovered = runtimes::discover(&settings)?;
        let launcher = Launcher::beside_this_program()?;
        let temp_dir = &settings.server.temp_dir;
        let form = probe::choose(&launcher, &run_as, temp_dir, settings.sandbox.user_namespace)?;
        let masks = plan::masks(&settings);
        let trial = Trial {
            launcher: &launcher,
            mode: form.mode,
            account: &run_as,
            masks: &masks,
            temp_dir,
        };
        supervisor::check(&settings.applications.supervisor, &trial)?;
        let swept = data::sweep(&data, temp_dir);
        let runtime_dir = starters::lay_out(&data)?;
        Ok(Self {
            settings,
            data,
            launcher,
            form,
            discovered,
            runtime_dir,
            swept,
            run_as,
        })
    }
}

/// Opens the data directory; an ordinary user's own is made when it is first needed (SB9).
fn open_data(loaded: &Loaded) -> Result<DataDir, LocalError> {
    let path = &loaded.settings.server.data_dir;
    if loaded.data_dir_is_personal
        && let Some(parent) = path.parent()
    {
        std::fs::create_dir_all(parent).map_err(|source| IoFailure::new("make directory", parent, source))?;
        return Ok(DataDir::open_or_make(path)?);
    }
    Ok(DataDir::open(path)?)
}

/// An ordinary user's own directory for temporary files, which nobody else can enter.
pub(super) fn make_own(path: &Path) -> Result<(), IoFailure> {
    let mut builder = std::fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let made = builder.recursive(true).create(path);
    made.map_err(|source| IoFailure::new("make directory", path, source))
}

/// Looks up the accounts and groups that the settings and a job name.
///
/// # Errors
/// An account that exists, but whose groups can not be read.
pub fn gather_accounts(settings: &Settings, run_as: Option<&str>) -> Result<Accounts, LocalError> {
    let applications = &settings.applications;
    let names: Vec<&str> = [Some(applications.run_as.as_str()), run_as]
        .into_iter()
        .flatten()
        .collect();
    let groups: Vec<&str> = applications
        .shared_run_as_unix_group
        .as_deref()
        .into_iter()
        .collect();
    Ok(identity::gather(&names, &groups)?)
}
