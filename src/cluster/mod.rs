//! What speaks to a Kubernetes API server, shared by the controller and the command line.

pub mod client;
mod resource;
