//! Applications on a cluster: what they come to, and their processes as Pods.
//!
//! ```text
//! ContentApp ── look: gather -> status::next_app -> status written ── AppSet ──> Hub (of the leader)
//!                      └─ recipe of the deployment                                │ start, end
//!                                  └───────────────> PodFleet: one task a process <┘
//!                                                      │ Pod posted, watched, its helper listened to, deleted
//!                                                      └── Ready, Failed, Ended ──> Hub
//! ```

mod adopt;
mod calls;
mod ending;
mod fleet;
mod gather;
mod helper;
mod look;
mod numbers;
mod pod;
mod pods;
mod process;
mod source;
mod spec;
mod stages;
mod state;
pub mod view;

pub use adopt::{adopt, open_processes};
pub use fleet::PodFleet;
pub use look::look;
pub use state::{Apps, tell_of_changes};
