//! A site's output subdirectory becomes the root of the result (ST2).

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs;
use rustix::io::Errno;

use super::failure::{Context, IoFailure};
use super::result_error::ResultError;
use super::{fdio, layout, remove, seal};

/// The output subdirectory in plain form; `None` where the site is rendered into its own directory (ST3).
pub(crate) fn output_dir(given: Option<&Path>) -> Result<Option<PathBuf>, ResultError> {
    let Some(given) = given else { return Ok(None) };
    let mut plain = PathBuf::new();
    for part in given.components() {
        match part {
            Component::CurDir => {}
            Component::Normal(name) => plain.push(name),
            _ => {
                return Err(ResultError::SiteDirOutside {
                    given: given.to_owned(),
                });
            }
        }
    }
    Ok(if plain.as_os_str().is_empty() {
        None
    } else {
        Some(plain)
    })
}

/// Replaces the directory `result` by its subdirectory `output`, in three renames: the output beside the result, the
/// source away, the output into its place. What each step leaves says which is next, so that another server can go on
/// where one was cut off. The source is removed by [`forget_source`] once the result has its record.
pub(crate) fn promote(result: &Path, output: &Path) -> Result<(), ResultError> {
    let (site, source) = (staging(result), source(result));
    let is_there = |path: &Path| std::fs::symlink_metadata(path).is_ok();
    if !is_there(&source) {
        if !is_there(&site) {
            pull_out(result, output, &site)?;
        }
        fs::rename(result, &source).during("take away", result)?;
    }
    if is_there(&site) && !is_there(result) {
        fs::rename(&site, result).during("put in place", result)?;
    }
    Ok(())
}

/// Removes the source that a site was made from. The next sweep removes what this can not.
pub(crate) fn forget_source(result: &Path) {
    drop(remove::remove_tree(&source(result)));
}

/// Removes what is left of the steps of [`promote`].
pub(crate) fn discard(result: &Path) -> Result<(), IoFailure> {
    remove::remove_tree(&staging(result))?;
    remove::remove_tree(&source(result)).map(drop)
}

/// Moves the output subdirectory beside the result.
fn pull_out(result: &Path, output: &Path, to: &Path) -> Result<(), ResultError> {
    let root = seal::take_back(result)?;
    match move_out(root.as_fd(), output, to) {
        Ok(()) => Ok(()),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Err(ResultError::SiteDirMissing {
            output: output.to_owned(),
        }),
        Err(error) => Err(IoFailure::new("move", result.join(output), error).into()),
    }
}

/// Where a site waits while it is moved up.
fn staging(result: &Path) -> PathBuf {
    beside(result, "site")
}

/// Where the source waits until the site has its record.
fn source(result: &Path) -> PathBuf {
    beside(result, "source")
}

fn beside(result: &Path, what: &str) -> PathBuf {
    let name = result.file_name().unwrap_or_default().to_string_lossy();
    result.with_file_name(format!("{}{what}-{name}", layout::STAGING_PREFIX))
}

fn move_out(root: BorrowedFd<'_>, output: &Path, staging: &Path) -> Result<(), Errno> {
    let name = output.file_name().unwrap_or_default();
    let name = CString::new(name.as_bytes()).map_err(|_| Errno::INVAL)?;
    let parent = output.parent().unwrap_or_else(|| Path::new(""));
    let parent = fdio::open_below(root, parent)?;
    // A directory that is really there, and that can be renamed whatever its mode.
    drop(fdio::open_dir_forced(parent.as_fd(), &name)?);
    fs::renameat(&parent, &name, fs::CWD, staging)
}
