//! What the controller does on the data volume: bundles, the directories of attempts, their results, uploads.
//!
//! # Guarantees
//! Every function may be called again after a cut at any point, by this process or the next, and then goes on where it was
//! cut off. What is in progress carries the same locks as in local mode: this process holds those of its attempts in
//! memory, and after a start [`Volume::adopt`] takes them over for every job that is not finished, before anything is
//! swept. All functions block; none of them asks the API server.

mod adopt;
mod app;
mod attempt;
mod begin;
mod bundle;
mod bundle_error;
mod discard;
mod error;
mod finish;
mod held;
mod incoming;
mod publish;
mod retention;
mod state;
mod upload;
mod upload_error;
mod uploads;

use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::asked::Custody;
use crate::data::{ContentId, DataDir, Environments, IoFailure, layout};
use crate::gather::{self, Ids, Listings};
use crate::names::INCOMING;
use crate::plan::{Mode, Plan, ProcessPlan, Task};
use crate::settings::{Applications, Jobs, Settings};

pub use adopt::OpenJob;
pub use app::AppAsked;
pub use attempt::Attempt;
pub use begin::Beginning;
pub use bundle::{Asked, Bundle};
pub use bundle_error::BundleError;
pub use discard::Failure;
pub use error::VolumeError;
pub use upload::Upload;
pub use upload_error::UploadError;

/// The data volume.
#[derive(Debug)]
pub struct Volume {
    data: DataDir,
    applications: Applications,
    jobs: Jobs,
    state: state::State,
    listings: Listings,
}

impl Volume {
    /// Opens the data directory of the settings, making it where only its last component is missing, and the directory for
    /// incoming bundles.
    ///
    /// # Errors
    /// It can not be used, or belongs to another account.
    pub fn open(settings: &Settings) -> Result<Self, VolumeError> {
        let data = DataDir::open_volume(&settings.server.data_dir)?;
        let parts = [
            layout::apps(),
            layout::reports(),
            layout::jobs(),
            layout::contents(),
        ];
        for part in &parts {
            check_owner(&data.path(part))?;
        }
        data.ensure(INCOMING)?;
        uploads::make_directory(&data)?;
        allow_open_files();
        Ok(Self {
            data,
            applications: settings.applications.clone(),
            jobs: settings.jobs.clone(),
            state: state::State::default(),
            listings: Listings::default(),
        })
    }

    /// The data directory.
    #[must_use]
    pub fn data(&self) -> &DataDir {
        &self.data
    }

    /// Whether the directories of every process of a plan can be given to its account.
    ///
    /// # Errors
    /// [`VolumeError::Owner`], for the first whose can not.
    pub fn serves(&self, plan: &Plan) -> Result<(), VolumeError> {
        plan.processes.iter().try_for_each(can_own)
    }

    /// What the plan of a job is made from: its bundle, and what is installed on the volume. `job_key` is the key of its
    /// attempt, `rendering` the number of its result; any will do for a plan that only shows whether there is one.
    #[must_use]
    pub fn task(&self, bundle: &Bundle, job_key: &str, rendering: u64) -> Task {
        let ids = Ids {
            content: bundle.content.to_string(),
            bundle: bundle.bundle.to_string(),
            job_key: job_key.to_owned(),
            rendering: rendering.to_string(),
            content_image: bundle.content_image.clone(),
        };
        let facts = (*bundle.facts).clone();
        let (spec, root) = (bundle.spec.clone(), self.data.root());
        gather::task_of(Mode::Pod, ids, spec, facts, Some(root), &self.listings)
    }

    /// Whether an environment is in place; its path is that of its key.
    #[must_use]
    pub fn environment_ready(&self, path: &str) -> bool {
        Environments::new(&self.data).is_present(Path::new(path))
    }

    /// The directory with the output of an attempt's process. Content can write there: what is in it must be opened
    /// without following links.
    #[must_use]
    pub fn log_path(&self, content: &ContentId, key: &str) -> PathBuf {
        self.data.path(layout::job_log(content, key))
    }

    /// Ends what a job holds: its bundle, its upload, its attempts, and what a visitor has given for it. For a job that is
    /// finished for good and says so in its status, and for one that is deleted, after its open attempt was discarded.
    pub fn release(&self, job_uid: &str) {
        if let Some(digest) = self.state.release(job_uid) {
            self.forget_upload(&digest);
        }
        if let Err(error) = Custody(&self.data).forget_job(job_uid) {
            tracing::warn!("{error}; it is tried again with the next clean-up");
        }
    }
}

/// A controller that is not root can give nothing away: what it makes is its own account's.
fn can_own(process: &ProcessPlan) -> Result<(), VolumeError> {
    let own = rustix::process::geteuid();
    let identity = &process.identity;
    if own.is_root() || own.as_raw() == identity.uid {
        return Ok(());
    }
    Err(VolumeError::Owner {
        user: identity.user.clone(),
        uid: identity.uid,
        own: own.as_raw(),
    })
}

/// A directory of a controller that ran as another account is closed to this one.
fn check_owner(path: &Path) -> Result<(), VolumeError> {
    use std::os::unix::fs::MetadataExt;
    let owner = match std::fs::symlink_metadata(path) {
        Ok(meta) => meta.uid(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(IoFailure::new("read", path, error).into()),
    };
    let own = rustix::process::geteuid();
    if own.is_root() || own.as_raw() == owner {
        return Ok(());
    }
    Err(VolumeError::Foreign {
        path: path.to_owned(),
        owner,
        own: own.as_raw(),
    })
}

/// Each running attempt holds a handful of locks, each an open file: the usual soft limit of 1024 is soon met.
fn allow_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // Where it can not be raised, the failure that comes of it says so.
    let _ = setrlimit(Resource::Nofile, raised);
}
