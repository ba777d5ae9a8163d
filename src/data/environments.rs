//! Shared package environments (PK1, PK2): made aside, put in place by one rename, made once a key on a machine.

use std::path::{Component, Path, PathBuf};

use super::copy_types::CopyError;
use super::dir::{DataDir, Owner};
use super::failure::{Context, IoFailure};
use super::lock::{Claim, FileLock};
use super::{fdio, layout, seal, sync};

/// Why an environment can not be made or put in place.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// A name can not be part of a path.
    #[error("'{given}' can not be a {what}: it must be one name without '/' and without '.' in front")]
    Name {
        /// What it was to be.
        what: &'static str,
        /// The name.
        given: String,
    },
    /// The staging directory is not beside the target.
    #[error("'{}' is not beside '{}', so one rename can not put it in place; stage it in the same directory", staging.display(), target.display())]
    NotBeside {
        /// The staging directory.
        staging: PathBuf,
        /// The target.
        target: PathBuf,
    },
    /// An installation left no package.
    #[error("the installation of '{package}' left no package in '{}'; see its log", path.display())]
    NoPackage {
        /// The R package.
        package: String,
        /// Where it should be.
        path: PathBuf,
    },
    /// An installation left no environment.
    #[error("the installation left no environment in '{}'; see its log", path.display())]
    NoEnvironment {
        /// Where it should be.
        path: PathBuf,
    },
    /// Something that was installed did not reach the disk.
    #[error("what was installed could not be stored: {0}; install it again")]
    Lost(#[source] IoFailure),
    /// A package can not be copied into the cache.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The system refused something.
    #[error(transparent)]
    Io(#[from] IoFailure),
}

impl EnvironmentError {
    /// Whether the same may succeed later: the system refused something, and nothing of the environment is lost.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Io(_) | Self::Copy(CopyError::Io(_)))
    }
}

/// Whether an environment has to be made.
#[derive(Debug)]
pub enum Stage<S = Staging> {
    /// It is there.
    Present(PathBuf),
    /// It has to be made; nobody else makes it meanwhile.
    Make(S),
    /// Another one makes it, and waiting for that was given up.
    GivenUp,
}

/// An environment that is being made. Dropped, it is what a kill leaves: the next sweep removes it.
#[derive(Debug)]
#[must_use]
pub struct Staging {
    target: PathBuf,
    claim: Claim,
    /// Held so that a second installer of this key waits.
    _key: FileLock,
}

impl Staging {
    /// Where it is made.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.claim.path()
    }

    /// What it becomes.
    #[must_use]
    pub fn target(&self) -> &Path {
        &self.target
    }
}

/// Who has put an environment in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// This one.
    Here,
    /// Another one, before; this one was discarded.
    Before,
}

/// The shared environments of a data directory.
#[derive(Clone, Copy, Debug)]
pub struct Environments<'a> {
    pub(super) data: &'a DataDir,
}

impl<'a> Environments<'a> {
    /// The environments of `data`.
    #[must_use]
    pub fn new(data: &'a DataDir) -> Self {
        Self { data }
    }

    /// Whether the environment `target`, relative to `DataDir`, is in place.
    #[must_use]
    pub fn is_present(&self, target: &Path) -> bool {
        std::fs::symlink_metadata(self.data.path(target)).is_ok_and(|meta| meta.is_dir())
    }

    /// Prepares the making of `target` in `staging` (both relative to `DataDir`, beside each other; see
    /// [`layout::staging_beside`]), a new directory of `owner`'s. While another process of this machine makes the same,
    /// `wait` waits for the lock that it is given; then it is usually present.
    ///
    /// # Errors
    /// The paths are wrong, or a directory can not be made.
    pub fn stage(
        &self,
        target: &Path,
        staging: &Path,
        owner: Option<Owner>,
        wait: impl FnOnce(&Path) -> Result<Option<FileLock>, IoFailure>,
    ) -> Result<Stage, EnvironmentError> {
        let lock = self.lock_of(target, staging)?;
        let place = self.data.path(target);
        if self.is_present(target) {
            return Ok(Stage::Present(place));
        }
        self.data.ensure(fdio::parent(target))?;
        let key = match FileLock::try_exclusive(&lock)? {
            Some(key) => key,
            None => match wait(&lock)? {
                Some(key) => key,
                None => return Ok(Stage::GivenUp),
            },
        };
        if self.is_present(target) {
            return Ok(Stage::Present(place));
        }
        Ok(Stage::Make(self.make(place, staging, owner, key)?))
    }

