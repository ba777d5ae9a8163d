//! The controller: makes Pods of jobs, and tells what became of them.
pub mod cache;
pub mod schedule;
pub mod seen;
pub mod worker;
