//! The files that are made for one process.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::dir::Owner;
use super::failure::{Context, IoFailure};
use super::{remove, sync};

/// Writes files, by name and content, into the new directory `directory` for `owner` alone to read: parameters may be nobody
/// else's business. They are shown to the process read-only, so owning them gives it no right to change them. What an
/// earlier try left is replaced.
///
/// # Errors
/// A file can not be written or given away.
pub fn write_inputs<'f>(
    directory: &Path,
    files: impl Iterator<Item = (&'f str, &'f [u8])>,
    owner: Option<Owner>,
) -> Result<(), IoFailure> {
    remove::remove_tree(directory)?;
    std::fs::create_dir(directory).during("make directory", directory)?;
    for (name, content) in files {
        let path = directory.join(name);
        std::fs::write(&path, content).during("write", &path)?;
        give(&path, owner, 0o400)?;
    }
    sync::sync_tree(directory)?;
    give(directory, owner, 0o500)
}

/// Gives a path of the server's own to the account of a process, for it alone.
fn give(path: &Path, owner: Option<Owner>, mode: u32) -> Result<(), IoFailure> {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).during("set mode of", path)?;
    let Some(owner) = owner else { return Ok(()) };
    std::os::unix::fs::chown(path, Some(owner.uid), Some(owner.gid)).during("give away", path)
}
