//! Accounts and groups: what was looked up, and how (RA). The rules are in `plan::identity`.

mod accounts;
mod nss;

pub use accounts::*;
pub use nss::*;
