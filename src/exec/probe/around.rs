//! A look around the file system, for so long: directories that can be written, sockets, homes.

use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::Access;

use crate::audit::{DirectoryFact, MountFact, WalkFacts};

/// Time for the whole look.
const TIME: Duration = Duration::from_secs(2);
/// So many directories deep.
const DEPTH: usize = 6;
/// As many of each kind are told.
const MOST: usize = 200;
/// Not looked into: they hold no files of anybody.
const KERNEL: [&str; 2] = ["/proc", "/sys"];
/// File systems on which a look may wait for another machine.
const REMOTE: [&str; 8] = ["nfs", "nfs4", "cifs", "smb3", "ceph", "autofs", "9p", "afs"];

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Around {
    pub(super) writable: Vec<DirectoryFact>,
    pub(super) sockets: Vec<PathBuf>,
    /// Directories of `/home`.
    pub(super) homes: Vec<PathBuf>,
    pub(super) walk: WalkFacts,
}

/// Looks around from the root.
pub(super) fn walk(mounts: &[MountFact]) -> Around {
    let is_left_out = |path: &Path| {
        let remote =
            |mount: &MountFact| REMOTE.contains(&mount.kind.as_str()) || mount.kind.starts_with("fuse");
        KERNEL.iter().any(|place| path == Path::new(place))
            || mounts.iter().any(|mount| mount.at == path && remote(mount))
    };
    walk_from(Path::new("/"), &is_left_out)
}

fn walk_from(root: &Path, is_left_out: &dyn Fn(&Path) -> bool) -> Around {
    let mut around = Around::default();
    let until = Instant::now() + TIME;
    let mut open = VecDeque::from([(root.to_owned(), 0)]);
    while let Some((path, depth)) = open.pop_front() {
        if Instant::now() > until {
            return around;
        }
        around.walk.directories += 1;
        let can_write = rustix::fs::access(&path, Access::WRITE_OK | Access::EXEC_OK).is_ok();
        if can_write && around.writable.len() < MOST {
            around.writable.extend(fact(&path));
        }
        for entry in fs::read_dir(&path).into_iter().flatten().flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            let path = entry.path();
            if kind.is_socket() && around.sockets.len() < MOST {
                around.sockets.push(path);
            } else if kind.is_dir() && !is_left_out(&path) {
                if path.parent() == Some(Path::new("/home")) {
                    around.homes.push(path.clone());
                }
                // What lies below a directory that can be written can be written as well, mostly.
                if depth < DEPTH && !(can_write && depth > 2) {
                    open.push_back((path, depth + 1));
                }
            }
        }
    }
    around.walk.complete = true;
    around
}

fn fact(path: &Path) -> Option<DirectoryFact> {
    let found = fs::metadata(path).ok()?;
    Some(DirectoryFact {
        path: path.to_owned(),
        mode: found.mode() & 0o7777,
        uid: found.uid(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_written_and_what_listens_is_found() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        fs::create_dir_all(path("a/b")).unwrap();
        fs::create_dir(path("out")).unwrap();
        fs::create_dir(path("out/of")).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(path("a/s")).unwrap();
        let out = path("out");
        let around = walk_from(place.path(), &|path| path == out);
        assert!(around.walk.complete);
        assert_eq!(around.sockets, [path("a/s")]);
        let found = |name: &str| around.writable.iter().any(|one| one.path == path(name));
        assert!(found("a") && found("a/b") && !found("out/of"), "{around:?}");
    }
}
