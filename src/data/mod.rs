//! `DataDir`: layout, fresh copies, results and their activation, deployments, clean-up, path translation.
//!
//! Everything becomes visible by one rename of something that is already whole, and everything that is being made
//! carries a lock that dies with its maker. So whatever is cut off, and whenever, what is served is whole, and
//! [`sweep`] finds what is left over.

mod activate;
mod bundles;
mod cleanup;
mod content_copy;
mod copy;
mod copy_types;
mod digest;
mod dir;
mod environments;
mod failure;
mod fdio;
mod finish;
mod given;
mod history;
mod ids;
mod inputs;
mod interrupted;
mod jobs;
pub mod layout;
mod lock;
mod measure;
mod queue;
mod r_library;
mod records;
mod remove;
mod result_error;
mod results;
mod seal;
mod site;
mod staged;
mod store;
mod sync;
mod translate;

pub use activate::{Rendering, Renders, ResultRecord};
pub use bundles::BundleUse;
pub use cleanup::{Leftover, Swept, sweep, sweep_volume};
pub use copy::copy_tree;
pub use copy_types::{CopyError, CopyOptions, CopyStats, Links, Modes};
pub use digest::{BYTECODE, tree_digest};
pub use dir::{DataDir, DataDirError, Owner};
pub use environments::{EnvironmentError, Environments, Published, Stage, Staging};
pub use failure::IoFailure;
pub(crate) use fdio::write_whole;
pub use finish::Finish;
pub use given::BundleOwner;
pub use history::{JobEntry, JobRecord, JobState, jobs, retain_jobs};
pub use ids::{ContentId, NameError, Variant};
pub use inputs::write_inputs;
pub use jobs::{JobDir, SourceCopy, Workspace};
pub use lock::{Claim, FileLock, Probe};
pub use measure::{Measured, measure};
pub use r_library::LibraryStaging;
pub use records::{
    BundleRecord, ContentDefaults, ContentEntry, ContentRecord, Deploy, Deployed, Given, StoreError,
};
pub use remove::{remove_contents, remove_tree};
pub use result_error::ResultError;
pub use results::{ResultEntry, ResultState, variants};
pub(crate) use staged::{Staged, new_key};
pub use store::Store;
pub(crate) use sync::sync_dir;
pub use translate::{AppDir, Direction, JobPaths, to_physical, to_sandbox, translate_line};
