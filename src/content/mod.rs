//! Content: the bundle, its `manifest.json`, its kind, and what it needs (PK9).

pub mod kinds;
mod params;
mod types;

pub use params::*;
pub use types::*;
