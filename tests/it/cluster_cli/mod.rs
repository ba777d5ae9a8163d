//! The command line against a cluster: a stand-in for the API server, and the program as it is.

mod deploy;
mod doctor;
mod fake;
mod logs;
mod permissions;
mod plan;
mod run;
