use std::{fs, path::Path, process::Command};

use tempfile::TempDir;

use super::*;
use crate::runtimes::ask::ask;

/// A directory with made-up interpreters. Scripts are written by another process: one that this process has
/// open for writing while another test forks could not be executed.
struct Machine {
    root: TempDir,
}

impl Machine {
    fn new() -> Self {
        Self {
            root: tempfile::Builder::new()
                .permissions(mode(0o755))
                .tempdir()
                .unwrap(),
        }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn script(&self, path: &str, body: &str) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let program = r#"umask 022; printf '#!/bin/sh\n%s\n' "$2" > "$1" && chmod 755 "$1""#;
        let written = Command::new("/bin/sh")
            .args(["-c", program, "sh"])
            .arg(&path)
            .arg(body)
            .status()
            .unwrap();
        assert!(written.success());
        path
    }

    fn r(&self, path: &str, version: &str) -> PathBuf {
        self.script(
            path,
            &format!("echo 'R version {version} (2024-06-14) -- \"Race for Your Life\"'"),
        )
    }

    fn python(&self, path: &str, version: &str) -> PathBuf {
        let executable = self.path(path);
        self.script(path, &format!("echo {version}; echo {}", executable.display()))
    }

    fn places(&self, path: &[&str]) -> Places {
        Places {
            path: path.iter().map(|dir| self.path(dir)).collect(),
            ..Places::default()
        }
    }
}

fn mode(mode: u32) -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(mode)
}

fn search(language: LanguageName, named: &[&Path], scanned: Vec<PathBuf>) -> Search {
    let (setting, program) = match language {
        LanguageName::R => ("R.Executable", "R"),
        LanguageName::Python => ("Python.Executable", "python3"),
        _ => ("Quarto.Executable", "quarto"),
    };
    let named = named.iter().map(|path| (setting, path.to_path_buf())).collect();
    Search {
        language,
        program,
        enabled: true,
        named,
        scanned,
    }
}

fn run(search: Search, places: &Places) -> Result<Discovered, DiscoverError> {
    discover_in(&[search], places, Duration::from_secs(5))
}

fn versions(discovered: &Discovered) -> Vec<(String, Origin)> {
    discovered
        .found
        .iter()
        .map(|found| (found.version.to_string(), found.origin))
        .collect()
}

/// Proves: EX1 (L)
#[test]
fn settings_name_several_versions_in_their_order() {
    let machine = Machine::new();
    let new = machine.r("opt/R/4.4.1/bin/R", "4.4.1");
    let old = machine.r("opt/R/4.2.2/bin/R", "4.2.2 Patched");
    machine.r("bin/R", "4.0.0");
    let places = machine.places(&["bin"]);
    let discovered = run(search(LanguageName::R, &[&new, &old], vec![]), &places).unwrap();
    let setting = Origin::Setting("R.Executable");
    assert_eq!(
        versions(&discovered),
        [("4.4.1".to_owned(), setting), ("4.2.2".to_owned(), setting)]
    );
    let runtime = &discovered.runtimes.runtimes[0];
    assert_eq!(runtime.name, LOCAL_RUNTIME);
    assert_eq!(
        runtime.installations[&LanguageName::R][1].path,
        old.display().to_string()
    );
    assert!(
        discovered.notes.is_empty() && discovered.left_out.is_empty(),
        "{discovered:?}"
    );
}

/// Proves: EX1 (L)
#[test]
fn path_gives_the_default_and_scanning_more() {
    let machine = Machine::new();
    machine.r("bin/R", "4.0.0");
    let same = machine.path("opt/R/4.0.0/bin/R");
    let other = machine.r("opt/R/4.4.1/bin/R", "4.4.1");
    fs::create_dir_all(machine.path("opt/R/4.0.0/bin")).unwrap();
    std::os::unix::fs::symlink(machine.path("bin/R"), &same).unwrap();
    let scan = vec![same, other];
    let discovered = run(
        search(LanguageName::R, &[], scan),
        &machine.places(&["none", "bin"]),
    )
    .unwrap();
    assert_eq!(
        versions(&discovered),
        [
            ("4.0.0".to_owned(), Origin::Path),
            ("4.4.1".to_owned(), Origin::Scan)
        ]
    );
    assert!(
        discovered.notes.is_empty() && discovered.left_out.is_empty(),
        "{discovered:?}"
    );
    let nothing = run(
        search(LanguageName::Quarto, &[], vec![]),
        &machine.places(&["bin"]),
    )
    .unwrap();
    assert!(nothing.found.is_empty());
    assert_eq!(nothing.absent, [LanguageName::Quarto]);
}

