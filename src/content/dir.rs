//! A bundle that is a directory of this machine. Its publisher is not trusted: nothing is opened through a link
//! that leads out, and neither FIFOs nor devices are opened at all.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, Stat, fstat, openat};
use rustix::io::Errno;

use super::beneath;
use super::files::{Files, Presence};

/// Largest file that is read, in bytes: manifests, locks, documents and local packages are all far smaller.
const LARGEST: u64 = 256 << 20;

/// The most files that a bundle may have.
pub(super) const MOST_ENTRIES: u64 = 1_000_000;

/// A directory with a bundle.
#[derive(Debug)]
pub struct DirFiles {
    root: OwnedFd,
    path: PathBuf,
}

impl DirFiles {
    /// Opens the directory once; everything is then read through its descriptor, wherever its name comes to point.
    ///
    /// # Errors
    /// When it is no directory or can not be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(CWD, path, flags, Mode::empty())?;
        Ok(Self {
            root,
            path: path.to_owned(),
        })
    }

    /// A directory that was opened before; `path` is what a failure names.
    #[must_use]
    pub fn opened(root: OwnedFd, path: &Path) -> Self {
        let path = path.to_owned();
        Self { root, path }
    }

    /// The path it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn look(&self, rel: &str) -> Result<(Presence, Option<Stat>), Errno> {
        let found = beneath::open(self.root.as_fd(), Path::new(rel), OFlags::PATH);
        let found = match found.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO)) {
            Ok(found) => fstat(found)?,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok((Presence::Missing, None)),
            Err(Errno::XDEV) => return Ok((Presence::LeadsOut, None)),
            Err(error) => return Err(error),
        };
        let presence = match FileType::from_raw_mode(found.st_mode) {
            FileType::RegularFile => Presence::File,
            FileType::Directory => Presence::Directory,
            _ => Presence::Special,
        };
        Ok((presence, Some(found)))
    }

    fn list_directory(
        &self,
        directory: &str,
        names: &mut Vec<String>,
        waiting: &mut Vec<String>,
    ) -> io::Result<()> {
        let path = if directory.is_empty() { "." } else { directory };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
        let opened = beneath::open(self.root.as_fd(), Path::new(path), flags)?;
        for entry in Dir::new(opened)? {
            let entry = entry?;
            // A name that is no UTF-8 can be named neither by a manifest nor by a job.
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if matches!(name, "." | "..") {
                continue;
            }
            let rel = if directory.is_empty() {
                name.to_owned()
            } else {
                format!("{directory}/{name}")
            };
            match entry.file_type() {
                FileType::RegularFile => names.push(rel),
                FileType::Directory => waiting.push(rel),
                FileType::Symlink if self.look(&rel)?.0 == Presence::File => names.push(rel),
                FileType::Unknown => match self.look(&rel)?.0 {
                    Presence::File => names.push(rel),
                    Presence::Directory => waiting.push(rel),
                    _ => {}
                },
                _ => {}
            }
        }
        Ok(())
    }
}

