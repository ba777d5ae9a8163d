//! One refused file operation, told so that a person can act on it.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// A file operation that the system refused.
#[derive(Debug, thiserror::Error)]
#[error("can not {action} '{}': {advice}", path.display())]
pub struct IoFailure {
    /// What was to be done, as a verb.
    pub action: &'static str,
    /// With what.
    pub path: PathBuf,
    advice: String,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

impl IoFailure {
    /// Describes a refusal; looks up the free space where that is the cause.
    pub fn new(action: &'static str, path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        let (path, source) = (path.into(), source.into());
        let advice = advice(&path, &source);
        Self {
            action,
            path,
            advice,
            source,
        }
    }

    /// What is wrong and what to do, without what was to be done.
    #[must_use]
    pub fn advice(&self) -> &str {
        &self.advice
    }

    /// Whether so little is left of the file system that holds `directory` that a file which was just written there
    /// may be cut off.
    #[must_use]
    pub fn if_full(directory: &Path) -> Option<Self> {
        // A few blocks are often left where a larger write was refused.
        const LEFT: u64 = 64 * 1024;
        let left = rustix::fs::statvfs(directory).ok()?;
        let no_blocks = left.f_bavail.saturating_mul(left.f_frsize) < LEFT;
        // File systems without a table of inodes say 0 of 0.
        let no_inodes = left.f_files > 0 && left.f_favail == 0;
        (no_blocks || no_inodes).then(|| Self::new("write in", directory, Errno::NOSPC))
    }

    /// Whether space or quota is used up.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(errno(&self.source), Some(Errno::NOSPC | Errno::DQUOT))
    }

    /// Whether space, quota or a read-only mount is the cause: nothing is wrong with the content itself.
    #[must_use]
    pub fn is_storage(&self) -> bool {
        matches!(
            errno(&self.source),
            Some(Errno::NOSPC | Errno::DQUOT | Errno::ROFS)
        )
    }
}

fn errno(error: &io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw_os_error)
}

fn advice(path: &Path, error: &io::Error) -> String {
    let (dir, free) = free_space(path);
    match errno(error) {
        Some(Errno::NOSPC) => format!(
            "no space is left in '{}' ({free}), so remove old results or enlarge the file system",
            dir.display()
        ),
        Some(Errno::DQUOT) => format!(
            "the disk quota in '{}' is used up ({free} on the file system), so remove old results or raise the quota",
            dir.display()
        ),
        Some(Errno::ROFS) => format!(
            "'{}' is mounted read-only, so mount it read-write or choose another directory",
            dir.display()
        ),
        Some(Errno::ACCESS | Errno::PERM) => {
            "permission denied, so check its owner and mode, or run as the account that owns it".to_owned()
        }
        Some(Errno::MFILE | Errno::NFILE) => {
            "too many open files, so raise the limit ('ulimit -n')".to_owned()
        }
        Some(Errno::XDEV) => "something is mounted on or below it, so unmount that first".to_owned(),
        Some(Errno::BUSY) => {
            "it is in use or something is mounted on it, so end what uses it and try again".to_owned()
        }
        Some(Errno::EXIST) => "it is there already, so remove it or use another name".to_owned(),
        Some(Errno::NOLCK) => {
            "the file system gives no locks, so use a local disk or an NFS mount with locking".to_owned()
        }
        _ => error.to_string(),
    }
}

/// The closest directory above `path` that exists, and how much is free there.
fn free_space(path: &Path) -> (PathBuf, String) {
    let dir = path
        .ancestors()
        .find(|dir| dir.is_dir())
        .map_or_else(|| PathBuf::from("/"), Path::to_owned);
    let free = rustix::fs::statvfs(&dir).map_or_else(
        |_| "free space unknown".to_owned(),
        |fs| {
            let bytes = |blocks: u64| human(blocks.saturating_mul(fs.f_frsize));
            let space = format!("{} free of {}", bytes(fs.f_bavail), bytes(fs.f_blocks));
            if fs.f_files > 0 && fs.f_favail == 0 {
                format!("{space}, but none of {} inodes", fs.f_files)
            } else {
                space
            }
        },
    );
    (dir, free)
}

fn human(bytes: u64) -> String {
    let units = ["bytes", "KB", "MB", "GB", "TB", "PB"];
    let mut unit = 0;
    let mut rest = bytes;
    while rest >= 10_000 && unit + 1 < units.len() {
        rest /= 1000;
        unit += 1;
    }
    format!("{rest} {}", units[unit])
}

/// Adds the operation and the path to what the system says.
pub(crate) trait Context<T> {
    /// `action` is a verb: "can not ACTION 'PATH'".
    fn during(self, action: &'static str, path: &Path) -> Result<T, IoFailure>;
}

impl<T, E: Into<io::Error>> Context<T> for Result<T, E> {
    fn during(self, action: &'static str, path: &Path) -> Result<T, IoFailure> {
        self.map_err(|source| IoFailure::new(action, path, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: RD3 (L)
    #[test]
    fn a_full_disk_is_one_sentence_with_the_free_space() {
        let failure = IoFailure::new("write", "/no/such/file", Errno::NOSPC);
        let message = failure.to_string();
        assert!(
            message.starts_with("can not write '/no/such/file': no space is left in '/' ("),
            "{message}"
        );
        assert!(message.contains(" free of "), "{message}");
        assert!(failure.is_storage());
    }

    #[test]
    fn amounts_are_short() {
        assert_eq!(human(9_999), "9999 bytes");
        assert_eq!(human(25_000_000), "25 MB");
    }
}
