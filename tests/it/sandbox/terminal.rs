//! The launcher's terminal can not be typed into (CVE-2017-5226, CVE-2019-10063).

use std::fs;
use std::process::{Command, Stdio};

use offhost::local::launcher::Streams;

use super::support::{PYTHON, asked_for, in_each_mode};

const TERMINAL: &str = include_str!("attacks/terminal.py");
const INJECT: &str = include_str!("attacks/inject.py");

/// Proves: SB6 (L)
#[test]
fn without_a_sandbox_a_terminal_can_be_typed_into() {
    if !asked_for("without_a_sandbox_a_terminal_can_be_typed_into") {
        return;
    }
    if fs::read_to_string("/proc/sys/dev/tty/legacy_tiocsti").is_ok_and(|text| text.trim() == "0") {
        println!("SKIPPED: this kernel never lets a terminal be typed into");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let result = directory.path().join("result");
    let status = Command::new(PYTHON)
        .args(["-I", "-S", "-c", TERMINAL])
        .arg(&result)
        .args([PYTHON, "-I", "-S", "-c", INJECT])
        .status()
        .unwrap();
    assert!(status.success());
    let text = fs::read_to_string(&result).unwrap();
    assert!(
        text.starts_with("queued ") && !text.starts_with("queued 0\n"),
        "{text}"
    );
}

/// Proves: SB6 (L)
#[test]
fn the_launchers_terminal_can_not_be_typed_into() {
    in_each_mode("the_launchers_terminal_can_not_be_typed_into", |rig| {
        let script = rig.path("terminal.py");
        fs::write(&script, TERMINAL).unwrap();
        let result = rig.path("result");
        let rig = rig.around(&format!("{PYTHON} {} {}", script.display(), result.display()));
        // The script gives the helper its streams; these only have to be open.
        let streams = Streams {
            stdin: Stdio::null(),
            stdout: Stdio::null(),
            stderr: Stdio::inherit(),
        };
        let mut running = rig.launch(&rig.python(INJECT, &[]), streams).unwrap();
        let layers = running.wait_started().unwrap();
        let ended = running.wait(layers).unwrap();
        assert_eq!(ended.code, Some(0));
        let text = fs::read_to_string(&result).unwrap();
        assert!(text.starts_with("queued 0\n"), "{text}");
        assert_eq!(text.matches(" -1 EPERM").count(), 9, "{text}");
        assert!(!text.contains("took the terminal"), "{text}");
        assert!(!text.contains("opened /dev/tty"), "{text}");
    });
}