impl Files for DirFiles {
    fn read(&self, rel: &str) -> io::Result<Option<Vec<u8>>> {
        let seen = match self.look(rel)? {
            (Presence::Missing, _) => return Ok(None),
            (Presence::File, Some(seen)) => seen,
            (Presence::LeadsOut, _) => return Err(refused("it is a link that leads out of the bundle")),
            (Presence::Directory, _) => return Err(refused("it is a directory")),
            _ => return Err(refused("it is a FIFO, socket or device")),
        };
        // It was looked at before it is opened, because opening a FIFO or a device already does something; O_NONBLOCK
        // is for one that took its place meanwhile.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let opened = beneath::open(self.root.as_fd(), Path::new(rel), flags)?;
        let now = fstat(&opened)?;
        if (now.st_dev, now.st_ino) != (seen.st_dev, seen.st_ino) {
            return Err(refused("it changed while it was read"));
        }
        let mut content = Vec::new();
        File::from(opened).take(LARGEST + 1).read_to_end(&mut content)?;
        if content.len() as u64 > LARGEST {
            return Err(refused("it is larger than 256 MiB"));
        }
        Ok(Some(content))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        let mut waiting = vec![String::new()];
        while let Some(directory) = waiting.pop() {
            self.list_directory(&directory, &mut names, &mut waiting)?;
            if (names.len() + waiting.len()) as u64 > MOST_ENTRIES {
                return Err(refused("it has more than 1,000,000 files"));
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn probe(&self, rel: &str) -> io::Result<Presence> {
        Ok(self.look(rel)?.0)
    }
}

fn refused(why: &'static str) -> io::Error {
    io::Error::other(why)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::content::{Bundle, gather};

    fn bundle() -> (tempfile::TempDir, PathBuf) {
        let outer = tempfile::tempdir().unwrap();
        fs::write(outer.path().join("secret"), "x").unwrap();
        let root = outer.path().join("bundle");
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::write(root.join("sub/real.Rmd"), "").unwrap();
        symlink("sub/real.Rmd", root.join("inside.Rmd")).unwrap();
        symlink("../secret", root.join("out.Rmd")).unwrap();
        symlink("sub", root.join("directory")).unwrap();
        symlink("..", root.join("parent")).unwrap();
        rustix::fs::mknodat(CWD, root.join("fifo.Rmd"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        (outer, root)
    }

    /// Proves: PK9 (L, P)
    #[test]
    fn only_files_of_the_bundle_are_listed_and_read() {
        let (_outer, root) = bundle();
        let files = DirFiles::open(&root).unwrap();
        assert_eq!(files.list().unwrap(), ["inside.Rmd", "sub/real.Rmd"]);
        assert_eq!(files.read("inside.Rmd").unwrap(), Some(Vec::new()));
        assert_eq!(files.read("none").unwrap(), None);
        for (name, presence) in [
            ("inside.Rmd", Presence::File),
            ("sub", Presence::Directory),
            ("out.Rmd", Presence::LeadsOut),
            ("parent/secret", Presence::LeadsOut),
            ("fifo.Rmd", Presence::Special),
            ("none", Presence::Missing),
        ] {
            assert_eq!(files.probe(name).unwrap(), presence, "{name}");
        }
        for name in ["out.Rmd", "fifo.Rmd", "sub", "parent/secret"] {
            assert!(files.read(name).is_err(), "{name}");
        }
        assert!(DirFiles::open(&root.join("inside.Rmd")).is_err());
    }

    /// Proves: PK9 (L, P)
    #[test]
    fn a_manifest_that_names_a_link_leading_out_is_refused() {
        let (_outer, root) = bundle();
        for (named, expected) in [
            (
                "out.Rmd",
                "names 'out.Rmd' in 'files', which is a link that leads out of the bundle",
            ),
            ("fifo.Rmd", "which is a FIFO, socket or device"),
            ("sub", "which is a directory"),
            (
                "gone.Rmd",
                "names 'gone.Rmd' in 'files', which is not in the bundle",
            ),
            ("../secret", "which has '..' in it"),
        ] {
            let manifest =
                format!(r#"{{"metadata": {{"appmode": "rmd-static"}}, "files": {{"{named}": {{}}}}}}"#);
            fs::write(root.join("manifest.json"), manifest).unwrap();
            let message = gather(&DirFiles::open(&root).unwrap(), &Default::default())
                .unwrap_err()
                .to_string();
            assert!(message.contains(expected), "{message}");
        }
        fs::remove_file(root.join("manifest.json")).unwrap();
        symlink("../secret", root.join("manifest.json")).unwrap();
        let message = gather(&DirFiles::open(&root).unwrap(), &Default::default())
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("cannot read 'manifest.json' of the bundle: it is a link that leads out"),
            "{message}"
        );
    }

    #[test]
    fn a_file_that_is_too_large_is_not_read_into_memory() {
        let root = tempfile::tempdir().unwrap();
        File::create(root.path().join("big"))
            .unwrap()
            .set_len(LARGEST + 1)
            .unwrap();
        let files = DirFiles::open(root.path()).unwrap();
        assert!(files.read("big").unwrap_err().to_string().contains("256 MiB"));
        assert!(Bundle::new(&files).unwrap().has("big"));
    }
}
