//! The controller: makes Pods of jobs, and tells what became of them.

pub mod api;
pub mod cache;
pub mod call_error;
pub mod health;
pub mod http;
pub mod index;
pub mod lease;
pub mod pod_events;
pub mod runtimes;
pub mod schedule;
pub mod seen;
pub mod view;
pub mod watch;
pub mod worker;
