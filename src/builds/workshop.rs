//! Where packages are built: this account, R as the sandbox shows it, and one build from its source to its archives.

mod notes;
mod order;
mod pods;
mod process;
mod r;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::archive::Kind;
use super::cluster::Cluster;
use super::cluster::work::Work;
use super::command::Output;
use super::deliver;
use super::error::BuildError;
use super::file::Access;
use super::git::Remote;
use super::limits;
use super::next::Staged;
use super::source::GitUrl;
use super::view::{self, Builder, Exposed, Seen};
use super::workspace;
use crate::data::IoFailure;
use crate::local::launcher::Launcher;
use crate::local::tempdir;
use crate::names::BUILD_WORKSPACES;
use crate::settings::{BuildLimits, BuildSettings, LoadedBuilds};
use notes::Notes;
pub use order::{From, Order};

/// How long a program that does nothing may take.
const TRIAL_LIMIT: Duration = Duration::from_mins(1);

/// Where a binary package is installed to, in the directory of the archives: the processes of a build may share no other.
const LIBRARY: &str = "library";

/// What the processes of one build have in common.
#[derive(Clone, Copy, Debug)]
struct Scene<'a> {
    /// What they do not see.
    hidden: &'a [PathBuf],
    /// The directories that they do see.
    exposed: &'a Exposed,
    /// What is built.
    work: &'a Work,
    /// What they may use.
    allowed: &'a Allowed,
}

/// An R that answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundR {
    /// The program.
    pub path: PathBuf,
    /// Its version.
    pub version: String,
}

/// Where packages are built.
#[derive(Debug)]
pub struct Workshop {
    settings: BuildSettings,
    builder: Builder,
    /// `None` where builds run without a sandbox, which only `Git.AllowUnsandboxedGitBuilds` allows (GB2).
    launcher: Option<Launcher>,
    /// Where builds are Pods (GB6); there is no launcher then.
    cluster: Option<Cluster>,
    /// What no build sees, besides what one builder alone has.
    secrets: Vec<PathBuf>,
    r: FoundR,
    /// Whether the limit of processes can be had without a control group.
    counts_processes: bool,
}

/// What one process of a build may use.
#[derive(Clone, Debug)]
struct Allowed {
    time: Duration,
    limits: BuildLimits,
    /// Name of its control group.
    group: String,
}

impl Workshop {
    /// Finds R in the sandbox and says so in the log (GB2). `secrets` are files that no build may see.
    ///
    /// # Errors
    /// This is root, or R can not be used in a sandbox and nobody has allowed builds without one.
    pub fn open(loaded: &LoadedBuilds, secrets: Vec<PathBuf>) -> Result<Self, BuildError> {
        let builder = this_account()?;
        let settings = loaded.settings.clone();
        if let Some(pods) = &settings.pods {
            let cluster = Cluster::open(&settings, pods)?;
            return Self::open_with(cluster, settings, builder, secrets);
        }
        if loaded.temp_dir_is_personal {
            crate::local::make_own(&settings.temp_dir)?;
        }
        tempdir::check_for(&settings.temp_dir, true, BUILD_WORKSPACES)?;
        if let Err(error) = workspace::sweep(&settings.temp_dir) {
            // Nothing of it is in the way of a build.
            tracing::warn!("{error}");
        }
        let launcher = Launcher::beside_this_program()?;
        let mut workshop = Self {
            settings,
            builder,
            launcher: Some(launcher),
            cluster: None,
            secrets,
            r: FoundR {
                path: PathBuf::new(),
                version: String::new(),
            },
            counts_processes: limits::counts_processes(&rustix::system::uname().release().to_string_lossy()),
        };
        crate::exec::leave_own_group();
        tracing::info!("attempting to detect the version of R in a user namespace sandbox");
        let refused = match workshop.find_r() {
            Ok(found) => return Ok(workshop.with(found)),
            Err(error) => error,
        };
        if !workshop.settings.allow_unsandboxed {
            return Err(refused);
        }
        tracing::warn!(
            "builds run WITHOUT a sandbox, because Git.AllowUnsandboxedGitBuilds is true and there is none here: {refused}; \
             whoever writes a package that is built can do what this account can"
        );
        workshop.launcher = None;
        let found = workshop.find_r()?;
        Ok(workshop.with(found))
    }

    fn with(mut self, found: FoundR) -> Self {
        tracing::info!(
            sandboxed = self.is_sandboxed(),
            "detected R version {} at {}",
            found.version,
            found.path.display()
        );
        self.r = found;
        self
    }

    /// Whether builds run in a sandbox, or each in a Pod.
    #[must_use]
    pub fn is_sandboxed(&self) -> bool {
        self.launcher.is_some() || self.cluster.is_some()
    }

    /// The R that builds.
    #[must_use]
    pub fn r(&self) -> &FoundR {
        &self.r
    }

