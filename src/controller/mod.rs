//! The controller: makes Pods of jobs, and tells what became of them.
pub mod api;
pub mod cache;
pub mod call_error;
pub mod schedule;
pub mod seen;
pub mod worker;
