//! Shared package environments (PK1, PK2): made aside, put in place by one rename, made once a key on a machine.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use rustix::io::Errno;

use super::copy::copy_tree;
use super::copy_types::{CopyError, CopyOptions};
use super::dir::{DataDir, Owner};
use super::failure::{Context, IoFailure};
use super::lock::{Claim, FileLock};
use super::{fdio, layout, remove, seal, sync};
use crate::names::MOUNT_PACKRAT;

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
    /// A package can not be copied into the cache.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The system refused something.
    #[error(transparent)]
    Io(#[from] IoFailure),
}

/// Whether an environment has to be made.
#[derive(Debug)]
pub enum Stage {
    /// It is there.
    Present(PathBuf),
    /// It has to be made; nobody else makes it meanwhile.
    Make(Staging),
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
    key: FileLock,
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
    data: &'a DataDir,
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
        plain("target", target)?;
        plain("staging directory", staging)?;
        if target.parent() != staging.parent() {
            let (staging, target) = (staging.to_owned(), target.to_owned());
            return Err(EnvironmentError::NotBeside { staging, target });
        }
        let place = self.data.path(target);
        if self.is_present(target) {
            return Ok(Stage::Present(place));
        }
        self.data.ensure(fdio::parent(target))?;
        let lock = layout::lock_beside(&place);
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
        let claim = Claim::make_anew(&self.data.path(staging))?;
        claim.give_to(owner)?;
        Ok(Stage::Make(Staging {
            target: place,
            claim,
            key,
        }))
    }

    /// Puts a finished environment in place: written to the disk first, then one rename that never replaces.
    ///
    /// # Errors
    /// It can not be stored; it is removed then.
    pub fn publish(&self, staging: Staging) -> Result<Published, EnvironmentError> {
        let Staging { target, claim, key } = staging;
        let put = put_in_place(claim.path(), &target);
        if !matches!(put, Ok(true)) {
            remove::remove_tree(claim.path())?;
        }
        claim.release();
        drop(key);
        Ok(if put? { Published::Here } else { Published::Before })
    }

    /// Removes an environment whose installation failed.
    ///
    /// # Errors
    /// Something of it can not be removed.
    pub fn discard(&self, staging: Staging) -> Result<(), IoFailure> {
        remove::remove_tree(staging.path())?;
        staging.claim.release();
        Ok(())
    }

    /// Makes `R/VERSION/staging.KEY`, where `owner` builds R packages (FS3).
    ///
    /// # Errors
    /// A name is wrong, or the directory can not be made.
    pub fn stage_r(&self, version: &str, key: &str, owner: Option<Owner>) -> Result<Claim, EnvironmentError> {
        let relative = layout::r_staging(name("R version", version)?, name("key", key)?);
        self.data.ensure(fdio::parent(&relative))?;
        let claim = Claim::make_anew(&self.data.path(relative))?;
        claim.give_to(owner)?;
        Ok(claim)
    }

    /// Moves one built R package from `built` into the shared cache.
    ///
    /// # Errors
    /// A name is wrong, nothing was built, or it can not be stored.
    pub fn publish_package(
        &self,
        version: &str,
        package: &str,
        hash: &str,
        built: &Path,
    ) -> Result<Published, EnvironmentError> {
        let (version, package) = (name("R version", version)?, name("package name", package)?);
        let relative = layout::r_package(version, package, name("package hash", hash)?);
        let described = std::fs::symlink_metadata(built.join("DESCRIPTION")).is_ok_and(|meta| meta.is_file());
        let real = std::fs::symlink_metadata(built).is_ok_and(|meta| meta.is_dir());
        if !(real && described) {
            return Err(EnvironmentError::NoPackage {
                package: package.to_owned(),
                path: built.to_owned(),
            });
        }
        self.data.ensure(fdio::parent(&relative))?;
        let place = self.data.path(relative);
        let put = match put_in_place(built, &place) {
            Err(failure) if failure.source.raw_os_error() == Some(Errno::XDEV.raw_os_error()) => {
                copy_in_place(built, &place)?
            }
            put => put?,
        };
        if !put {
            remove::remove_tree(built)?;
        }
        Ok(if put { Published::Here } else { Published::Before })
    }

    /// Makes the library `packrat/VERSION/libraries/KEY`: a link for each package (name to hash) to where a
    /// process sees the shared cache.
    ///
    /// # Errors
    /// A name is wrong, or the library can not be stored.
    pub fn publish_library(
        &self,
        version: &str,
        key: &str,
        packages: &BTreeMap<String, String>,
    ) -> Result<Published, EnvironmentError> {
        let target = layout::r_library(name("R version", version)?, name("key", key)?);
        let staging = layout::staging_beside(&target, key);
        let wait = |lock: &Path| FileLock::exclusive(lock).map(Some);
        let staging = match self.stage(&target, &staging, None, wait)? {
            Stage::Present(_) | Stage::GivenUp => return Ok(Published::Before),
            Stage::Make(staging) => staging,
        };
        for (package, hash) in packages {
            let package = name("package name", package)?;
            let cached = layout::r_package(version, package, name("package hash", hash)?);
            let below = cached.strip_prefix(layout::packrat()).unwrap_or(&cached);
            let link = staging.path().join(package);
            rustix::fs::symlink(Path::new(MOUNT_PACKRAT).join(below), &link).during("make link", &link)?;
        }
        self.publish(staging)
    }
}

/// Seals the top of what was made, so that its maker's account can add nothing, and renames it.
fn put_in_place(made: &Path, place: &Path) -> Result<bool, IoFailure> {
    let dir = seal::take_back(made)?;
    rustix::fs::fchmod(&dir, rustix::fs::Mode::from_raw_mode(0o755)).during("set mode of", made)?;
    sync::sync_tree(made)?;
    let put = fdio::rename_new(made, place).during("put in place", place)?;
    sync::sync_dir(fdio::parent(place))?;
    Ok(put)
}

/// As a rename, where the cache is on another file system than the staging area.
fn copy_in_place(built: &Path, place: &Path) -> Result<bool, EnvironmentError> {
    let key = format!("copy-{}", std::process::id());
    let claim = Claim::make_anew(&layout::staging_beside(place, &key))?;
    let put = copy_tree(built, claim.path(), CopyOptions::default())
        .map_err(EnvironmentError::from)
        .and_then(|_| Ok(put_in_place(claim.path(), place)?));
    remove::remove_tree(claim.path())?;
    claim.release();
    remove::remove_tree(built)?;
    put
}

fn name<'n>(what: &'static str, given: &'n str) -> Result<&'n str, EnvironmentError> {
    let odd = |letter: char| letter == '/' || letter.is_control();
    if given.is_empty() || given.starts_with('.') || given.contains(odd) {
        return Err(EnvironmentError::Name {
            what,
            given: given.to_owned(),
        });
    }
    Ok(given)
}

fn plain(what: &'static str, given: &Path) -> Result<(), EnvironmentError> {
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
