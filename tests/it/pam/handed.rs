//! What is left of a password once a session is open: nothing, here or in the program that has the session.

use std::os::unix::fs::FileExt;
use std::process::Stdio;

use offhost::local::launcher::Streams;
use offhost::local::pam::{Password, Session};

use super::checks::LIMIT;
use super::launches::{AUTHENTICATED, launcher, spec};
use super::machine::{Machine, PASSWORD, USER};
use super::may_run;

/// Proves: PM3 (L)
#[test]
fn an_open_session_has_no_password_left_and_none_of_its_memory_is_swapped() {
    if !may_run() {
        return;
    }
    let machine = Machine::new("");
    machine.service("authenticated", AUTHENTICATED);
    let password = Password::new(PASSWORD.as_bytes()).expect("memory can be locked");
    let session = Session::of_service(&machine.program(), "authenticated", USER).limited_to(LIMIT);
    let launcher = launcher(session.with_password(password));
    let streams = Streams {
        stdin: Stdio::null(),
        stdout: Stdio::null(),
        stderr: Stdio::null(),
    };
    let go = machine.place.path("sync/open.go");
    let code = format!("while [ ! -e {} ]; do sleep 0.05; done", go.display());
    let mut running = launcher.start(&spec(&code), streams).expect("it starts");
    let layers = running.wait_started().expect("the session is opened");
    let monitor = running.helper_pid();
    let status = std::fs::read_to_string(format!("/proc/{monitor}/status")).expect("it runs");
    let locked = status
        .lines()
        .find_map(|line| line.strip_prefix("VmLck:"))
        .expect("the kernel tells");
    let found = occurrences(monitor, PASSWORD.as_bytes());
    std::fs::write(&go, "").expect("it can be written");
    let ended = running.wait(layers).expect("it ends");
    assert_eq!(ended.code, Some(0));
    assert!(!locked.trim().starts_with("0 "), "{status}");
    assert_eq!(found, 0, "the program that has the session needs it no more");
    machine.assert_all_closed();
}

/// How often these bytes stand in the memory that a process can write to.
fn occurrences(pid: i32, bytes: &[u8]) -> usize {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).expect("root may read it");
    let memory = std::fs::File::open(format!("/proc/{pid}/mem")).expect("root may read it");
    let mut found = 0;
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let range = line.split(' ').next().and_then(|range| range.split_once('-'));
        let (from, to) = range.expect("a range");
        let number = |text| u64::from_str_radix(text, 16).expect("a number");
        let mut room = vec![0; usize::try_from(number(to) - number(from)).expect("it fits")];
        if memory.read_exact_at(&mut room, number(from)).is_ok() {
            found += room
                .windows(bytes.len())
                .filter(|window| *window == bytes)
                .count();
        }
    }
    found
}
