//! PAM for real: accounts and services made for the test, modules that misbehave, and kills at random moments.

mod addresses;
mod cache;
mod checks;
mod handed;
mod kills;
mod launches;
mod login;
mod machine;
mod names;
mod processes;
mod refusals;
mod sessions;

/// Whether these tests may run: they make accounts and mounts, in a namespace of their own.
#[track_caller]
fn may_run() -> bool {
    crate::support::needs("OFFHOST_TEST_ROOT", "it makes accounts in a mount namespace")
}
