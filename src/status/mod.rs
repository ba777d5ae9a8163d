//! What becomes of a job: from what was seen to its next status and the next thing to do. Pure: no client, no clock.

mod types;

pub use types::*;
