//! What speaks to a Kubernetes API server, shared by the controller and the command line.

mod resource;
