//! Local mode: the sandbox of this machine, and the jobs that run in it.

pub mod launcher;
pub mod output;
pub mod probe;
pub mod secrets;
pub mod supervisor;
