//! Types of the custom resources, which are also the job files of local mode, and the reading of such a file.

pub mod access;
pub mod app;
pub mod app_resource;
pub mod app_status;
mod bounds;
mod checks;
pub mod job;
mod load;
mod load_app;
mod manifest;
mod quantities;
pub mod resource;
pub mod schedule;
pub mod status;

pub use load::{JobFileError, parse_job};
pub use load_app::parse_app;
pub use manifest::{Manifest, parse_manifest};
