//! The digest of a tree: the same for the same paths, kinds, execute bits and bytes, whatever times and owners. What
//! Python has compiled beside its sources says nothing that they do not.

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{self, FileType, Mode, OFlags};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::failure::{Context, IoFailure};
use super::fdio;

/// Where Python keeps what it has compiled: it comes by itself when a program beside it is run.
pub const BYTECODE: &str = "__pycache__";

/// SHA-256 over the tree at `root`, in hexadecimal.
///
/// # Errors
/// Something can not be read.
pub fn tree_digest(root: &Path) -> Result<String, IoFailure> {
    let dir = fdio::open_dir_nofollow(root).during("open", root)?;
    digest_opened(dir.as_fd(), root)
}

/// As [`tree_digest`], with the directory opened before; `root` is what a failure names.
pub(crate) fn digest_opened(dir: BorrowedFd<'_>, root: &Path) -> Result<String, IoFailure> {
    let mut paths = Vec::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(relative) = waiting.pop() {
        let path = root.join(&relative);
        let opened = fdio::open_below(dir, &relative).during("open", &path)?;
        for entry in fdio::entries(opened.as_fd()).during("read directory", &path)? {
            let name = relative.join(entry.os_name());
            let is_directory = entry.kind == FileType::Directory;
            if is_directory && entry.os_name() == BYTECODE {
                continue;
            }
            if is_directory {
                waiting.push(name.clone());
            }
            paths.push((name, entry));
        }
    }
    paths.sort_unstable_by(|a, b| a.0.as_os_str().cmp(b.0.as_os_str()));
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    for (relative, entry) in paths {
        let path = root.join(&relative);
        let parent = relative.parent().unwrap_or_else(|| Path::new(""));
        let parent = fdio::open_below(dir, parent).during("open", &path)?;
        let name = relative.as_os_str().as_bytes();
        match entry.kind {
            FileType::Directory => field(&mut hash, b'd', name),
            FileType::Symlink => {
                field(&mut hash, b'l', name);
                let target = fdio::read_link(parent.as_fd(), &entry.name).during("read link", &path)?;
                field(&mut hash, b't', target.as_os_str().as_bytes());
            }
            FileType::RegularFile => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let file = fs::openat(&parent, &entry.name, flags, Mode::empty()).during("open", &path)?;
                let stat = fs::fstat(&file).during("read", &path)?;
                field(
                    &mut hash,
                    if stat.st_mode & 0o111 == 0 { b'f' } else { b'x' },
                    name,
                );
                hash.update(stat.st_size.to_le_bytes());
                contents(&mut hash, file.into(), &mut buffer).during("read", &path)?;
            }
            // Opening a device already does something, and none can be part of content.
            _ => return Err(IoFailure::new("read", path, Errno::INVAL)),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Length first, so that no two different trees feed the same bytes.
fn field(hash: &mut Sha256, kind: u8, bytes: &[u8]) {
    hash.update([kind]);
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

pub(super) fn contents(hash: &mut Sha256, mut file: std::fs::File, buffer: &mut [u8]) -> std::io::Result<()> {
    loop {
        match file.read(buffer)? {
            0 => return Ok(()),
            got => hash.update(&buffer[..got]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_what_matters_changes_the_digest() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("t");
        std::fs::create_dir_all(tree.join("a")).unwrap();
        std::fs::write(tree.join("a/f"), "one").unwrap();
        let first = tree_digest(&tree).unwrap();
        let file = std::fs::File::options()
            .write(true)
            .open(tree.join("a/f"))
            .unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(tree_digest(&tree).unwrap(), first);
        std::fs::set_permissions(tree.join("a/f"), PermissionsExt::from_mode(0o755)).unwrap();
        let executable = tree_digest(&tree).unwrap();
        std::fs::rename(tree.join("a/f"), tree.join("a/g")).unwrap();
        let renamed = tree_digest(&tree).unwrap();
        std::fs::write(tree.join("a/g"), "two").unwrap();
        let changed = tree_digest(&tree).unwrap();
        std::fs::create_dir_all(tree.join("a/__pycache__")).unwrap();
        std::fs::write(tree.join("a/__pycache__/g.cpython-311.pyc"), "x").unwrap();
        assert_eq!(tree_digest(&tree).unwrap(), changed);
        let all = std::collections::BTreeSet::from([first, executable, renamed, changed]);
        assert_eq!(all.len(), 4);
    }
}
