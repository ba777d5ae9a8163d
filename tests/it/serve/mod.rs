//! `offhost serve` with the real programs: applications from their first request to their last, and bad days.

mod access;
mod accounts;
mod bundles;
mod database;
mod ends;
mod filesystems;
mod forms;
mod https;
mod kills;
mod manifests;
mod replaces;
mod shared;
mod site;
mod starts;
mod visitors;

use crate::faults::may_run;

/// Answers with its version.
fn answers(text: &str) -> String {
    format!("serve(lambda path: {text:?})")
}
