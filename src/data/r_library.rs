//! The shared cache of R packages and the libraries made from it (PK1): packages are built aside and put into the cache
//! one by one, then a library links to them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::copy::copy_tree;
use super::copy_types::CopyOptions;
use super::dir::Owner;
use super::environments::{
    EnvironmentError, Environments, Published, Stage, name, plain, published, put_in_place,
};
use super::failure::{Context, IoFailure};
use super::lock::{Claim, FileLock};
use super::{fdio, layout, remove};
use crate::names::MOUNT_PACKRAT;

/// Where the packages of a library are being built. Dropped, it is what a kill leaves: the next sweep removes it.
#[derive(Debug)]
#[must_use]
pub struct LibraryStaging {
    version: String,
    key: String,
    claim: Claim,
    /// Held so that a second installer of this library waits.
    _alone: FileLock,
}

impl LibraryStaging {
    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.claim.path()
    }
}

impl Environments<'_> {
    /// Prepares the making of the library `target` (`packrat/VERSION/libraries/KEY`) in `staging`
    /// (`R/VERSION/staging.JOB`), a new directory of `owner`'s (FS3). While another process makes the same, `wait` waits
    /// for the lock that it is given; then it is usually present.
    ///
    /// # Errors
    /// The paths are wrong, or a directory can not be made.
    pub fn stage_library(
        &self,
        target: &Path,
        staging: &Path,
        owner: Option<Owner>,
        wait: impl FnOnce(&Path) -> Result<Option<FileLock>, IoFailure>,
    ) -> Result<Stage<LibraryStaging>, EnvironmentError> {
        let library = self.library(target, staging)?;
        let alone = match FileLock::try_exclusive(&library.lock)? {
            Some(alone) => alone,
            None => match wait(&library.lock)? {
                Some(alone) => alone,
                None => return Ok(Stage::GivenUp),
            },
        };
        if self.is_present(target) {
            return Ok(Stage::Present(self.data.path(target)));
        }
        Ok(Stage::Make(self.make_library(library, owner, alone)?))
    }

    /// As [`Self::stage_library`], whether it is present or not; `None` where another process makes the same.
    ///
    /// # Errors
    /// As for [`Self::stage_library`].
    pub fn try_stage_library(
        &self,
        target: &Path,
        staging: &Path,
        owner: Option<Owner>,
    ) -> Result<Option<LibraryStaging>, EnvironmentError> {
        let library = self.library(target, staging)?;
        let Some(alone) = FileLock::try_exclusive(&library.lock)? else {
            return Ok(None);
        };
        self.make_library(library, owner, alone).map(Some)
    }

    /// Takes over what another server has staged; `None` while that one lives.
    ///
    /// # Errors
    /// The paths are wrong, or a lock can not be made.
    pub fn adopt_library(
        &self,
        target: &Path,
        staging: &Path,
    ) -> Result<Option<LibraryStaging>, EnvironmentError> {
        let library = self.library(target, staging)?;
        let Some(alone) = FileLock::try_exclusive(&library.lock)? else {
            return Ok(None);
        };
        let claim = Claim::adopt(&library.staging)?;
        Ok(claim.map(|claim| library.claimed(claim, alone)))
    }

    fn library(&self, target: &Path, staging: &Path) -> Result<Library, EnvironmentError> {
        plain("target", target)?;
        plain("staging directory", staging)?;
        let part = |index| target.iter().nth(index).and_then(|part| part.to_str());
        let (version, key) = match (part(1), part(3)) {
            (Some(version), Some(key)) if layout::r_library(version, key) == target => (version, key),
            _ => {
                return Err(EnvironmentError::Name {
                    what: "library of R packages",
                    given: target.display().to_string(),
                });
            }
        };
        let beside = self.data.ensure(layout::r_data().join(version))?;
        // Processes see the cache read-only, also where it is still empty.
        self.data.ensure(layout::r_cache(version))?;
        Ok(Library {
            lock: beside.join(format!(".{key}.install.lock")),
            staging: self.data.path(staging),
            version: version.to_owned(),
            key: key.to_owned(),
        })
    }

    fn make_library(
        &self,
        library: Library,
        owner: Option<Owner>,
        alone: FileLock,
    ) -> Result<LibraryStaging, EnvironmentError> {
        let claim = Claim::make_anew(&library.staging)?;
        claim.give_to(owner)?;
        Ok(library.claimed(claim, alone))
    }

    /// Moves each package that the cache lacks from where it was built into the cache, then makes the library. Which ones
    /// there must be is known from the plan, not from what the process left. Can be done again where it was cut off.
    ///
    /// # Errors
    /// A package was not built, or something can not be stored.
    pub fn publish_built(
        &self,
        staging: &LibraryStaging,
        packages: &BTreeMap<String, String>,
    ) -> Result<Published, EnvironmentError> {
        let version = &staging.version;
        for (package, hash) in packages {
            if !self.has_package(version, package, hash) {
                let built = staging.path().join("v2/library").join(package).join(hash);
                self.publish_package(version, package, hash, &built.join(package))?;
            }
        }
        self.publish_library(version, &staging.key, packages)
    }

    /// Removes where packages were built, and lets others make the library.
    ///
    /// # Errors
    /// Something of it can not be removed.
    pub fn discard_library(&self, staging: LibraryStaging) -> Result<(), IoFailure> {
        staging.claim.remove()
    }

    /// Whether the cache holds a package. The package itself counts: where a kill came just before its rename, its place
    /// is there and empty.
    #[must_use]
    pub fn has_package(&self, version: &str, package: &str, hash: &str) -> bool {
        let place = self.data.path(layout::r_package(version, package, hash));
        std::fs::symlink_metadata(place).is_ok_and(|meta| meta.is_dir())
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
            Err(EnvironmentError::Io(failure))
                if failure.source.raw_os_error() == Some(Errno::XDEV.raw_os_error()) =>
            {
                copy_in_place(built, &place)?
            }
            put => put?,
        };
        if !put {
            remove::remove_tree(built)?;
        }
        Ok(published(put))
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
        let put = link_all(staging.path(), version, packages)
            .and_then(|()| put_in_place(staging.path(), staging.target()));
        self.discard(staging)?;
        put.map(published)
    }
}

/// The places of a library that is to be made.
struct Library {
    version: String,
    key: String,
    staging: PathBuf,
    lock: PathBuf,
}

impl Library {
    fn claimed(self, claim: Claim, alone: FileLock) -> LibraryStaging {
        LibraryStaging {
            version: self.version,
            key: self.key,
            claim,
            _alone: alone,
        }
    }
}

fn link_all(
    library: &Path,
    version: &str,
    packages: &BTreeMap<String, String>,
) -> Result<(), EnvironmentError> {
    for (package, hash) in packages {
        let package = name("package name", package)?;
        let cached = layout::r_package(version, package, name("package hash", hash)?);
        let below = cached.strip_prefix(layout::packrat()).unwrap_or(&cached);
        let link = library.join(package);
        rustix::fs::symlink(Path::new(MOUNT_PACKRAT).join(below), &link).during("make link", &link)?;
    }
    Ok(())
}

/// As a rename, where the cache is on another file system than the staging area.
fn copy_in_place(built: &Path, place: &Path) -> Result<bool, EnvironmentError> {
    let key = format!("copy-{}", std::process::id());
    let claim = Claim::make_anew(&layout::staging_beside(place, &key))?;
    let put = copy_tree(built, claim.path(), CopyOptions::default())
        .map_err(EnvironmentError::from)
        .and_then(|_| put_in_place(claim.path(), place));
    claim.remove()?;
    remove::remove_tree(built)?;
    put
}
