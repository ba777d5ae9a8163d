//! One archive that arrives: a file of its own until its size and digest are those that were announced.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::UploadError;
use super::incoming::free_space;
use crate::data::{FileLock, IoFailure, layout, new_key};

/// What must stay free beside an archive, for the records of everything else.
const RESERVE: u64 = 16 << 20;

/// An archive that arrives. Dropped before [`Upload::commit`], nothing of it is left; where this process is killed, the next
/// sweep removes it.
#[derive(Debug)]
#[must_use]
pub struct Upload {
    target: PathBuf,
    staging: PathBuf,
    /// Locks the file itself, so that a sweep knows that it grows.
    lock: Option<FileLock>,
    file: File,
    digest: String,
    bytes: u64,
    got: u64,
    hasher: Sha256,
}

impl Upload {
    /// Makes room for an archive of `bytes` that becomes `target`.
    pub(super) fn begin(target: PathBuf, digest: &str, bytes: u64) -> Result<Self, UploadError> {
        let directory = directory(&target);
        let free = free_space(directory)?;
        if free < bytes.saturating_add(RESERVE) {
            return Err(UploadError::Full { bytes, free });
        }
        let (staging, lock) = new_file(directory)?;
        let failed = |error: std::io::Error| IoFailure::new("write", &staging, error);
        let file: File = lock.as_fd().try_clone_to_owned().map_err(failed)?.into();
        let upload = Self {
            target,
            staging,
            lock: Some(lock),
            file,
            digest: digest.to_owned(),
            bytes,
            got: 0,
            hasher: Sha256::new(),
        };
        match fallocate(&upload.file, FallocateFlags::KEEP_SIZE, 0, bytes) {
            // Not every file system can set space aside; then the write says that there is none.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(upload),
            Err(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => Err(UploadError::Full { bytes, free }),
            Err(error) => Err(IoFailure::new("make room for", &upload.staging, error).into()),
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// They are more than announced, or can not be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), UploadError> {
        self.got = self.got.saturating_add(bytes.len() as u64);
        if self.got > self.bytes {
            return Err(UploadError::Longer { bytes: self.bytes });
        }
        self.hasher.update(bytes);
        let written = self.file.write_all(bytes);
        Ok(written.map_err(|error| IoFailure::new("write", &self.staging, error))?)
    }

    /// Puts the archive in place, once it is known to be the one that was announced: on the disk first, then one rename.
    ///
    /// # Errors
    /// It is cut off, it is another one, or it can not be stored.
    pub fn commit(mut self) -> Result<(), UploadError> {
        if self.got != self.bytes {
            let (got, bytes) = (self.got, self.bytes);
            return Err(UploadError::CutOff { got, bytes });
        }
        let got: String = std::mem::take(&mut self.hasher)
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        if got != self.digest {
            let wanted = self.digest.clone();
            return Err(UploadError::Other { wanted, got });
        }
        let failed = |error: std::io::Error| IoFailure::new("store", &self.target, error);
        self.file.sync_all().map_err(failed)?;
        std::fs::rename(&self.staging, &self.target).map_err(failed)?;
        // It is no longer this one's to remove.
        self.lock = None;
        let synced = File::open(directory(&self.target)).and_then(|directory| directory.sync_all());
        Ok(synced.map_err(failed)?)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(lock) = self.lock.take() {
            lock.remove();
        }
    }
}

/// The directory that an archive is put into.
fn directory(target: &Path) -> &Path {
    target.parent().unwrap_or_else(|| Path::new("."))
}

/// A new file, locked. A sweep that passes may take one before its lock is held; then there is another.
fn new_file(directory: &Path) -> Result<(PathBuf, FileLock), IoFailure> {
    loop {
        let path = directory.join(format!("{}{}", layout::STAGING_PREFIX, new_key()));
        if let Some(lock) = FileLock::try_exclusive(&path)? {
            return Ok((path, lock));
        }
    }
}
