//! The local rendering of a plan (pure): `build(&ProcessPlan) -> SandboxSpec`, what `offhost-exec` is told.

mod build;
mod spec;

pub use build::*;
pub use spec::*;
