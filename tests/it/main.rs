//! The one integration test binary.

mod architecture;
mod bundles;
mod conformance;
mod gcfg_oracle;
mod job_reference;
mod repository;
mod settings_docs;
mod support;
