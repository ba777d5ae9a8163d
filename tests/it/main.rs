//! The one integration test binary.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod architecture;
mod bundles;
mod cli;
mod conformance;
mod data;
mod faults;
mod gcfg_oracle;
mod job_reference;
mod pages;
mod plan_fixture;
mod plan_golden;
mod plan_properties;
mod plan_rules;
mod renders;
mod repository;
mod sandbox;
mod settings_docs;
mod support;
mod volume;
