//! Content: the bundle, its `manifest.json`, its kind, and what it needs (PK9).

mod types;

pub use types::*;
