//! libFuzzer's program for all targets; `OFFHOST_FUZZ_TARGET` says which one, so that one link does for all.
#![no_main]

mod targets;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<targets::Target> = LazyLock::new(|| {
    let name = std::env::var("OFFHOST_FUZZ_TARGET").unwrap_or_default();
    targets::named(&name).unwrap_or_else(|| panic!("OFFHOST_FUZZ_TARGET names no target: '{name}'"))
});

fuzz_target!(|data: &[u8]| TARGET(data));
