//! Local mode: the sandbox of this machine, and the jobs that run in it.

pub mod deploy;
pub mod doctor;
pub mod error;
pub mod failed;
pub mod install;
pub mod job;
pub mod launcher;
pub mod logs;
pub mod output;
pub mod probe;
pub mod process;
mod scratch;
pub mod secrets;
pub mod server;
pub mod signals;
pub mod starters;
pub mod supervisor;
mod task;
pub mod tempdir;
