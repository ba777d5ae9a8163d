//! Content: the bundle, its `manifest.json`, its kind, and what it needs (PK9).
//!
//! Everything that decides is pure and sees a bundle through [`Files`]; [`dir`], [`beneath`] and [`archive`] are
//! the only parts that touch the file system.

pub mod archive;
pub mod beneath;
pub mod dir;
mod entrypoint;
mod facts;
mod files;
pub mod form;
mod front_matter;
mod infer;
mod infer_python;
pub mod kinds;
mod literal;
pub mod manifest;
mod manifest_raw;
mod node;
mod notebook;
mod params;
mod paths;
mod python;
mod r_literal;
mod r_lock;
mod r_manifest;
mod r_packrat;
mod r_renv;
mod site;
mod types;
mod unpack;
mod yaml;

pub use entrypoint::EntrypointError;
pub use facts::{FactsError, gather, r_package_version};
pub use files::{Bundle, Files, Presence, ReadError};
pub use infer::InferError;
pub use manifest::ManifestError;
pub use node::NodeError;
pub use params::{DeclarationError, ParameterError, check_parameters};
pub use paths::{PathFault, relative};
pub use python::PythonError;
pub use r_lock::RLockError;
pub use site::SiteError;
pub use types::*;
