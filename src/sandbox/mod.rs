//! The local rendering of a plan (pure): `build(&ProcessPlan) -> SandboxSpec`, what `offhost-exec` is told.

mod spec;

pub use spec::*;