    /// What is to be told of these limits on this machine: those that can not be had.
    ///
    /// # Errors
    /// [`BuildError`], where no process can be started with them.
    pub fn try_limits(&self, limits: BuildLimits) -> Result<Vec<String>, BuildError> {
        let space = self.space()?;
        let exposed = space.exposed(Some(&space.exposed(None).output));
        let log = tempfile::tempfile()
            .map_err(|error| IoFailure::new("make a file in", std::env::temp_dir(), error))?;
        let allowed = Allowed {
            time: TRIAL_LIMIT,
            limits,
            group: space.key(),
        };
        let argv = vec!["/bin/true".to_owned()];
        let scene = Scene {
            hidden: &self.hidden(&[])?,
            exposed: &exposed,
            work: &Work::new("a trial", "the limits".to_owned(), &[&allowed.group]),
            allowed: &allowed,
        };
        self.run("a trial", argv, &scene, &Output::new(log, false))
    }

    /// A repository as this account asks it.
    #[must_use]
    pub fn remote<'a>(&'a self, url: &'a GitUrl, access: &'a Access) -> Remote<'a> {
        Remote {
            url,
            access,
            home: self.builder.home.as_deref(),
        }
    }

    /// Builds a package. Its archives are whole and lie beside where they are to appear: [`deliver::place`] gives them
    /// their names.
    ///
    /// # Errors
    /// [`BuildError`]; nothing has appeared then.
    pub fn build(&self, order: &Order<'_>) -> Result<Vec<Staged>, BuildError> {
        let space = self.space()?;
        let (exposed, secrets) = match &order.from {
            From::Directory(directory) => {
                let real = directory
                    .canonicalize()
                    .map_err(|error| IoFailure::new("find", *directory, error))?;
                if !real.join(order.subdirectory).join("DESCRIPTION").is_file() {
                    return Err(BuildError::NoPackage {
                        place: directory.join(order.subdirectory).display().to_string(),
                    });
                }
                match self.cluster {
                    Some(_) => (pods::copied(&space, &real)?, Vec::new()),
                    None => (space.exposed(Some(&real)), Vec::new()),
                }
            }
            From::Git { url, access, state } => {
                let remote = self.remote(url, access);
                remote.check_out(state, order.subdirectory, &space.repository(), &space.source())?;
                (space.exposed(None), access.secrets())
            }
        };
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(order.log);
        let file = file.map_err(|error| IoFailure::new("make", order.log, error))?;
        let output = Output::new(file, order.is_shown);
        let hidden = self.hidden(&secrets)?;
        let allowed = Allowed {
            time: order.limit,
            limits: order.limits,
            group: space.key(),
        };
        let work = pods::work(order);
        let scene = Scene {
            hidden: &hidden,
            exposed: &exposed,
            work: &work,
            allowed: &allowed,
        };
        let notes = Notes::default();
        let run = |what, argv| {
            let told = self.run(what, argv, &scene, &output)?;
            notes.take(what, told);
            Ok::<_, BuildError>(())
        };
        let seen = self.seen(&exposed);
        run("R CMD build", self.build_command(&seen, order))?;
        let mut names = vec![only(&exposed.output, Kind::Source, "R CMD build")?];
        if order.products.binary {
            let archive = seen.output.join(&names[0]);
            let library = exposed.output.join(LIBRARY);
            std::fs::create_dir_all(&library)
                .map_err(|error| IoFailure::new("make directory", library, error))?;
            run("R CMD INSTALL --build", self.binary_command(&seen, &archive))?;
            names.push(only(&exposed.output, Kind::Binary, "R CMD INSTALL --build")?);
        }
        let staged = names
            .iter()
            .map(|name| deliver::stage(&exposed.output, name, order.destination));
        Ok(staged.collect::<Result<_, _>>()?)
    }

    fn seen(&self, exposed: &Exposed) -> Seen {
        match self.launcher {
            None if self.cluster.is_none() => Seen::outside(exposed),
            _ => Seen::in_sandbox(),
        }
    }

    /// What this build does not see, links followed: the helper follows none.
    fn hidden(&self, secrets: &[PathBuf]) -> Result<Vec<PathBuf>, BuildError> {
        let all: Vec<PathBuf> = self.secrets.iter().chain(secrets).cloned().collect();
        let mut real = Vec::new();
        for path in view::hidden(&self.settings, &self.builder, &all) {
            match path.canonicalize() {
                Ok(path) => real.push(path),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                // What this account can not reach, its build can not either.
                Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {}
                Err(error) => return Err(IoFailure::new("find", path, error).into()),
            }
        }
        Ok(real)
    }
}

/// The one archive of a kind that a process has left.
fn only(output: &Path, kind: Kind, what: &'static str) -> Result<String, BuildError> {
    let mut found = deliver::archives(output, kind)?;
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(BuildError::NoArchive {
            what,
            found: "none".to_owned(),
        }),
        count => Err(BuildError::NoArchive {
            what,
            found: count.to_string(),
        }),
    }
}

/// The account of this program, which must not be root (GB1).
fn this_account() -> Result<Builder, BuildError> {
    use uzers::os::unix::UserExt;
    let (uid, gid) = (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    );
    if uid == 0 {
        return Err(BuildError::Root);
    }
    let user = uzers::get_user_by_uid(uid);
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let home = home.or_else(|| user.as_ref().map(|user| user.home_dir().to_owned()));
    Ok(Builder {
        uid,
        gid,
        name: user.map(|user| user.name().to_string_lossy().into_owned()),
        home: home.filter(|home| home.is_absolute() && home.as_path() != Path::new("/")),
    })
}
