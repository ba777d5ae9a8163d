//! Opening paths that a publisher chose without ever leaving the bundle's directory.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2, readlinkat};
use rustix::io::Errno;

/// Links followed in one path, as many as the kernel follows.
const LINKS: usize = 40;

/// Opens `path` below `root`. Links are followed as long as they stay inside; one that leads out, an absolute one
/// and a magic link of `/proc` fail with `EXDEV` or `ELOOP`.
///
/// # Errors
/// Those of `openat2(2)`.
pub fn open(root: BorrowedFd<'_>, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    open_with(root, path, flags, ResolveFlags::empty())
}

/// As [`open`], and nothing that is mounted below `root` is entered where the kernel can tell.
///
/// # Errors
/// Those of `openat2(2)`.
pub fn open_unmounted(root: BorrowedFd<'_>, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    open_with(root, path, flags, ResolveFlags::NO_XDEV)
}

fn open_with(root: BorrowedFd<'_>, path: &Path, flags: OFlags, more: ResolveFlags) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | more;
    // `EAGAIN` says that a rename raced with a `..` of a link; the kernel asks for another try.
    for _ in 0..8 {
        match openat2(root, path, flags, Mode::empty(), resolve) {
            Ok(fd) => return Ok(fd),
            Err(Errno::AGAIN) => {}
            // Kernels before 5.6 have no openat2, and some seccomp filters refuse it.
            Err(Errno::NOSYS | Errno::PERM) => break,
            Err(error) => return Err(error.into()),
        }
    }
    walk(root, path, flags)
}

/// The same, one component at a time. `..` goes back to the descriptor it came from, so no rename can move it out.
fn walk(root: BorrowedFd<'_>, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let mut above: Vec<OwnedFd> = Vec::new();
    let mut rest = components(path.as_os_str())?;
    let mut links = 0;
    while let Some(name) = rest.pop_front() {
        let here = above.last().map_or(root, AsFd::as_fd);
        if name == ".." {
            above.pop().ok_or(Errno::XDEV)?;
            continue;
        }
        let found = openat(
            here,
            &name,
            OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        if FileType::from_raw_mode(fstat(&found)?.st_mode) == FileType::Symlink {
            links += 1;
            if links > LINKS {
                return Err(Errno::LOOP.into());
            }
            let target = OsString::from_vec(readlinkat(&found, "", Vec::new())?.into_bytes());
            let mut target = components(&target)?;
            target.append(&mut rest);
            rest = target;
        } else if rest.is_empty() && !flags.contains(OFlags::PATH) {
            return Ok(openat(here, &name, flags | OFlags::NOFOLLOW, Mode::empty())?);
        } else {
            above.push(found);
        }
    }
    let here = above.last().map_or(root, AsFd::as_fd);
    match above.is_empty() || !flags.contains(OFlags::PATH) {
        true => Ok(openat(here, ".", flags, Mode::empty())?),
        false => Ok(above.pop().ok_or(Errno::NOENT)?),
    }
}

fn components(path: &OsStr) -> io::Result<VecDeque<OsString>> {
    let bytes = path.as_bytes();
    if bytes.is_empty() {
        return Err(Errno::NOENT.into());
    }
    if bytes.starts_with(b"/") {
        return Err(Errno::XDEV.into());
    }
    Ok(bytes
        .split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty() && *part != b".")
        .map(|part| OsStr::from_bytes(part).to_owned())
        .collect())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    type Open = fn(BorrowedFd<'_>, &Path, OFlags) -> io::Result<OwnedFd>;

    /// Proves: PK9 (L, P)
    #[test]
    fn both_ways_of_opening_stay_inside() {
        let outer = tempfile::tempdir().unwrap();
        fs::write(outer.path().join("secret"), "x").unwrap();
        let root = outer.path().join("bundle");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/file"), "x").unwrap();
        for (target, link) in [
            ("../secret", "out"),
            ("/etc/passwd", "absolute"),
            ("a/b/../file", "inside"),
            ("..", "a/b/up"),
            ("a/b/up/../secret", "still-inside"),
            ("a/b/up/../../secret", "chained-out"),
            ("loop", "loop"),
            ("gone", "dangling"),
            ("/proc/self/cwd", "magic"),
        ] {
            symlink(target, root.join(link)).unwrap();
        }
        let directory = fs::File::open(&root).unwrap();
        for (name, open) in [("kernel", open as Open), ("walk", walk as Open)] {
            for flags in [OFlags::RDONLY, OFlags::PATH] {
                let errno = |path: &str| {
                    let error = open(directory.as_fd(), Path::new(path), flags).unwrap_err();
                    Errno::from_io_error(&error).unwrap()
                };
                for path in ["a/file", "inside", "a/b/up/file", "a", "."] {
                    assert!(
                        open(directory.as_fd(), Path::new(path), flags).is_ok(),
                        "{name}: {path}"
                    );
                }
                for path in [
                    "out",
                    "absolute",
                    "chained-out",
                    "magic",
                    "/etc/passwd",
                    "../secret",
                    "a/../../secret",
                ] {
                    assert_eq!(errno(path), Errno::XDEV, "{name}: {path}");
                }
                assert_eq!(errno("loop"), Errno::LOOP, "{name}");
                for path in ["dangling", "still-inside", "none/x"] {
                    assert_eq!(errno(path), Errno::NOENT, "{name}: {path}");
                }
                assert_eq!(errno("a/file/x"), Errno::NOTDIR, "{name}");
            }
        }
    }
}
