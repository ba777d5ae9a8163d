//! The directory of one build below `Server.TempDir/rspm-workspaces`, which no other build sees.

use std::path::{Path, PathBuf};

use super::view::Exposed;
use crate::data::{FileLock, IoFailure, Probe, Workspace, new_key, remove_tree};
use crate::names::BUILD_WORKSPACES;

/// The directories of one build; removed when dropped, or by the next sweep where this program is killed before it can.
#[derive(Debug)]
pub(super) struct BuildSpace {
    workspace: Option<Workspace>,
    path: PathBuf,
}

impl BuildSpace {
    /// Makes them below `temp_dir`.
    ///
    /// # Errors
    /// A directory can not be made.
    pub(super) fn make(temp_dir: &Path) -> Result<Self, IoFailure> {
        let workspace = Workspace::make_in(&temp_dir.join(BUILD_WORKSPACES), &new_key(), None)?;
        let path = workspace.path();
        let path = path
            .canonicalize()
            .map_err(|error| IoFailure::new("find", path, error))?;
        let space = Self {
            workspace: Some(workspace),
            path,
        };
        for directory in [space.output(), space.temp()] {
            std::fs::create_dir(&directory)
                .map_err(|error| IoFailure::new("make directory", directory, error))?;
        }
        Ok(space)
    }

    /// Its name, which no other build has: that of its control group.
    pub(super) fn key(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Where a checkout goes.
    pub(super) fn source(&self) -> PathBuf {
        self.path.join("source")
    }

    /// Where git keeps what it fetches.
    pub(super) fn repository(&self) -> PathBuf {
        self.path.join("repository")
    }

    fn output(&self) -> PathBuf {
        self.path.join("output")
    }

    fn temp(&self) -> PathBuf {
        self.path.join("tmp")
    }

    /// What of it a build sees, with its source here or elsewhere.
    pub(super) fn exposed(&self, elsewhere: Option<&Path>) -> Exposed {
        Exposed {
            source: elsewhere.map_or_else(|| self.source(), Path::to_owned),
            source_is_own: elsewhere.is_none(),
            output: self.output(),
            temp: self.temp(),
        }
    }
}

impl Drop for BuildSpace {
    fn drop(&mut self) {
        // What can not be removed now, the next sweep removes.
        drop(self.workspace.take().map(Workspace::remove));
    }
}

/// Removes what killed builds have left, their control groups too: directories whose lock nobody holds any more.
///
/// # Errors
/// Something can not be removed.
pub(super) fn sweep(temp_dir: &Path) -> Result<(), IoFailure> {
    let directory = temp_dir.join(BUILD_WORKSPACES);
    for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(key) = name
            .to_str()
            .and_then(|name| name.strip_prefix('.')?.strip_suffix(".lock"))
        else {
            continue;
        };
        if let Probe::Free(lock) = FileLock::probe(&entry.path())? {
            crate::exec::remove_control_groups(key);
            remove_tree(&directory.join(key))?;
            lock.remove();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: GB4 (B)
    #[test]
    fn what_a_killed_build_has_left_is_removed_and_a_running_ones_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let running = BuildSpace::make(dir.path()).unwrap();
        let mut killed = BuildSpace::make(dir.path()).unwrap();
        std::fs::write(killed.temp().join("x"), "").unwrap();
        // As a kill does: the lock is gone and the directory stays.
        drop(
            killed
                .workspace
                .take()
                .map(|workspace| std::mem::ManuallyDrop::new(workspace).path().to_owned()),
        );
        let path = killed.path.clone();
        assert!(path.exists());
        sweep(dir.path()).unwrap();
        assert!(running.path.exists());
        let kept = running.path.clone();
        drop(running);
        assert!(!kept.exists());
    }
}
