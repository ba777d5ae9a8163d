//! Applications: how many processes there are, which of them takes a visitor, and when one ends (SC1–SC6). Pure.
//!
//! `app` is one application as the hub sees it, `shelf` its processes as a gateway sees them, and `wire` what the two say
//! to each other. `pools` is about applications whose processes run as their visitors' accounts.

mod app;
mod bounds;
mod place;
mod pools;
mod shelf;
mod types;
pub mod wire;

pub use app::{App, AppReport, EndCause, Moment, STABLE, Scene, Step};
pub use bounds::{BoundsError, DRAIN_TIMEOUT, bounds_of};
pub use place::AppPlace;
pub use pools::{Others, Part, others, yields};
pub use shelf::{PAGE_HOLD, Seated, Shelf, Want};
pub use types::*;
