//! What is asked of a workshop.

use std::path::Path;
use std::time::Duration;

use crate::builds::file::{Access, Products};
use crate::builds::refs::State;
use crate::builds::source::GitUrl;
use crate::settings::BuildLimits;

/// What is to be built.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    /// Where it comes from.
    pub from: From<'a>,
    /// Where the package lies in it.
    pub subdirectory: &'a Path,
    /// What is made.
    pub products: Products,
    /// How long each process may take.
    pub limit: Duration,
    /// What each process, with all that it starts, may use.
    pub limits: BuildLimits,
    /// Where archives are to appear.
    pub destination: &'a Path,
    /// File for what R says.
    pub log: &'a Path,
    /// Whether that is shown as well.
    pub is_shown: bool,
}

/// Where a package comes from.
#[derive(Clone, Debug)]
pub enum From<'a> {
    /// A directory of this machine, which no build can write in.
    Directory(&'a Path),
    /// A state of a repository.
    Git {
        /// The repository.
        url: &'a GitUrl,
        /// What it is asked with.
        access: &'a Access,
        /// The state.
        state: &'a State,
    },
}