/// Proves: EX2 (L)
#[test]
fn scanned_directories_are_asked_and_links_seen_as_the_same() {
    let machine = Machine::new();
    machine.python("opt/python/3.11.2/bin/python3", "3.11.2");
    machine.python("opt/python/3.9.1/bin/python3", "3.9.1");
    machine.python("opt/python/again/bin/python3", "3.9.1");
    machine.script("opt/python/broken/bin/python3", "echo no >&2; exit 3");
    fs::create_dir_all(machine.path("opt/python/empty")).unwrap();
    std::os::unix::fs::symlink("3.11.2", machine.path("opt/python/default")).unwrap();
    let scanned = scan(&[machine.path("opt/python"), machine.path("nowhere")], "python3");
    let discovered = run(search(LanguageName::Python, &[], scanned), &Places::default()).unwrap();
    assert_eq!(
        versions(&discovered),
        [
            ("3.11.2".to_owned(), Origin::Scan),
            ("3.9.1".to_owned(), Origin::Scan)
        ]
    );
    let notes = discovered.left_out.join("\n");
    assert_eq!(discovered.left_out.len(), 2, "{notes}");
    assert!(notes.contains("again/bin/python3 is left out: "), "{notes}");
    assert!(
        notes.contains("broken/bin/python3 is left out: it ended with exit status: 3 and said 'no'"),
        "{notes}"
    );
}

/// Proves: EX1 (L)
#[test]
fn one_version_declared_twice_names_both_paths_and_settings() {
    let machine = Machine::new();
    let first = machine.r("a/bin/R", "4.4.1");
    let second = machine.r("b/bin/R", "4.4.1");
    let mut twice = search(LanguageName::R, &[&first], vec![]);
    twice.named.push(("Server.RVersion", second.clone()));
    assert_eq!(
        run(twice, &Places::default()).unwrap_err().to_string(),
        format!(
            "one version declared twice: R.Executable = {} and Server.RVersion = {} are both R 4.4.1; remove one of them",
            first.display(),
            second.display()
        )
    );
}

/// Proves: EX1 (L)
#[test]
fn a_wrong_path_is_told_with_its_setting() {
    let machine = Machine::new();
    let r = machine.r("opt/R/4.4.1/bin/R", "4.4.1");
    let plain = machine.path("plain");
    fs::write(&plain, "x").unwrap();
    let mute = machine.script("mute", "echo hello");
    for (path, said) in [
        (PathBuf::from("bin/R"), "is not an absolute path"),
        (machine.path("gone"), "can not be used: No such file"),
        (machine.path("opt/R/4.4.1"), r.to_str().unwrap()),
        (plain, "is not executable"),
        (mute, "gives no version: it said 'hello', which is no version"),
    ] {
        let error = run(search(LanguageName::R, &[&path], vec![]), &Places::default())
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with(&format!("R.Executable = {} ", path.display())),
            "{error}"
        );
        assert!(error.contains(said), "{error}");
    }
}

/// Proves: EX1 (L)
#[test]
fn an_interpreter_in_a_closed_home_is_passed_over() {
    let machine = Machine::new();
    let hidden = machine.python("home/.tools/bin/python3", "3.13.1");
    let wrapper = machine.script("wrapped/python3", &format!("exec {} \"$@\"", hidden.display()));
    let open = machine.python("usr/bin/python3", "3.11.2");
    fs::set_permissions(machine.path("home"), mode(0o700)).unwrap();
    let mut places = machine.places(&["home/.tools/bin", "wrapped", "usr/bin"]);
    let alone = run(search(LanguageName::Python, &[], vec![]), &places).unwrap();
    assert_eq!(alone.found[0].path, hidden);
    places.for_others = true;
    let discovered = run(search(LanguageName::Python, &[], vec![]), &places).unwrap();
    assert_eq!(discovered.found[0].path, open);
    let home = machine.path("home").display().to_string();
    assert_eq!(
        discovered.left_out,
        [
            format!(
                "{} is left out: other accounts can not pass {home}",
                hidden.display()
            ),
            format!(
                "{} is left out: other accounts can not pass {home}",
                wrapper.display()
            ),
        ]
    );
    let named = run(search(LanguageName::Python, &[&hidden], vec![]), &places).unwrap();
    assert_eq!(named.found.len(), 1);
    assert!(named.notes[0].contains(&home), "{:?}", named.notes);
}

