//! What the process is and may, compared with what it sees in the local sandbox (OH6).

use std::fs;
use std::process::Stdio;

use super::support::{PYTHON, Rig, through};
use crate::support::needs;

const TERMINAL: &str = include_str!("../sandbox/attacks/terminal.py");
const INJECT: &str = include_str!("../sandbox/attacks/inject.py");
const REFUSE: &str = include_str!("../sandbox/attacks/refuse.py");

fn field<'a>(status: &'a str, name: &str) -> &'a str {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .unwrap_or_else(|| panic!("no {name} in {status}"))
        .trim()
}

/// Proves: SB6 (P), RA1 (P)
#[test]
fn the_process_has_no_privileges_and_can_get_none() {
    let rig = Rig::new();
    let status = rig.sh("cat /proc/self/status").good();
    assert_eq!(field(&status, "NoNewPrivs"), "1");
    assert_eq!(field(&status, "Seccomp"), "2");
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(field(&status, set), "0000000000000000", "{set}");
    }
    let own = rig.uid.to_string();
    assert!(field(&status, "Uid").split('\t').all(|uid| uid == own));
}

/// Proves: SB6 (P)
#[test]
fn capabilities_that_the_container_has_do_not_reach_the_process() {
    if !needs("OFFHOST_TEST_ROOT", "it gives capabilities") {
        return;
    }
    let rig = Rig::new();
    let helper = rig.helper(&["pod", "--", "/bin/cat", "/proc/self/status"]);
    let caps = "+net_raw,+chown,+setpcap";
    let line = format!(
        "exec {} --inh-caps {caps} --ambient-caps {caps} \"$@\"",
        rig.setpriv()
    );
    let mut command = through(&["/bin/sh", "-c", &line, "sh"], &helper);
    let status = rig.finish(rig.start(&mut command)).good();
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb", "CapBnd"] {
        assert_eq!(field(&status, set), "0000000000000000", "{set}");
    }
}

/// Proves: SB6 (P)
#[test]
fn a_filter_that_the_kernel_refuses_ends_the_job() {
    if !needs("OFFHOST_TEST_ROOT", "it runs Python") {
        return;
    }
    let rig = Rig::new();
    let helper = rig.helper(&["pod", "--", "/bin/echo", "ran"]);
    let seccomp = libc::SYS_seccomp.to_string();
    let line = format!("exec {} \"$@\"", rig.setpriv());
    let refuse = [PYTHON, "-I", "-S", "-c", REFUSE, &seccomp, "1", "1"];
    let words = [&["/bin/sh", "-c", &line, "sh"][..], &refuse].concat();
    let mut command = through(&words, &helper);
    let outcome = rig.finish(rig.start(&mut command));
    let (step, sentence) = outcome.failed();
    assert_eq!((step.as_str(), outcome.text().as_str()), ("lock down", ""));
    assert!(
        sentence.contains("seccomp filter") && sentence.contains("RuntimeDefault"),
        "{sentence}"
    );
}

/// Proves: SB6 (P)
#[test]
fn only_three_descriptors_are_inherited() {
    let rig = Rig::new();
    let helper = rig.helper(&[
        "pod",
        "--",
        "/bin/sh",
        "-c",
        "ls /proc/$$/fd; ls -l /proc/$$/fd/0",
    ]);
    let script = "exec 3</dev/null 7>/dev/null 9</etc/passwd; exec \"$@\"";
    let mut command = through(&["/bin/sh", "-c", script, "sh"], &helper);
    rig.as_account(&mut command);
    let text = rig.finish(rig.start(&mut command)).good();
    // The shell keeps one of its own.
    let lines: Vec<&str> = text.lines().filter(|line| *line != "10").collect();
    assert_eq!(lines[..3], ["0", "1", "2"]);
    assert!(lines.len() == 4 && lines[3].ends_with("-> /dev/null"), "{text}");
}

/// Proves: SB6 (P), OH6 (P)
#[test]
fn the_process_begins_as_in_the_sandbox() {
    let rig = Rig::new();
    let script = "umask; ulimit -c; pwd; cut -d' ' -f5-7 /proc/$$/stat; echo $$\n\
        grep -E 'Sig(Blk|Ign)' /proc/self/status | cut -f2; env | grep -av '^PWD=' | sort";
    // What the helper was started with is not what the process begins with.
    let helper = rig.helper(&["pod", "--", "/bin/sh", "-c", script]);
    let before = "umask 077; trap '' TERM USR1 CHLD PIPE; exec \"$@\"";
    let mut command = through(&["/bin/sh", "-c", before, "sh"], &helper);
    rig.as_account(&mut command);
    let env = [("PATH", "/usr/bin:/bin"), ("TMPDIR", "/a b"), ("ODD", "é\u{1}")];
    command.env_clear().envs(env).current_dir("/usr");
    let text = rig.finish(rig.start(&mut command)).good();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..3], ["0022", "0", "/usr"]);
    // A leader of its session and group, without a terminal.
    let pid = lines[4];
    assert_eq!(lines[3], format!("{pid} {pid} 0"));
    assert_eq!(lines[5..7], ["0000000000000000", "0000000000000000"]);
    assert_eq!(lines[7..], ["ODD=é\u{1}", "PATH=/usr/bin:/bin", "TMPDIR=/a b"]);
}

/// Proves: SB6 (P)
#[test]
fn the_helper_can_not_be_looked_into() {
    let rig = Rig::new();
    let script = "for name in environ mem maps; do cat /proc/$PPID/$name >/dev/null && echo read $name; done\n\
        ls -L /proc/$PPID/fd/ /proc/$PPID/cwd/ /proc/$PPID/root/ 2>/dev/null; readlink /proc/$PPID/exe; echo end";
    assert_eq!(rig.sh(script).good(), "end\n");
}

/// Proves: SB6 (P)
#[test]
fn a_terminal_of_the_container_can_not_be_typed_into() {
    if !needs("OFFHOST_TEST_ROOT", "it runs Python with a terminal") {
        return;
    }
    let rig = Rig::new();
    let result = rig.own_directory("own").join("result");
    // A terminal takes a moment to hand on what is written to it, and its other end is read at the end.
    let inject = format!("{INJECT}\nimport time\ntime.sleep(0.5)\n");
    let helper = rig.helper(&["pod", "--", PYTHON, "-I", "-S", "-c", &inject]);
    let line = format!("exec {} \"$@\"", rig.setpriv());
    let terminal = [PYTHON, "-I", "-S", "-c", TERMINAL, result.to_str().unwrap()];
    let words = [&["/bin/sh", "-c", &line, "sh"][..], &terminal].concat();
    let status = through(&words, &helper).stdin(Stdio::null()).status();
    assert!(status.unwrap().success());
    let text = fs::read_to_string(&result).unwrap();
    assert!(text.starts_with("queued 0\n"), "{text}");
    assert_eq!(text.matches(" -1 EPERM").count(), 9, "{text}");
    assert!(!text.contains("took the terminal"), "{text}");
    assert!(!text.contains("opened /dev/tty"), "{text}");
}
