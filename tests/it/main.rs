//! The one integration test binary.

mod bundles;
