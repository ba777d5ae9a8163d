//! The gateway as a program of its own on a cluster: what is served comes from the API server, seats from the controller
//! that leads, files from the data volume.

mod form;
mod hub;
mod keys;
mod routes;
pub mod run;
mod watch;
mod wish;

pub use keys::{HUB_KEY, make_keys};
