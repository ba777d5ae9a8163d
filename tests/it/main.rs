//! The one integration test binary.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod accounts_docs;
mod architecture;
mod browser;
mod builds;
mod bundles;
mod cli;
mod cluster_cli;
mod conformance;
mod crd;
mod data;
mod exec_pod;
mod faults;
mod fuzz_seeds;
mod gateway;
mod gcfg_oracle;
mod job_reference;
mod pages;
mod pam;
mod plan_fixture;
mod plan_golden;
mod plan_properties;
mod plan_rules;
mod pods;
mod promises;
mod reconcile;
mod renders;
mod repository;
mod sandbox;
mod serve;
mod settings_docs;
mod status;
mod support;
mod volume;
