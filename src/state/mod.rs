//! What a server without a cluster remembers, in SQLite or PostgreSQL: jobs and what became of them, schedules and their
//! runs, log-ins, which of several servers works on what, and an index of content items, bundles and results (CN3).
//!
//! What is served is told by the data directory alone, where it changes by renames (RD3); the index follows it.

mod address;
mod claims;
mod db;
mod error;
mod index;
mod jobs;
mod logins;
mod moving;
mod outcomes;
mod place;
mod schedules;

pub use address::Address;
pub use claims::{Before, Claim, Claimed, LEASE};
pub use db::State;
pub use error::StateError;
pub use index::{Bundle, Facts, Item, Made, Overview, Served};
pub use jobs::Remembered;
pub use moving::{Count, counts, move_all};
pub use outcomes::Outcome;
pub use place::SqliteLock;
pub use schedules::{End, Ledger, Run};

#[cfg(test)]
mod tests;
