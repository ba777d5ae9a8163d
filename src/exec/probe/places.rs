//! Masked paths, exposed directories, and the directories of the process itself.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::audit::{Exposed, ExposureFact, Hidden, MaskFact, PlaceFacts};

/// Name of files that are made to see whether they can be.
const TRACE: &str = ".offhost-audit";
/// As many names of a directory are told.
const NAMES: usize = 5;

/// The first names in a directory.
pub(super) fn names(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.take(NAMES).collect()
}

/// What is at a masked path. What lies there because it is shown is no fault of the mask.
pub(super) fn mask(mask: &Hidden, exposures: &[Exposed]) -> MaskFact {
    let is_shown = |name: &String| {
        let path = mask.path.join(name);
        exposures.iter().any(|shown| shown.path.starts_with(&path))
    };
    let mut entries: Vec<String> = names(&mask.path);
    entries.retain(|name| !is_shown(name));
    if let Ok(text) = fs::read(&mask.path)
        && !text.is_empty()
    {
        entries.push(format!("{} bytes", text.len()));
    }
    let is_it = |path: &Path| {
        fs::metadata(path).is_ok_and(|found| (found.dev(), found.ino()) == (mask.device, mask.inode))
    };
    MaskFact {
        bare: is_it(&mask.path),
        entries,
        found_at: mask.aliases.iter().filter(|path| is_it(path)).cloned().collect(),
        path: mask.path.clone(),
    }
}

pub(super) fn exposure(shown: &Exposed) -> ExposureFact {
    ExposureFact {
        path: shown.path.clone(),
        readable: fs::read_dir(&shown.path).is_ok(),
        writable: can_write(&shown.path),
    }
}

fn can_write(directory: &Path) -> bool {
    let path = directory.join(TRACE);
    let made = OpenOptions::new().write(true).create_new(true).open(&path);
    let written = made.and_then(|mut file| file.write_all(b"x")).is_ok();
    let _ = fs::remove_file(path);
    written
}

/// The directories of this process.
pub(super) fn of_process() -> PlaceFacts {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let (tmp, home) = (variable("TMPDIR"), variable("HOME"));
    PlaceFacts {
        tmp_holds: tmp.as_deref().map(names).unwrap_or_default(),
        tmp_problem: tmp.as_deref().and_then(|tmp| execute_in(tmp).err()),
        home_exists: home.as_deref().is_some_and(Path::is_dir),
        homes: names(Path::new("/home")),
        cwd: std::env::current_dir().unwrap_or_default(),
        tmp,
        home,
    }
}

/// Writes a program and executes it: as packages do that are built from source.
fn execute_in(directory: &Path) -> Result<(), String> {
    let path = directory.join(format!("{TRACE}.sh"));
    let mut options = OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o700).open(&path);
    let written = made.and_then(|mut file| file.write_all(b"#!/bin/sh\nexit 7\n"));
    written.map_err(|error| format!("it can not be written in ({error})"))?;
    let mut program = Command::new(&path);
    program
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let status = patiently(|| program.status());
    let _ = fs::remove_file(&path);
    match status {
        Ok(status) if status.code() == Some(7) => Ok(()),
        Ok(status) => Err(format!("a program in it ended with {status}")),
        Err(error) => Err(format!("no program in it can be executed ({error})")),
    }
}

/// Tries again while a process that another thread has just started still has the file open for writing.
fn patiently<T>(mut start: impl FnMut() -> std::io::Result<T>) -> std::io::Result<T> {
    for _ in 0..100 {
        match start() {
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            answer => return answer,
        }
    }
    start()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: SB5 (L)
    #[test]
    fn what_is_not_hidden_is_found() {
        let place = tempfile::tempdir().unwrap();
        let (masked, alias) = (place.path().join("data"), place.path().join("alias"));
        fs::create_dir_all(masked.join("tmp/mine")).unwrap();
        std::os::unix::fs::symlink(&masked, &alias).unwrap();
        let outside = fs::metadata(&masked).unwrap();
        let shown = [Exposed {
            path: masked.join("tmp/mine"),
            read_only: false,
        }];
        let hidden = |inode| Hidden {
            path: masked.clone(),
            device: outside.dev(),
            inode,
            aliases: vec![alias.clone()],
        };
        let bare = mask(&hidden(outside.ino()), &shown);
        assert!(bare.bare && bare.entries.is_empty(), "{bare:?}");
        assert_eq!(bare.found_at, std::slice::from_ref(&alias));
        let covered = mask(&hidden(outside.ino() + 1), &shown);
        assert!(!covered.bare && covered.found_at.is_empty());
        fs::write(masked.join("secret"), "x").unwrap();
        assert_eq!(mask(&hidden(0), &shown).entries, ["secret"]);
    }

    #[test]
    fn a_directory_is_as_it_was_when_it_was_tried() {
        let place = tempfile::tempdir().unwrap();
        assert!(can_write(place.path()));
        assert_eq!(execute_in(place.path()), Ok(()));
        assert!(names(place.path()).is_empty());
        assert!(!can_write(&place.path().join("gone")));
        assert!(execute_in(&place.path().join("gone")).is_err());
    }
}
