//! Runtimes: `runtimes.yaml`, interpreter versions, matching and its explanation (EX2–EX5).

mod select;
mod types;

pub use select::*;
pub use types::*;
