//! The one integration test binary.

mod bundles;
mod gcfg_oracle;
mod settings_docs;
mod support;
