//! Accounts and groups: what was looked up, and how (RA). The rules are in `plan::identity`.

mod accounts;
mod entries;
mod name_service;
mod nss;

pub use accounts::*;
pub use entries::{GroupEntry, UserEntry};
pub use name_service::*;
pub use nss::*;