/// Proves: EX1 (L)
#[test]
fn older_files_name_r_homes_and_scanning_can_be_off() {
    let machine = Machine::new();
    machine.r("opt/R/4.4.1/bin/R", "4.4.1");
    let home = machine.path("usr/lib/R");
    machine.r("usr/lib/R/bin/R", "4.2.2");
    let places = Places {
        r_homes: vec![home.clone()],
        r_parents: vec![machine.path("opt/R")],
        ..Places::default()
    };
    let language = |executable_scanning| Language {
        enabled: true,
        executable: Vec::new(),
        executable_scanning,
        version_matching: crate::runtimes::Matching::Nearest,
    };
    let off = language(false);
    let [named, ..] = searches([&off; 4], &[home], &places);
    let discovered = run(named, &places).unwrap();
    assert_eq!(
        versions(&discovered),
        [("4.2.2".to_owned(), Origin::Setting("Server.RVersion"))]
    );
    let [scanned, ..] = searches([&language(true), &off, &off, &off], &[], &places);
    let discovered = run(scanned, &places).unwrap();
    assert_eq!(
        versions(&discovered),
        [
            ("4.4.1".to_owned(), Origin::Scan),
            ("4.2.2".to_owned(), Origin::Scan)
        ]
    );
}

/// Proves: EX1 (L)
#[test]
fn a_language_that_is_off_is_not_looked_for() {
    let machine = Machine::new();
    let mut off = search(LanguageName::R, &[&machine.path("gone")], vec![]);
    off.enabled = false;
    let discovered = run(off, &Places::default()).unwrap();
    assert!(discovered.found.is_empty() && discovered.left_out.is_empty() && discovered.absent.is_empty());
    assert_eq!(discovered.runtimes.runtimes.len(), 1);
}

/// Proves: EX2 (L)
#[test]
fn an_executable_that_hangs_or_floods_is_ended() {
    let machine = Machine::new();
    let pid = machine.path("pid");
    let hangs = machine.script("hangs", &format!("sleep 600 & echo $! > {}; wait", pid.display()));
    let error = ask(LanguageName::R, &hangs, Duration::from_secs(1)).unwrap_err();
    assert_eq!(error.to_string(), "it did not answer within 1 s");
    let child = fs::read_to_string(&pid).unwrap();
    let lives = || {
        let state = fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
        !state.is_empty() && !state.contains(") Z ")
    };
    let patience = std::time::Instant::now();
    // The signal is sent by now, but the kernel delivers it in its own time.
    while lives() {
        assert!(
            patience.elapsed() < Duration::from_secs(20),
            "its child {child} lives on"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    let floods = machine.script(
        "floods",
        "while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done",
    );
    let error = ask(LanguageName::R, &floods, Duration::from_secs(60)).unwrap_err();
    assert!(matches!(error, AskError::NoVersion { .. }), "{error}");
}

/// Proves: EX2 (L)
#[test]
fn each_language_is_understood() {
    let machine = Machine::new();
    let devel = "case $1 in --version) echo 'R Under development (unstable) (2024-01-01 r1)';; *) printf 4.6.0;; esac";
    for (language, body, version) in [
        (
            LanguageName::R,
            "echo 'R version 4.2.2 Patched (2022-11-10 r83330)'",
            "4.2.2",
        ),
        (LanguageName::R, devel, "4.6.0"),
        (
            LanguageName::Python,
            "echo 3.14.0rc1; echo /usr/bin/python3",
            "3.14.0rc1",
        ),
        (LanguageName::Quarto, "echo 1.6.42", "1.6.42"),
        (LanguageName::Nodejs, "echo v20.11.1", "20.11.1"),
        (
            LanguageName::Quarto,
            "echo \"1.0.${CARGO_MANIFEST_DIR:+9}${USER:+9}4\"",
            "1.0.4",
        ),
    ] {
        let path = machine.script("program", body);
        let answer = ask(language, &path, Duration::from_secs(5)).unwrap();
        assert_eq!(answer.version.to_string(), version, "{body}");
    }
}
