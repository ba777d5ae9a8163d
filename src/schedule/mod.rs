//! When jobs are repeated. Pure: the times of a schedule follow from its words and the rules of its time zone, which are
//! part of this program, and what is done now follows from those times, what was begun before, and the time that is given.
//!
//! A run is known by its minute: whoever decides twice, or in two places, comes to the same name, so a run is made once.

mod ahead;
mod decide;
mod history;
mod names;
mod times;

pub use ahead::{is_ahead, is_far_ahead};
pub use decide::{Decision, Past, Rule, decide};
pub use history::{Run, surplus};
pub use names::{LONGEST_NAME, run_name, run_time};
pub use times::{Times, TimesError};
