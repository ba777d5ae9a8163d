//! The one integration test binary.

mod gcfg_oracle;
mod support;
