//! The controller of Pod mode.

pub mod volume;
