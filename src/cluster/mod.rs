//! What speaks to a Kubernetes API server, shared by the controller and the command line.

pub mod client;
pub mod crd;
mod crd_rules;
mod crd_schema;
mod resource;
