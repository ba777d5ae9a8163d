//! Directories for what is tried out. They lie where the temporary directories of processes do, so that the sweep
//! removes them where this program is killed before it can (TD1).

use std::path::{Path, PathBuf};

use crate::data::{IoFailure, Owner, Workspace, new_key};
use crate::names::WORKSPACES;

/// A directory for a trial; removed when dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    workspace: Option<Workspace>,
    path: PathBuf,
}

impl Scratch {
    /// Makes one of `owner`'s below `temp_dir`.
    ///
    /// # Errors
    /// The directory can not be made.
    pub(crate) fn make(temp_dir: &Path, what: &str, owner: Option<Owner>) -> Result<Self, IoFailure> {
        Self::make_in(&temp_dir.join(WORKSPACES), what, owner)
    }

    /// The same in this directory of workspaces.
    ///
    /// # Errors
    /// The directory can not be made.
    pub(crate) fn make_in(workspaces: &Path, what: &str, owner: Option<Owner>) -> Result<Self, IoFailure> {
        let workspace = Workspace::make_in(workspaces, &format!("{what}-{}", new_key()), owner)?;
        let path = workspace.path();
        let path = path
            .canonicalize()
            .map_err(|source| IoFailure::new("find", path, source))?;
        Ok(Self {
            workspace: Some(workspace),
            path,
        })
    }

    /// Its path, without links.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What can not be removed now, the next sweep removes.
        drop(self.workspace.take().map(Workspace::remove));
    }
}
