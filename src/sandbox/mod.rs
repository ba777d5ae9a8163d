//! The local rendering of a plan (pure): `build(&ProcessPlan) -> SandboxSpec`, what `offhost-exec` is told.

mod build;
mod read;
mod spec;

pub use build::*;
pub use read::*;
pub use spec::*;
