//! What belongs to one job while it runs: its record and log, its temporary directory, its copy of the source.

use std::fs::Permissions;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use rustix::io::Errno;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::copy::copy_tree;
use super::copy_types::{CopyError, CopyOptions, CopyStats};
use super::dir::{self, DataDir, Owner};
use super::failure::{Context, IoFailure};
use super::layout::{self, ContentId};
use super::lock::{Claim, FileLock, Probe};
use super::records::{StoreError, note_json, read_json, write_json};
use super::{fdio, remove};
use crate::names::WORKSPACES;

/// The record of a job, `jobs/XX/KEY`, claimed for as long as the job lives.
#[derive(Debug)]
pub struct JobDir {
    claim: Claim,
}

impl JobDir {
    /// Makes the record of a new job, and its log directory for `owner`.
    ///
    /// # Errors
    /// The key is taken, or a directory can not be made.
    pub fn make(
        data: &DataDir,
        content: &ContentId,
        key: &str,
        owner: Option<Owner>,
    ) -> Result<Self, IoFailure> {
        let path = data.ensure(layout::jobs().join(content.as_str()))?.join(key);
        let claim =
            Claim::make(&path)?.ok_or_else(|| IoFailure::new("make directory", &path, Errno::EXIST))?;
        let job = Self { claim };
        job.make_log(owner)?;
        Ok(job)
    }

    /// The record of a job that may have been begun before, by a server that has ended since; `None` while that one lives.
    /// Its log directory is [`Self::make_log`]'s to make.
    ///
    /// # Errors
    /// A directory can not be made.
    pub fn take(data: &DataDir, content: &ContentId, key: &str) -> Result<Option<Self>, IoFailure> {
        let path = data.ensure(layout::jobs().join(content.as_str()))?.join(key);
        if let Some(claim) = Claim::make(&path)? {
            return Ok(Some(Self { claim }));
        }
        Ok(Claim::adopt(&path)?.map(|claim| Self { claim }))
    }

    /// Makes its log directory for `owner`, unless it is there.
    ///
    /// # Errors
    /// The directory can not be made or given away.
    pub fn make_log(&self, owner: Option<Owner>) -> Result<(), IoFailure> {
        let path = self.path();
        std::fs::set_permissions(path, Permissions::from_mode(0o711)).during("set mode of", path)?;
        let log = self.log();
        match rustix::fs::mkdir(&log, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => dir::give(&log, owner),
            Err(error) => Err(IoFailure::new("make directory", log, error)),
        }
    }

    /// Whether the job of that key, which has not ended in order, is running.
    ///
    /// # Errors
    /// Its lock can not be opened.
    pub fn is_running(data: &DataDir, content: &ContentId, key: &str) -> Result<bool, IoFailure> {
        // A Pod runs on without its controller, which will say what became of it.
        if data
            .path(layout::job(content, key))
            .join(layout::ATTEMPT_RECORD)
            .exists()
        {
            return Ok(true);
        }
        let lock = layout::lock_beside(&data.path(layout::job(content, key)));
        Ok(matches!(FileLock::probe(&lock)?, Probe::Held))
    }

    /// Its directory; the job itself sees only [`Self::log`].
    #[must_use]
    pub fn path(&self) -> &Path {
        self.claim.path()
    }

    /// Its log directory.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.path().join("log")
    }

    /// Ends the job. Without it the next sweep takes it for one that was interrupted.
    pub fn close(self) {
        self.claim.release();
    }

    /// Writes `job.json`, whole or not at all.
    ///
    /// # Errors
    /// It can not be written.
    pub fn write_record(&self, record: &impl Serialize) -> Result<(), StoreError> {
        self.write(layout::JOB_RECORD, record)
    }

    /// Writes a record of another name, whole or not at all.
    ///
    /// # Errors
    /// It can not be written.
    pub fn write(&self, name: &str, record: &impl Serialize) -> Result<(), StoreError> {
        write_json(&self.path().join(name), record)
    }

    /// As [`Self::write`], but where the machine itself fails it may not be there, until another record was written.
    ///
    /// # Errors
    /// It can not be written.
    pub fn note(&self, name: &str, record: &impl Serialize) -> Result<(), StoreError> {
        note_json(&self.path().join(name), record)
    }

    /// Reads a record; `None` where there is none.
    ///
    /// # Errors
    /// It can not be read, or is damaged.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        read_json(&self.path().join(name))
    }
}

impl AsFd for JobDir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.claim.as_fd()
    }
}

/// The temporary directory of one process (TD1): `connect-workspaces/KEY`, locked by `connect-workspaces/.KEY.lock`.
#[derive(Debug)]
#[must_use]
pub struct Workspace {
    claim: Claim,
}

impl Workspace {
    /// Makes the directory (mode 0700) below `temp_dir` and gives it to `owner`.
    ///
    /// # Errors
    /// The key is taken, `connect-workspaces` belongs to somebody else, or a directory can not be made.
    pub fn make(temp_dir: &Path, key: &str, owner: Option<Owner>) -> Result<Self, IoFailure> {
        Self::make_in(&temp_dir.join(WORKSPACES), key, owner)
    }

