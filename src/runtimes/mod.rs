//! Runtimes: `runtimes.yaml`, interpreter versions, matching and its explanation (EX2–EX5).

mod types;

pub use types::*;
