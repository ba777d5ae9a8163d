//! Settings: the gcfg reader, the typed settings, overrides, and where each value came from (CN1).
//!
//! ```text
//! rstudio-connect.gcfg      OFFHOST_SECTION_KEY     table
//!      \__ gcfg __ layer __/ \__ env __/           /  defaults
//!                  \______ resolve ______________/
//!                      /            \
//!                  build           provenance
//!               (Settings)   (where each value comes from)
//! ```
//!
//! `load` and `check` do IO; the rest is pure.

mod build;
mod check;
mod decimal;
mod env;
mod error;
pub mod gcfg;
mod layer;
mod load;
mod origin;
mod resolve;
pub mod table;
mod typed;
mod typed_authentication;
mod typed_builds;
mod typed_database;
mod typed_gateway;
mod typed_pam;
pub mod values;

pub use check::{PathFault, PathProblem, check_paths};
pub use error::SettingsError;
pub use load::{LoadOptions, Loaded, LoadedBuilds, OrdinaryUser, load, load_builds, load_values};
pub use origin::{Origin, SettingValue, without_password};
pub use resolve::Resolved;
pub use typed::*;
pub use typed_authentication::*;
pub use typed_builds::*;
pub use typed_database::*;
pub use typed_gateway::*;
pub use typed_pam::*;
