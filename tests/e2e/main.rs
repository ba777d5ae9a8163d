//! The end-to-end suite: a real cluster, the chart, the images, and nothing that stands in for anything.
//!
//! It needs KUBECONFIG, and kubectl and helm4 (or helm) on PATH; `tests/cluster/exec` sets all that it can use:
//!
//! ```sh
//! tests/cluster/exec cargo test --test e2e -- --test-threads 4
//! ```
//!
//! Each release has a namespace of its own. What a run before this one left is removed first.
#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test tells what it measures, and the seed of what is random"
)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod api;
mod app;
mod builds;
mod chaos;
mod cluster;
mod dry_run;
mod failures;
mod job;
mod lives;
mod nodes;
mod outside;
mod parity;
mod people;
mod places;
mod release;
mod results;
mod serving;
#[allow(dead_code, reason = "the other suite uses more of it")]
#[path = "../it/support.rs"]
mod support;
