//! The one integration test binary.

mod plan_fixture;
mod plan_golden;
mod plan_properties;
mod plan_rules;
