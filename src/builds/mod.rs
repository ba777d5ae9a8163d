//! R packages built from directories and Git repositories, each in a sandbox of its own, by an account that is not root (GB1).
//!
//! ```text
//!  rstudio-pm.gcfg      file of builders        git ls-remote
//!        |                    | file::               | refs::
//!        v                    v                      v
//!   BuildSettings        GitBuilder --- wanted --> State --- next::due --> what to build
//!        \___________________|_______________________/            |
//!                            v                                    v
//!                 view::hidden, exposures, sandbox      git:: fetches, workshop:: runs R in the sandbox
//!                                                                 v
//!                                               deliver:: the archive appears by one rename
//! ```
//!
//! `source`, `refs`, `archive`, `view`, `next`, `file` and `namespaces` are pure. With `Git.BuildExecutor = kubernetes` what `workshop::` would run in
//! the sandbox becomes a Pod, see `cluster`.

pub mod archive;
pub mod cluster;
mod command;
pub mod deliver;
pub mod doctor;
pub mod error;
pub mod file;
pub mod git;
pub mod limits;
pub mod namespaces;
pub mod next;
pub mod refs;
pub mod server;
pub mod source;
pub mod view;
pub mod workshop;
mod workspace;