    /// As [`Self::stage`], whether it is present or not; `None` where another process makes the same.
    ///
    /// # Errors
    /// As for [`Self::stage`].
    pub fn try_stage(
        &self,
        target: &Path,
        staging: &Path,
        owner: Option<Owner>,
    ) -> Result<Option<Staging>, EnvironmentError> {
        let lock = self.lock_of(target, staging)?;
        self.data.ensure(fdio::parent(target))?;
        let Some(key) = FileLock::try_exclusive(&lock)? else {
            return Ok(None);
        };
        self.make(self.data.path(target), staging, owner, key).map(Some)
    }

    /// Takes over what another server has staged; `None` while that one lives.
    ///
    /// # Errors
    /// The paths are wrong, or a lock can not be made.
    pub fn adopt(&self, target: &Path, staging: &Path) -> Result<Option<Staging>, EnvironmentError> {
        let lock = self.lock_of(target, staging)?;
        self.data.ensure(fdio::parent(target))?;
        let Some(key) = FileLock::try_exclusive(&lock)? else {
            return Ok(None);
        };
        let claim = Claim::adopt(&self.data.path(staging))?;
        let target = self.data.path(target);
        Ok(claim.map(|claim| Staging {
            target,
            claim,
            _key: key,
        }))
    }

    fn lock_of(&self, target: &Path, staging: &Path) -> Result<PathBuf, EnvironmentError> {
        plain("target", target)?;
        plain("staging directory", staging)?;
        if target.parent() != staging.parent() {
            let (staging, target) = (staging.to_owned(), target.to_owned());
            return Err(EnvironmentError::NotBeside { staging, target });
        }
        Ok(layout::lock_beside(&self.data.path(target)))
    }

    fn make(
        &self,
        target: PathBuf,
        staging: &Path,
        owner: Option<Owner>,
        key: FileLock,
    ) -> Result<Staging, EnvironmentError> {
        let claim = Claim::make_anew(&self.data.path(staging))?;
        claim.give_to(owner)?;
        Ok(Staging {
            target,
            claim,
            _key: key,
        })
    }

    /// Puts a finished environment in place: written to the disk first, then one rename that never replaces.
    ///
    /// # Errors
    /// It is none, or can not be stored; it is removed then.
    pub fn publish(&self, staging: Staging) -> Result<Published, EnvironmentError> {
        let published = self.try_publish(&staging);
        self.discard(staging)?;
        published
    }

    /// As [`Self::publish`], but what can not be stored stays as it is: where [`EnvironmentError::is_temporary`], it can be
    /// tried again.
    ///
    /// # Errors
    /// It is none, or can not be stored.
    pub fn try_publish(&self, staging: &Staging) -> Result<Published, EnvironmentError> {
        let made = staging.path();
        if fdio::names(made)?.is_empty() || !self.has_its_modules(staging) {
            let path = made.to_owned();
            return Err(EnvironmentError::NoEnvironment { path });
        }
        Ok(published(put_in_place(made, staging.target())?))
    }

    /// Of an environment of Node.js packages only that directory is mounted: it must be one, and no link to another.
    fn has_its_modules(&self, staging: &Staging) -> bool {
        let is_node = staging
            .target()
            .starts_with(self.data.path(layout::node_environments()));
        let modules = staging.path().join("node_modules");
        !is_node || std::fs::symlink_metadata(modules).is_ok_and(|meta| meta.is_dir())
    }

    /// Removes what is left of a staging directory, and lets others make the environment.
    ///
    /// # Errors
    /// Something of it can not be removed.
    pub fn discard(&self, staging: Staging) -> Result<(), IoFailure> {
        staging.claim.remove()
    }
}

pub(super) fn published(here: bool) -> Published {
    if here { Published::Here } else { Published::Before }
}

/// Seals the top of what was made, so that its maker's account can add nothing, and renames it.
pub(super) fn put_in_place(made: &Path, place: &Path) -> Result<bool, EnvironmentError> {
    let dir = seal::take_back(made)?;
    rustix::fs::fchmod(&dir, rustix::fs::Mode::from_raw_mode(0o755)).during("set mode of", made)?;
    // What was not written now is lost, whatever a second try says.
    sync::sync_tree(made).map_err(EnvironmentError::Lost)?;
    let put = fdio::rename_new(made, place).during("put in place", place)?;
    sync::sync_dir(fdio::parent(place))?;
    Ok(put)
}

pub(super) fn name<'n>(what: &'static str, given: &'n str) -> Result<&'n str, EnvironmentError> {
    let odd = |letter: char| letter == '/' || letter.is_control();
    if given.is_empty() || given.starts_with('.') || given.contains(odd) {
        return Err(EnvironmentError::Name {
            what,
            given: given.to_owned(),
        });
    }
    Ok(given)
}

pub(super) fn plain(what: &'static str, given: &Path) -> Result<(), EnvironmentError> {
    let named = given
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if named && given.parent().is_some() {
        return Ok(());
    }
    Err(EnvironmentError::Name {
        what,
        given: given.display().to_string(),
    })
}
