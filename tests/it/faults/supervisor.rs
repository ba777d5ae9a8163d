//! A supervisor in whole runs: around installations and tasks, inside the sandbox, as the account (SV1, SV3, SV4).

use super::place::{Place, write};
use super::{may_run, served};

/// Tells who it is and what it was given, then becomes it. Its own two arguments come first.
const SUPERVISOR: &str = r#"#!/bin/sh
own="$1|$2"
shift 2
if [ -n "${FAULTS_SYNC:-}" ]; then
    seen=$(ls -A "$FAULTS_PLACE/data" "$FAULTS_PLACE/config" 2>/dev/null | grep -vc '^/\|^$')
    echo "uid=$(id -u) pid=$$ sees=$seen own=$own target=$*" >>"$FAULTS_SYNC/supervised"
fi
echo "supervised" >&2
exec "$@"
"#;

fn supervised(place: &Place) -> Vec<String> {
    let text = std::fs::read_to_string(place.path("sync/supervised")).unwrap_or_default();
    place.forget();
    text.lines().map(str::to_owned).collect()
}

fn uid() -> String {
    let id = std::process::Command::new("id")
        .args(["-u", "rstudio-connect"])
        .output()
        .expect("id is there");
    String::from_utf8_lossy(&id.stdout).trim().to_owned()
}

/// Proves: SV1 (L), SV3 (L), SV4 (L)
#[test]
fn a_supervisor_is_around_every_process_inside_its_sandbox() {
    if !may_run() {
        return;
    }
    let place = Place::new();
    let program = place.path("interpreters/supervise");
    write(&program, SUPERVISOR, 0o755);
    place.configure(&format!(
        "[Applications]\nSupervisor = \"{} --nice \\\"two words\\\"\"",
        program.display()
    ));
    let expected = format!("uid={} pid=2 sees=0 own=--nice|two words target=", uid());

    let bundle = place.notebook("report", "stamp", "");
    let done = place.run(&["run", &bundle]).succeeded();
    assert!(served::assert_whole(&place.data(""), "report", &["stamp"]).is_some());
    assert_eq!(
        done.stderr.lines().filter(|line| *line == "supervised").count(),
        2
    );
    let lines = supervised(&place);
    assert_eq!(lines.len(), 2, "the installation and the render: {lines:#?}");
    for (line, starter) in lines.iter().zip(["install_python.py", "render_notebook.py"]) {
        let target = line.strip_prefix(&expected).unwrap_or_else(|| panic!("{line}"));
        assert!(target.contains(starter), "{line}");
    }

    let bundle = place.content("script", &[("script.sh", "printf '%s\\n' \"$@\"; exit 23")]);
    let spec = format!("task: Run\nbundle:\n  path: {bundle}\ncommand: [sh, script.sh, 'a  b', '', '*']");
    let done = place.run(&["run", &place.job("script", &spec)]);
    assert_eq!(done.code, 23, "{}", done.stderr);
    assert_eq!(done.stdout, "a  b\n\n*\n", "standard output is the target's own");
    assert_eq!(supervised(&place), [format!("{expected}sh script.sh a  b  *")]);
    place.assert_nothing_left();
}
