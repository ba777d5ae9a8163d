//! A server of local mode, opened: everything that is checked once at start has been checked.

use std::path::{Path, PathBuf};

use super::error::LocalError;
use super::index::Index;
use super::launcher::Launcher;
use super::pam::Sessions;
use super::probe::{self, SandboxForm};
use super::supervisor::{self, Trial};
use super::{servers, starters, tempdir};
use crate::data::{self, DataDir, IoFailure, Swept};
use crate::gather;
use crate::plan::{self, Identity, Mode};
use crate::runtimes::{self, Discovered};
use crate::settings::{Loaded, Settings, check_paths};
use crate::state::{Address, State};

/// An opened server.
#[derive(Debug)]
pub struct Server {
    /// The settings.
    pub settings: Settings,
    /// The data directory.
    pub data: DataDir,
    /// What is remembered of jobs, schedules and log-ins (CN3).
    pub state: State,
    /// Starts the processes.
    pub launcher: Launcher,
    /// The PAM sessions around processes, if the settings ask for them (PM1).
    pub sessions: Option<Sessions>,
    /// The form of the sandbox (SB1, SB2, SB9).
    pub form: SandboxForm,
    /// The interpreters of this machine (EX1, EX2).
    pub discovered: Discovered,
    /// Where the starters are.
    pub runtime_dir: PathBuf,
    /// What an earlier run that was killed had left, and is gone now.
    pub swept: Swept,
    /// Whether the output of processes is shown on this program's own: a server that runs for long only keeps it.
    pub shows_output: bool,
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
        let state = State::of_data(&Address::of(&settings)?, &data)?;
        let accounts = gather::accounts(Mode::Local, &settings, None)?;
        let run_as = plan::default_identity(&settings, &accounts)?;
        tempdir::check(&settings.server.temp_dir, accounts.ordinary_user.is_some())?;
        let discovered = runtimes::discover(&settings)?;
        let launcher = Launcher::beside_this_program()?;
        let sessions = Sessions::open(&settings.pam)?;
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
        servers::lay_out(&runtime_dir)?;
        Ok(Self {
            settings,
            data,
            state,
            launcher,
            sessions,
            form,
            discovered,
            runtime_dir,
            swept,
            shows_output: true,
            run_as,
        })
    }
}

impl Server {
    /// The index of content items.
    #[must_use]
    pub fn index(&self) -> Index<'_> {
        Index {
            data: &self.data,
            settings: &self.settings,
            state: &self.state,
        }
    }

    /// What starts a process that runs as this account: in a PAM session, where the settings ask for one (PM1).
    #[must_use]
    pub fn launcher_for(&self, identity: &Identity) -> Launcher {
        let launcher = self.launcher.clone();
        match &self.sessions {
            Some(sessions) => launcher.in_session(sessions.of_account(&identity.user)),
            None => launcher,
        }
    }

    /// The same for a process that runs as its visitor: with the visitor's password, where those are forwarded (PM3).
    ///
    /// # Errors
    /// [`LocalError::Pam`] where it is not kept any more.
    pub fn launcher_for_visitor(&self, identity: &Identity) -> Result<Launcher, LocalError> {
        let launcher = self.launcher.clone();
        Ok(match &self.sessions {
            Some(sessions) => launcher.in_session(sessions.of_visitor(&identity.user)?),
            None => launcher,
        })
    }
}

/// Opens the data directory; an ordinary user's own is made when it is first needed (SB9).
pub(super) fn open_data(loaded: &Loaded) -> Result<DataDir, LocalError> {
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
pub(crate) fn make_own(path: &Path) -> Result<(), IoFailure> {
    let mut builder = std::fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let made = builder.recursive(true).create(path);
    made.map_err(|source| IoFailure::new("make directory", path, source))
}
