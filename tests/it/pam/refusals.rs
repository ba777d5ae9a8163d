//! Settings that can not be had.

use std::process::Command;

use super::machine::{Machine, USER};
use super::may_run;

/// Proves: PM1 (L), SB9 (L)
#[test]
fn an_ordinary_user_can_not_ask_for_sessions() {
    if !may_run() {
        return;
    }
    let machine = Machine::new("");
    let bundle = machine.notebook(":");
    let home = machine.place.path("home");
    machine
        .sh(&format!(
            "mkdir {0} && chown {USER} {0} {1}",
            home.display(),
            machine.place.path("data").display()
        ))
        .succeeded();
    let command = machine.place.command(&["run", &bundle]);
    let program = command.get_program().to_owned();
    let words: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let (enter, rest) = words.split_at(2);
    let done = Command::new(program)
        .args(enter)
        .args(["setpriv", "--reuid", USER, "--regid", USER, "--clear-groups"])
        .args(rest)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", &home)
        .output()
        .expect("setpriv is there");
    let done = crate::faults::place::Done::of(done);
    assert_ne!(done.code, 0);
    assert!(
        done.error().contains("PAM.UseSession needs root"),
        "{}",
        done.stderr
    );
}

/// Proves: CN1 (L)
#[test]
fn a_service_is_a_name_and_never_a_path() {
    if !may_run() {
        return;
    }
    let machine = Machine::new("");
    for name in ["../su", "/etc/pam.d/su", ".hidden", "a b"] {
        machine.use_service(&format!("\"{name}\""), "");
        let done = machine.place.run(&["run", &machine.notebook(":")]);
        assert!(
            done.error().contains("can not name a PAM service"),
            "{}",
            done.stderr
        );
    }
}