    /// The same in this directory, which is made where it is missing.
    ///
    /// # Errors
    /// As for [`Workspace::make`].
    pub(crate) fn make_in(parent: &Path, key: &str, owner: Option<Owner>) -> Result<Self, IoFailure> {
        let parent = workspaces(parent)?;
        let path = parent.join(key);
        let claim =
            Claim::make(&path)?.ok_or_else(|| IoFailure::new("make directory", &path, Errno::EXIST))?;
        let workspace = Self { claim };
        match workspace.claim.give_to(owner) {
            Ok(()) => Ok(workspace),
            Err(failure) => {
                workspace.remove()?;
                Err(failure)
            }
        }
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.claim.path()
    }

    /// Removes the directory and all that the process left in it.
    ///
    /// # Errors
    /// Something can not be removed; the next sweep tries again.
    pub fn remove(self) -> Result<(), IoFailure> {
        self.claim.remove()
    }
}

/// The directory of workspaces, made (mode 0711) where it is missing. In `/tmp` anybody can have made it first.
fn workspaces(path: &Path) -> Result<PathBuf, IoFailure> {
    let path = path.to_owned();
    match rustix::fs::mkdir(&path, Mode::from_raw_mode(0o711)) {
        Ok(()) => {
            let made = fdio::open_dir_nofollow(&path).during("open", &path)?;
            rustix::fs::fchmod(made, Mode::from_raw_mode(0o711)).during("set mode of", &path)?;
        }
        Err(Errno::EXIST) => {}
        Err(error) => return Err(IoFailure::new("make directory", path, error)),
    }
    let meta = std::fs::symlink_metadata(&path).during("read", &path)?;
    let mine = meta.uid() == rustix::process::geteuid().as_raw() && meta.mode() & 0o022 == 0;
    if meta.is_dir() && mine {
        Ok(path)
    } else {
        let action = "use (another account owns it or can write in it; remove it or change Server.TempDir)";
        Err(IoFailure::new(action, path, Errno::PERM))
    }
}

/// The fresh copy of a bundle that one render works on (RD1): `reports/v2/XX/YY/temp.render.TT`.
#[derive(Debug)]
#[must_use]
pub struct SourceCopy {
    claim: Claim,
    /// What was copied.
    pub stats: CopyStats,
}

impl SourceCopy {
    /// Copies the bundle for the job `key`; the copy belongs to `owner`.
    ///
    /// # Errors
    /// The bundle can not be copied; nothing of the copy is left.
    pub fn make(
        data: &DataDir,
        content: &ContentId,
        bundle: u64,
        key: &str,
        owner: Option<Owner>,
    ) -> Result<Self, CopyError> {
        let path = data.path(layout::source_copy(content, bundle, key));
        data.ensure(layout::content_reports(content).join(bundle.to_string()))?;
        let claim =
            Claim::make(&path)?.ok_or_else(|| IoFailure::new("make directory", &path, Errno::EXIST))?;
        let source = data.path(layout::bundle(content, bundle));
        match copy_tree(
            &source,
            &path,
            CopyOptions {
                owner,
                ..CopyOptions::default()
            },
        ) {
            Ok(stats) => Ok(Self { claim, stats }),
            Err(error) => {
                remove::remove_tree(&path)?;
                claim.release();
                Err(error)
            }
        }
    }

    /// Takes over the copy of the job `key` that another server has made; `None` while that one lives.
    ///
    /// # Errors
    /// Its lock can not be made.
    pub fn adopt(
        data: &DataDir,
        content: &ContentId,
        bundle: u64,
        key: &str,
    ) -> Result<Option<Self>, IoFailure> {
        data.ensure(layout::content_reports(content).join(bundle.to_string()))?;
        let stats = CopyStats::default();
        let claim = Claim::adopt(&data.path(layout::source_copy(content, bundle, key)))?;
        Ok(claim.map(|claim| Self { claim, stats }))
    }

    /// Makes the directory of a copy that the job `key` fills itself, for `owner`, or takes it over where it is there;
    /// `None` where somebody else has it.
    ///
    /// # Errors
    /// The directory can not be made.
    pub fn take_empty(
        data: &DataDir,
        content: &ContentId,
        bundle: u64,
        key: &str,
        owner: Option<Owner>,
    ) -> Result<Option<Self>, IoFailure> {
        let path = data.path(layout::source_copy(content, bundle, key));
        data.ensure(layout::content_reports(content).join(bundle.to_string()))?;
        let claim = match Claim::make(&path)? {
            Some(claim) => claim,
            None => match Claim::adopt(&path)? {
                Some(claim) => claim,
                None => return Ok(None),
            },
        };
        claim.give_to(owner)?;
        let stats = CopyStats::default();
        Ok(Some(Self { claim, stats }))
    }

    /// The copy.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.claim.path()
    }

    /// Removes the copy.
    ///
    /// # Errors
    /// Something can not be removed; the next sweep tries again.
    pub fn remove(self) -> Result<(), IoFailure> {
        self.claim.remove()
    }
}
