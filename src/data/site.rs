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

/// Replaces the directory `result` by its subdirectory `output`. At each point in between the result is unfinished,
/// because its record is written later; a sweep removes whatever a cut leaves.
pub(crate) fn promote(result: &Path, output: &Path) -> Result<(), ResultError> {
    let staging = pull_out(result, output)?;
    let spare = staging.with_extension("spare");
    fdio::exchange(&staging, result, &spare).during("replace", result)?;
    remove::remove_tree(&staging)?;
    Ok(())
}

/// Moves the output subdirectory beside the result.
pub(crate) fn pull_out(result: &Path, output: &Path) -> Result<PathBuf, ResultError> {
    let root = seal::take_back(result)?;
    let staging = staging(result);
    remove::remove_tree(&staging)?;
    let moved = move_out(root.as_fd(), output, &staging);
    match moved {
        Ok(()) => Ok(staging),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Err(ResultError::SiteDirMissing {
            output: output.to_owned(),
        }),
        Err(error) => Err(IoFailure::new("move", result.join(output), error).into()),
    }
}

/// Where a site waits while it is moved up: removed with the result if that is cut off.
pub(crate) fn staging(result: &Path) -> PathBuf {
    let name = result.file_name().unwrap_or_default().to_string_lossy();
    result.with_file_name(format!("{}site-{name}", layout::STAGING_PREFIX))
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
