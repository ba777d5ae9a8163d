//! `DataDir`: layout, fresh copies, results and their activation, deployments, clean-up, path translation.
//!
//! Everything becomes visible by one rename of something that is already whole, and everything that is being made
//! carries a lock that dies with its maker. So whatever is cut off, and whenever, what is served is whole, and
//! [`sweep`] finds what is left over.

mod activate;
mod content_copy;
mod copy;
mod dir;
mod failure;
mod fdio;
pub mod layout;
mod lock;
mod queue;
mod remove;
mod results;
mod seal;
mod site;

pub use activate::{Finish, Rendering, Renders, ResultError, ResultRecord};
pub use copy::{CopyError, CopyStats, Links, Modes, Options as CopyOptions, copy_tree};
pub use dir::{DataDir, DataDirError, Owner};
pub use failure::IoFailure;
pub use layout::{ContentId, NameError, Variant};
pub use lock::{Claim, FileLock, Probe};
pub use remove::{remove_contents, remove_tree};
pub use results::{ResultEntry, ResultState};
