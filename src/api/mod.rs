//! Types of the custom resources, which are also the job files of local mode, and the reading of such a file.

mod bounds;
pub mod job;
mod load;
mod quantities;
pub mod resource;
pub mod status;

pub use load::{JobFileError, parse_job};
