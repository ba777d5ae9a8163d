//! The sandbox, tried for real: content that attacks it, in every mode. Needs root, and is run by `make test`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod cases;
mod endings;
mod faults;
mod filter;
mod groups;
mod identity;
mod limits;
mod machine;
mod masks;
mod mounts;
mod namespaces;
mod outsider;
mod privileges;
mod races;
mod routes;
mod serving;
mod steps;
mod streams;
mod support;
mod terminal;
mod tools;
