//! The one integration test binary.

mod bundles;
mod gcfg_oracle;
mod plan_fixture;
mod plan_golden;
mod plan_properties;
mod plan_rules;
mod settings_docs;
mod support;
