//! The one integration test binary.

mod gcfg_oracle;
mod settings_docs;
mod support;
