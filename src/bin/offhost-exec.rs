//! Entry of the helper that turns a sandbox specification into a process. Started by `offhost`, never by hand.
//!
//! Each launch pays for what happens before `main`, so less than usual does: the unwinder is linked in, because loading it
//! as a library takes longer than making ten mounts, and Rust's own set-up (guard pages, a handler for stack overflows)
//! is left out.
#![cfg_attr(target_env = "gnu", no_main)]
// No unsafe operation: the attributes of linking count as unsafe.
#![allow(unsafe_code)]

#[cfg(target_env = "gnu")]
#[link(name = "gcc_eh", kind = "static", modifiers = "-bundle")]
unsafe extern "C" {}

/// The C library's entry. Its `.init_array` has given Rust the arguments.
#[cfg(target_env = "gnu")]
#[unsafe(no_mangle)]
pub extern "C" fn main() -> std::ffi::c_int {
    run().into()
}

#[cfg(not(target_env = "gnu"))]
fn main() -> std::process::ExitCode {
    run().into()
}

fn run() -> u8 {
    offhost::exec::run(std::env::args().skip(1))
}
