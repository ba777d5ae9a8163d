//! What a repository is asked with.

use std::path::PathBuf;

/// Files with what a repository asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// User name and password for HTTP, as `git credential` writes them.
    pub credentials: Option<PathBuf>,
    /// A private key for SSH.
    pub ssh_key: Option<PathBuf>,
}

impl Access {
    /// The files, none of which a build may see.
    #[must_use]
    pub fn secrets(&self) -> Vec<PathBuf> {
        self.credentials.iter().chain(&self.ssh_key).cloned().collect()
    }
}
