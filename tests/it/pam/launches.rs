//! Launches in a session, as the server makes them: passwords, time limits, descriptors.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use offhost::local::launcher::{Ended, LaunchError, Launcher, Streams};
use offhost::local::pam::{Password, Session};
use offhost::sandbox::{SandboxMode, SandboxSpec};

use super::machine::{Machine, PASSWORD, USER};
use super::may_run;

pub(super) const AUTHENTICATED: &str = "auth required pam_unix.so nodelay\naccount required pam_unix.so\nsession required pam_exec.so quiet RECORD\n";
const OPEN: &str = "auth sufficient pam_rootok.so\naccount required pam_permit.so\nsession required pam_exec.so quiet RECORD\n";
/// Whoever waits longer than this waits for ever.
const GIVEN_UP: Duration = Duration::from_secs(120);

pub(super) fn spec(code: &str) -> SandboxSpec {
    SandboxSpec {
        mode: SandboxMode::Root,
        argv: ["/bin/sh", "-c", code].map(str::to_owned).into(),
        env: vec!["PATH=/usr/bin:/bin".to_owned()],
        cwd: "/".into(),
        uid: 23_741,
        gid: 23_741,
        groups: vec![23_741],
        masks: Vec::new(),
        binds: Vec::new(),
        rlimits: Vec::new(),
        cgroup: None,
        timeout_ms: None,
        grace_ms: 1000,
        serve: None,
    }
}

pub(super) fn launcher(session: Session) -> Launcher {
    let helper = Path::new(env!("CARGO_BIN_EXE_offhost-exec"));
    Launcher::at(helper).expect("it is built").in_session(session)
}

fn run_with(
    launcher: &Launcher,
    code: &str,
    listener: Option<&OwnedFd>,
) -> Result<(Ended, String), LaunchError> {
    let (mut reader, writer) = std::io::pipe().expect("a pipe can be made");
    let streams = Streams {
        stdin: Stdio::null(),
        stdout: Stdio::from(writer.try_clone().expect("it can be copied")),
        stderr: Stdio::from(writer),
    };
    let mut running = launcher.start_serving(&spec(code), streams, listener.map(AsFd::as_fd))?;
    let layers = running.wait_started()?;
    let ended = running.wait(layers)?;
    let mut text = String::new();
    std::io::Read::read_to_string(&mut reader, &mut text).expect("it is text");
    Ok((ended, text))
}

pub(super) fn run(session: Session, code: &str) -> Result<(Ended, String), LaunchError> {
    run_with(&launcher(session), code, None)
}

#[track_caller]
fn refused(answer: Result<(Ended, String), LaunchError>, expected: &str) {
    match answer {
        Err(LaunchError::NoSession(message)) if message.contains(expected) => {}
        other => panic!("{expected}: {other:?}"),
    }
}

/// Proves: PM3 (L)
#[test]
fn a_session_gets_the_visitor_s_password() {
    if !may_run() {
        return;
    }
    let machine = Machine::new("");
    machine.service("authenticated", AUTHENTICATED);
    let session = || Session::of_service(&machine.program(), "authenticated", USER).limited_to(120);
    let password = |bytes: &[u8]| Password::new(bytes).expect("memory can be locked");
    let right = session().with_password(password(PASSWORD.as_bytes()));
    let show = "cat /proc/self/environ /proc/self/cmdline; id -u; exit 3";
    let (ended, text) = run(right, show).expect("it is opened");
    assert_eq!(ended.code, Some(3));
    assert!(text.contains("23741") && !text.contains(PASSWORD), "{text}");
    assert_eq!(machine.assert_all_closed(), 1);
    refused(
        run(session().with_password(password(b"wrong")), "exit 0"),
        "refused a session",
    );
    refused(run(session(), "exit 0"), "without a password");
    assert_eq!(machine.assert_all_closed(), 1, "no other was opened");
}

/// Proves: PM1 (L)
#[test]
fn a_module_that_hangs_is_given_up() {
    if !may_run() {
        return;
    }
    let machine = Machine::new("");
    let session = |limit| Session::of_service(&machine.program(), "hanging", USER).limited_to(limit);
    for step in ["account=hang", "setcred=hang", "open=hang"] {
        machine.service(
            "hanging",
            &format!("auth required MISBEHAVE {step}\nauth sufficient pam_rootok.so\naccount required MISBEHAVE {step}\nsession required MISBEHAVE {step}\n"),
        );
        let start = Instant::now();
        refused(run(session(1), "exit 0"), "did not answer within 1 s");
        assert!(start.elapsed() < GIVEN_UP, "{step}");
    }
    machine.service("hanging", "auth sufficient pam_rootok.so\naccount required pam_permit.so\nsession required MISBEHAVE close=hang\n");
    let start = Instant::now();
    // Long enough for the steps before it on a busy machine.
    let (ended, _) = run(session(8), "exit 4").expect("the process itself is none the worse");
    assert_eq!(ended.code, Some(4));
    assert!(start.elapsed() < GIVEN_UP);
}

/// Proves: PM1 (L), SB8 (L)
#[test]
fn signals_codes_and_descriptors_are_those_without_a_session() {
    if !may_run() {
        return;
    }
    let machine = Machine::new("");
    machine.service("recording", OPEN);
    let session = || Session::of_service(&machine.program(), "recording", USER);
    for code in [0, 1, 70, 125, 255] {
        let (ended, _) = run(session(), &format!("exit {code}")).expect("it is opened");
        assert_eq!((ended.code, ended.signal, ended.cause), (Some(code), None, None));
    }
    let (ended, _) = run(session(), "kill -SEGV $$").expect("it is opened");
    assert_eq!((ended.code, ended.signal), (None, Some(libc::SIGSEGV)));
    let listener: OwnedFd = std::net::TcpListener::bind("127.0.0.1:0")
        .expect("a port is free")
        .into();
    let hold: Arc<OwnedFd> = Arc::new(std::fs::File::open("/dev/null").expect("it is there").into());
    let launcher = launcher(session()).holding(hold);
    let (_, text) = run_with(
        &launcher,
        "echo /proc/self/fd/*; readlink /proc/self/fd/3",
        Some(&listener),
    )
    .expect("it is opened");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[1].starts_with("socket:["), "{text}");
    let numbers: Vec<&str> = lines[0]
        .split(' ')
        .filter_map(|path| path.rsplit('/').next())
        .collect();
    assert!(
        numbers.starts_with(&["0", "1", "2", "3"]) && numbers.len() <= 5,
        "and one to read the directory: {text}"
    );
    machine.assert_all_closed();
}
