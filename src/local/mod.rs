//! Local mode: the sandbox of this machine, and the jobs that run in it.

pub mod audit;
mod current_user;
pub mod deploy;
pub mod doctor;
pub mod error;
pub mod failed;
pub mod index;
pub mod install;
pub mod job;
mod kept;
pub mod launcher;
pub mod logs;
pub(crate) mod met;
pub mod output;
mod own_addresses;
pub mod pam;
pub mod probe;
pub mod process;
mod recent;
mod running;
mod scratch;
pub mod secrets;
pub mod serve;
pub mod server;
pub mod servers;
pub mod signals;
mod spawn;
pub mod starters;
pub mod supervisor;
mod task;
pub mod tempdir;
pub mod trust;
pub mod watcher;

pub(crate) use server::make_own;
