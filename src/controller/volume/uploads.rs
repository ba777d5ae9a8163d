//! The archives that were sent: kept by their digest, until every job that waits for one has deployed it.

use std::fs::File;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};

use super::{BundleError, Upload, UploadError, Volume};
use crate::api::job::ArchiveRef;
use crate::content::archive::Limits;
use crate::data::{DataDir, FileLock, IoFailure, Leftover, Probe, Swept, layout};
use crate::names::INCOMING;

/// The directory below `incoming` with what was sent.
pub(super) const DIRECTORY: &str = ".uploads";
/// How long an archive is kept that no known job waits for.
const KEPT: SignedDuration = SignedDuration::from_hours(1);

/// Makes the directory, which only the controller looks into.
pub(super) fn make_directory(data: &DataDir) -> Result<(), IoFailure> {
    let path = data.ensure(PathBuf::from(INCOMING).join(DIRECTORY))?;
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&path, private).map_err(|error| IoFailure::new("set mode of", path, error))
}

/// Whether an archive that a job names can come.
pub(super) fn check(archive: &ArchiveRef) -> Result<(), BundleError> {
    if !is_digest(&archive.sha256) {
        let given = archive.sha256.clone();
        return Err(BundleError::Digest { given });
    }
    let limit = limit();
    if u64::try_from(archive.bytes).is_ok_and(|bytes| (1..=limit).contains(&bytes)) {
        return Ok(());
    }
    let bytes = archive.bytes;
    Err(BundleError::TooLarge { bytes, limit })
}

/// No archive is larger than what may come out of one.
fn limit() -> u64 {
    Limits::default().bytes
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

impl Volume {
    /// An archive of this digest and size is to be sent; `None` where it is there already. Whether a job waits for it is the
    /// caller's to know.
    ///
    /// # Errors
    /// It is too large, or there is no space.
    pub fn upload_begin(&self, sha256: &str, bytes: u64) -> Result<Option<Upload>, UploadError> {
        if !is_digest(sha256) {
            return Err(UploadError::Digest(sha256.to_owned()));
        }
        let limit = limit();
        if !(1..=limit).contains(&bytes) {
            return Err(UploadError::Size { bytes, limit });
        }
        let target = self.upload_path(sha256);
        if target.exists() {
            return Ok(None);
        }
        Upload::begin(target, sha256, bytes).map(Some)
    }

    fn upload_path(&self, digest: &str) -> PathBuf {
        self.data.path(INCOMING).join(DIRECTORY).join(digest)
    }

    /// The archive that a job names, if it was sent; with what a failure calls it.
    pub(super) fn uploaded(&self, archive: &ArchiveRef) -> Result<(File, PathBuf), BundleError> {
        let path = self.upload_path(&archive.sha256);
        match File::open(&path) {
            Ok(file) => Ok((file, PathBuf::from(&archive.sha256))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(BundleError::AwaitingUpload {
                sha256: archive.sha256.clone(),
                bytes: archive.bytes,
            }),
            Err(error) => Err(IoFailure::new("open", path, error).into()),
        }
    }

    /// Removes an archive that no job waits for any more. The next sweep removes what this can not.
    pub(super) fn forget_upload(&self, digest: &str) {
        if is_digest(digest) && !self.state.is_awaited(digest) {
            drop(std::fs::remove_file(self.upload_path(digest)));
        }
    }

    /// Removes what was cut off while it was sent, and old archives that no job waits for.
    pub(super) fn expire_uploads(&self, now: Timestamp, swept: &mut Swept) {
        let directory = self.data.path(INCOMING).join(DIRECTORY);
        let names = match std::fs::read_dir(&directory) {
            Ok(names) => names,
            Err(error) => {
                swept
                    .failed
                    .push(IoFailure::new("read directory", directory, error));
                return;
            }
        };
        for entry in names.flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            if name.starts_with(layout::STAGING_PREFIX) {
                match FileLock::probe(&path) {
                    Ok(Probe::Free(lock)) => lock.remove(),
                    Ok(_) => continue,
                    Err(failure) => {
                        swept.failed.push(failure);
                        continue;
                    }
                }
            } else if !self.is_old(&entry, now) || self.state.is_awaited(&name) {
                continue;
            } else if let Err(error) = std::fs::remove_file(&path) {
                swept.failed.push(IoFailure::new("remove", path, error));
                continue;
            }
            swept.removed.push(Leftover {
                path,
                what: "archive that nobody waits for",
            });
        }
    }

    fn is_old(&self, entry: &std::fs::DirEntry, now: Timestamp) -> bool {
        let changed = entry.metadata().and_then(|meta| meta.modified());
        let changed = changed.ok().and_then(|time| Timestamp::try_from(time).ok());
        changed.is_some_and(|changed| now.duration_since(changed) > KEPT)
    }
}
