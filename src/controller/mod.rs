//! The controller: makes Pods of jobs, and tells what became of them.

pub mod api;
pub mod cache;
pub mod call_error;
pub mod events;
pub mod features;
pub mod health;
pub mod http;
pub mod index;
pub mod lease;
pub mod pod_events;
pub mod refusal;
pub mod runtimes;
pub mod schedule;
pub mod seen;
pub mod view;
pub mod watch;
pub mod worker;
