//! What a deployed bundle is like: how much there is of it, and which manifest it has.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::digest::contents;
use super::failure::{Context, IoFailure};
use super::fdio;

/// The manifest of a bundle.
const MANIFEST: &CStr = c"manifest.json";

/// What was found in a bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// The size of its files.
    pub bytes: u64,
    /// SHA-256 of its manifest, in hexadecimal, if it has one.
    pub manifest: Option<String>,
}

/// Looks at the tree at `root`, in which content may be writing: no link of it is followed, nothing of it waits.
///
/// # Errors
/// Something can not be read.
pub fn measure(root: &Path) -> Result<Measured, IoFailure> {
    let dir = fdio::open_dir_nofollow(root).during("open", root)?;
    Ok(Measured {
        bytes: bytes(dir.as_fd(), 0).during("read", root)?,
        manifest: manifest(dir.as_fd()).during("read the manifest of", root)?,
    })
}

fn bytes(dir: BorrowedFd<'_>, depth: usize) -> Result<u64, Errno> {
    let mut sum = 0_u64;
    for entry in fdio::entries(dir)? {
        // What is gone meanwhile has no size.
        let Some(stat) = there(fs::statat(dir, &entry.name, AtFlags::SYMLINK_NOFOLLOW))? else {
            continue;
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => sum = sum.saturating_add(u64::try_from(stat.st_size).unwrap_or(0)),
            FileType::Directory if depth < fdio::MAX_DEPTH => {
                if let Some(below) = there(fdio::open_dir_at(dir, &entry.name))? {
                    sum = sum.saturating_add(bytes(below.as_fd(), depth + 1)?);
                }
            }
            _ => {}
        }
    }
    Ok(sum)
}

fn manifest(dir: BorrowedFd<'_>) -> std::io::Result<Option<String>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file: Option<OwnedFd> = there(fs::openat(dir, MANIFEST, flags, Mode::empty()))?;
    let Some(file) = file else {
        return Ok(None);
    };
    if FileType::from_raw_mode(fs::fstat(&file)?.st_mode) != FileType::RegularFile {
        return Ok(None);
    }
    let mut hash = Sha256::new();
    contents(&mut hash, file.into(), &mut vec![0; 64 * 1024])?;
    Ok(Some(
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
    ))
}

/// None where there is nothing of that name any more, or it has become something else.
fn there<T>(found: Result<T, Errno>) -> Result<Option<T>, Errno> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_count_and_nothing_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        std::fs::create_dir_all(tree.join("a/b")).unwrap();
        std::fs::write(tree.join("a/b/f"), "12345").unwrap();
        std::fs::write(dir.path().join("secret"), "secret").unwrap();
        std::os::unix::fs::symlink(dir.path(), tree.join("out")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret"), tree.join("manifest.json")).unwrap();
        let found = measure(&tree).unwrap();
        assert_eq!((found.bytes, found.manifest), (5, None));
        std::fs::remove_file(tree.join("manifest.json")).unwrap();
        std::fs::write(tree.join("manifest.json"), "abc").unwrap();
        let found = measure(&tree).unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((found.bytes, found.manifest.as_deref()), (8, Some(abc)));
    }
}
