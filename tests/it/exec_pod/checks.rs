//! What is checked before anything of the content runs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::support::{Outcome, Rig};
use crate::support::needs;

/// Writes a program by way of a shell: a file that this process has open for writing could be inherited by another
/// thread's child, and could then not be executed.
fn write_program(path: &Path, text: &str, mode: u32) {
    let status = Command::new("/bin/sh")
        .args(["-c", "printf %s \"$1\" >\"$0\""])
        .arg(path)
        .arg(text)
        .status()
        .unwrap();
    assert!(status.success());
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn supervised(rig: &Rig, supervisor: &[&str], script: &str) -> Outcome {
    let count = supervisor.len().to_string();
    let head = ["pod", "--supervisor-words", &count, "--"];
    let words = [&head, supervisor, &["/bin/sh", "-c", script]].concat();
    rig.finish(rig.start(&mut rig.helper(&words)))
}

/// Proves: SV2 (P)
#[test]
fn a_supervisor_that_the_image_does_not_have_is_named() {
    let rig = Rig::new();
    let plain = rig.path("plain");
    write_program(&plain, "#!/bin/sh\nexec \"$@\"\n", 0o644);
    let below_file = plain.join("x");
    let ran = rig.own_directory("own").join("ran");
    let cases = [
        ("/no/such/supervisor", "is not in the image"),
        (rig.path("").to_str().unwrap(), "is no file in the image"),
        (plain.to_str().unwrap(), "can not be executed by the account"),
        (below_file.to_str().unwrap(), "can not be read in the image"),
        ("nice", "is no absolute path"),
    ]
    .map(|(path, what)| (path.to_owned(), what));
    for (path, what) in cases {
        let outcome = supervised(&rig, &[&path, "-n"], &format!(": >{}", ran.display()));
        let (step, sentence) = outcome.failed();
        assert_eq!(step, "supervisor");
        assert!(
            sentence.contains(&format!("the supervisor '{path}' {what}")),
            "{sentence}"
        );
        assert!(sentence.contains("runtimes.yaml"), "{sentence}");
        assert!(!ran.exists());
    }
}

/// Proves: SV2 (P)
#[test]
fn a_supervisor_whose_interpreter_is_missing_is_named() {
    let rig = Rig::new();
    let broken = rig.path("broken");
    write_program(&broken, "#!/no/such/interpreter\n", 0o755);
    let (step, sentence) = supervised(&rig, &[broken.to_str().unwrap()], "true").failed();
    assert_eq!(step, "supervisor");
    assert!(sentence.contains(broken.to_str().unwrap()), "{sentence}");
    assert!(sentence.contains("interpreter of its first line"), "{sentence}");
}

/// Proves: SV3 (P), SV4 (P)
#[test]
fn a_supervisor_is_the_process() {
    let rig = Rig::new();
    let supervisor = rig.path("supervisor");
    let script = "#!/bin/sh\necho \"$1 as $(id -u) $(grep -c 'Seccomp:.2' /proc/self/status)\" >&2\nshift\nread line\n\
        \"$@\" <<-end\n\t$line\n\tend\nexit 42\n";
    write_program(&supervisor, script, 0o755);
    let words = [
        "pod",
        "--supervisor-words",
        "2",
        "--",
        supervisor.to_str().unwrap(),
        "own word",
        "/bin/sh",
        "-c",
        "read line; echo \"got $line with $#\"; exit 3",
        "name",
        "a",
        "b c",
    ];
    let (theirs, mut ours) = std::io::pipe().unwrap();
    let mut command = rig.helper(&words);
    command
        .stdin(theirs)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    drop(command);
    std::io::Write::write_all(&mut ours, b"input\n").unwrap();
    let outcome = rig.finish(child);
    assert_eq!(outcome.text(), "got input with 2\n");
    assert_eq!(outcome.stderr, format!("own word as {} 1\n", rig.uid));
    assert_eq!(outcome.code, Some(42));
}

/// Proves: PK8 (P)
#[test]
fn a_program_that_can_not_be_executed_is_named() {
    let rig = Rig::new();
    let text = rig.path("text");
    write_program(&text, "neither a script nor a program", 0o755);
    let closed = rig.path("closed");
    write_program(&closed, "#!/bin/sh\n", 0o644);
    let cases = [
        ("no-such-program", "put it into the image"),
        (text.to_str().unwrap(), "another processor"),
        (closed.to_str().unwrap(), "make it executable"),
    ];
    for (program, advice) in cases {
        let outcome = rig.finish(rig.start(&mut rig.helper(&["pod", "--", program])));
        let (step, sentence) = outcome.failed();
        assert_eq!(step, "start the process");
        assert!(
            sentence.contains(program) && sentence.contains(advice),
            "{sentence}"
        );
    }
}

/// Proves: RA1 (P)
#[test]
fn root_is_refused() {
    if !needs("OFFHOST_TEST_ROOT", "it starts the helper as root") {
        return;
    }
    let rig = Rig::new();
    let directory = rig.own_directory("to");
    let to = directory.to_str().unwrap();
    for (uid, gid) in [(0, 0), (0, rig.uid), (rig.uid, 0)] {
        for words in [
            &["pod", "--", "/bin/echo", "ran"][..],
            &["copy", "/etc/default", to],
        ] {
            let mut command = rig.helper(words);
            command.uid(uid).gid(gid);
            let outcome = rig.finish(rig.start(&mut command));
            let (step, sentence) = outcome.failed();
            assert_eq!(
                (step.as_str(), outcome.text().as_str()),
                ("check the account", "")
            );
            assert!(
                sentence.contains(&format!("uid {uid} and gid {gid}")),
                "{sentence}"
            );
            assert!(sentence.contains("runAsUser"), "{sentence}");
        }
    }
    assert_eq!(fs::read_dir(directory).unwrap().count(), 0);
}

#[test]
fn mistakes_in_the_command_line_are_named_in_the_termination_log() {
    let rig = Rig::new();
    for (words, what) in [
        (
            &["pod", "--colour", "red", "--", "true"][..],
            "--colour is unknown",
        ),
        (
            &["pod", "--timeout-seconds", "soon", "--", "true"],
            "--timeout-seconds 'soon'",
        ),
        (&["pod", "true"], "no command line follows --"),
        (&["copy", "/a"], "copy FROM TO"),
        (&["install"], "install TO"),
        (&["dance"], "'dance' is no command"),
    ] {
        let outcome = rig.finish(rig.start(&mut rig.helper(words)));
        let (step, sentence) = outcome.failed();
        assert_eq!(step, "read the arguments");
        assert!(sentence.contains(what), "{sentence}");
    }
}

#[test]
fn without_a_termination_log_everything_is_as_it_is() {
    let rig = Rig::new();
    fs::remove_file(rig.path("termination-log")).unwrap();
    let status = rig
        .helper(&["pod", "--", "/bin/sh", "-c", "exit 3"])
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(3));
    assert!(!rig.path("termination-log").exists());
}
