//! What becomes of a job: from what was seen to its next status and the next thing to do. Pure: no client, no clock.
//!
//! ```text
//! Pod, events, PodContext ── observe ──> Observation ──┐
//! bundle, plan, install jobs ──────────> Planned ──────┴─> World ── next(job, world, now) ──> Next: status, action, events
//!                                                                                                      │ Action::Finish
//!                                     the volume was finished ── finished(job, attempt, …) ──> Next <──┘
//! ```
//!
//! Rules that hold for every input, each with a test: deciding twice changes nothing the second time; a finished job stays
//! as it is; at most one attempt is open; no Pod is made for an attempt while another one may run.

mod app;
mod app_types;
mod attempts;
mod conditions;
mod draft;
mod finished;
mod gates;
mod next;
mod observe;
mod records;
mod recurring;
mod retry;
mod types;
mod watch;

pub use app::next_app;
pub use app_types::{AppNext, AppNumbers, AppPlanned, AppReady, AppWorld};
pub use attempts::{AttemptIds, attempt_ids, is_finished, open_attempt};
pub use finished::finished;
pub use next::next;
pub use observe::observe;
pub use recurring::{Recurrence, RunSeen, RunState, is_told, recur};
pub use types::*;
