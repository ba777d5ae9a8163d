//! The plan: everything about one process that both modes share. Pure.

mod types;

pub use types::*;
