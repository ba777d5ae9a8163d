//! Takes an archive from a build to where it is to appear: whole, or not at all.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use sha2::{Digest, Sha256};

use super::archive::{Kind, kind};
use super::next::Staged;
use crate::data::{IoFailure, new_key, sync_dir};

/// A file that is not whole yet begins and ends so, which no package does.
const STAGED: (&str, &str) = (".", ".part");

/// The archives of a kind that a build has left, by name. Only names are looked at.
///
/// # Errors
/// The directory can not be read.
pub fn archives(output: &Path, wanted: Kind) -> Result<Vec<String>, IoFailure> {
    let fault = |error| IoFailure::new("read directory", output, error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(output).map_err(fault)? {
        let name = entry.map_err(fault)?.file_name();
        if let Some(name) = name.to_str().filter(|name| kind(name) == Some(wanted)) {
            found.push(name.to_owned());
        }
    }
    found.sort();
    Ok(found)
}

/// Copies an archive beside where it is to appear, onto the disk. What the build has put there is trusted in nothing: a link,
/// a pipe, or a file that has another name elsewhere is refused.
///
/// # Errors
/// It is no plain file, or can not be read or written.
pub fn stage(output: &Path, name: &str, destination: &Path) -> Result<Staged, IoFailure> {
    let from = output.join(name);
    let mut source = open_plain(&from)?;
    std::fs::create_dir_all(destination)
        .map_err(|error| IoFailure::new("make directory", destination, error))?;
    let staged = format!("{}{name}.{}{}", STAGED.0, new_key(), STAGED.1);
    let to = destination.join(&staged);
    let copied = copy(&mut source, &to).map_err(|error| IoFailure::new("write", &to, error));
    match copied {
        Ok(digest) => Ok(Staged {
            staged,
            name: name.to_owned(),
            digest,
        }),
        Err(failure) => {
            // Nothing to add where even this fails: the first error is the cause.
            drop(std::fs::remove_file(&to));
            Err(failure)
        }
    }
}

pub(super) fn open_plain(path: &Path) -> Result<File, IoFailure> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty());
    let file = File::from(opened.map_err(|error| IoFailure::new("open", path, error))?);
    let metadata = file
        .metadata()
        .map_err(|error| IoFailure::new("read", path, error))?;
    if !metadata.is_file() || metadata.nlink() != 1 {
        return Err(IoFailure::new(
            "take (it is no plain file of its own)",
            path,
            rustix::io::Errno::INVAL,
        ));
    }
    Ok(file)
}

fn copy(source: &mut File, to: &Path) -> std::io::Result<String> {
    let mut target = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(to)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0u8; 256 * 1024];
    loop {
        let count = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hash.update(&buffer[..count]);
        target.write_all(&buffer[..count])?;
    }
    target.sync_all()?;
    Ok(hex(&hash.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Gives archives their names.
///
/// # Errors
/// A rename is refused; the archives that have no name yet stay as they are.
pub fn place(destination: &Path, archives: &[Staged]) -> Result<Vec<PathBuf>, IoFailure> {
    for archive in archives {
        let (from, to) = (destination.join(&archive.staged), destination.join(&archive.name));
        std::fs::rename(&from, &to).map_err(|error| IoFailure::new("write", to, error))?;
    }
    sync_dir(destination)?;
    Ok(archives
        .iter()
        .map(|archive| destination.join(&archive.name))
        .collect())
}

/// Ends what a kill has cut off between [`stage`] and the end of [`place`]. Whether every archive has its name now; where one is
/// neither whole nor in place, the build has to be done again.
///
/// # Errors
/// A rename is refused.
pub fn resume(destination: &Path, archives: &[Staged]) -> Result<bool, IoFailure> {
    let is = |path: &Path, digest: &str| matches!(digest_of(path), Ok(found) if found == digest);
    let mut left = Vec::new();
    for archive in archives {
        if is(&destination.join(&archive.staged), &archive.digest) {
            left.push(archive.clone());
        } else if !is(&destination.join(&archive.name), &archive.digest) {
            return Ok(false);
        }
    }
    if !left.is_empty() {
        place(destination, &left)?;
    }
    Ok(true)
}

fn digest_of(path: &Path) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    let mut buffer = vec![0u8; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            count => hash.update(&buffer[..count]),
        }
    }
}

/// Removes files that killed builds have left half written. The caller is the only one who writes there.
pub fn sweep(destination: &Path, keep: &[Staged]) {
    for entry in std::fs::read_dir(destination).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let is_ours = name
            .strip_prefix(STAGED.0)
            .and_then(|name| name.strip_suffix(STAGED.1))
            .and_then(|name| name.rsplit_once('.'))
            .is_some_and(|(name, _)| kind(name).is_some());
        if is_ours && !keep.iter().any(|archive| archive.staged == name) {
            // A file that stays is hidden and harmless.
            drop(std::fs::remove_file(entry.path()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "praise_1.0.tar.gz";

    /// Proves: GB4 (B)
    #[test]
    fn an_archive_appears_by_one_rename_and_a_kill_before_it_is_made_good() {
        let (output, destination) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (output, destination) = (output.path(), destination.path());
        std::fs::write(output.join(NAME), "whole").unwrap();
        std::fs::write(output.join("README"), "").unwrap();
        assert_eq!(archives(output, Kind::Source).unwrap(), [NAME]);
        let staged = stage(output, NAME, destination).unwrap();
        assert!(!destination.join(NAME).exists());
        let lost = stage(output, NAME, destination).unwrap();
        sweep(destination, std::slice::from_ref(&staged));
        assert!(!destination.join(&lost.staged).exists());
        assert!(
            !resume(destination, std::slice::from_ref(&lost)).unwrap() || destination.join(NAME).exists()
        );
        assert!(resume(destination, std::slice::from_ref(&staged)).unwrap());
        assert_eq!(std::fs::read_to_string(destination.join(NAME)).unwrap(), "whole");
        assert!(
            resume(destination, std::slice::from_ref(&staged)).unwrap(),
            "it has its name already"
        );
        std::fs::write(destination.join(NAME), "other").unwrap();
        assert!(!resume(destination, &[staged]).unwrap());
    }

    /// Proves: GB4 (B)
    #[test]
    fn nothing_but_a_plain_file_is_taken() {
        let (output, destination) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let secret = destination.path().join("secret");
        std::fs::write(&secret, "s3cret").unwrap();
        let path = output.path().join(NAME);
        std::os::unix::fs::symlink(&secret, &path).unwrap();
        assert!(stage(output.path(), NAME, destination.path()).is_err());
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(stage(output.path(), NAME, destination.path()).is_err());
        std::fs::remove_dir(&path).unwrap();
        if std::fs::hard_link(&secret, &path).is_ok() {
            assert!(stage(output.path(), NAME, destination.path()).is_err());
        }
        let left: Vec<_> = std::fs::read_dir(destination.path()).unwrap().flatten().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }
}
