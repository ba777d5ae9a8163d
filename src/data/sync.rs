//! What was written is on the disk before a rename or a record says that it is there.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::{self, FileType, Mode, OFlags};

use super::failure::{Context, IoFailure};
use super::fdio;

/// From this many entries one sync of the whole file system costs less, though it waits for what others wrote.
const MANY: usize = 256;

/// Makes the entries of a directory last.
pub(crate) fn sync_dir(path: &Path) -> Result<(), IoFailure> {
    fdio::open_dir(path).and_then(fs::fsync).during("sync", path)
}

/// Makes everything in the tree at `root` last.
pub(crate) fn sync_tree(root: &Path) -> Result<(), IoFailure> {
    let dir = fdio::open_dir_nofollow(root).during("open", root)?;
    let mut waiting = vec![PathBuf::new()];
    let mut count = 0;
    while let Some(relative) = waiting.pop() {
        let path = root.join(&relative);
        let opened = fdio::open_below(dir.as_fd(), &relative).during("open", &path)?;
        let entries = fdio::entries(opened.as_fd()).during("read directory", &path)?;
        count += entries.len();
        if count >= MANY {
            return fs::syncfs(&dir).during("sync", root);
        }
        for entry in entries {
            if entry.kind == FileType::Directory {
                waiting.push(relative.join(entry.os_name()));
            } else if entry.kind == FileType::RegularFile {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                fs::openat(&opened, &entry.name, flags, Mode::empty())
                    .and_then(fs::fsync)
                    .during("sync", &path.join(entry.os_name()))?;
            }
        }
        fs::fsync(&opened).during("sync", &path)?;
    }
    Ok(())
}
