//! The helper as the first process of a content Pod's container: started as a container's runtime would, as an
//! ordinary process and as the first one of a PID namespace. It runs as an account of its own where the tests are
//! root's, else as that of the tests.

mod checks;
mod copying;
mod endings;
mod first;
mod install;
mod log;
mod memory;
mod privileges;
mod serving;
mod streams;
mod support;
