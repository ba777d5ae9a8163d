//! Directories that can not be used (FS6, TD3): each is one sentence that says what to do, and nothing is started.

use super::place::{Call, Place};
use crate::support::needs;

const ROOT: &str = "it mounts directories in a namespace of its own";

fn run(place: &Place) -> Call {
    let job = place.canary_job();
    place.offhost(["run".as_ref(), job.as_os_str()])
}

/// Proves: TD3 (L)
#[test]
fn temporary_files_must_be_for_everybody_and_executable() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let mut place = Place::new();
    place.seed();
    let tmp = place.text("tmp");
    let mount = format!("mount -t tmpfs -o mode=1777,noexec tmpfs {tmp}");
    place.refused(
        run(&place).after(&mount),
        65,
        &["Server.TempDir", &tmp, "noexec", "remount it with exec"],
    );
    for mode in ["0755", "0777", "1755"] {
        let mount = format!("mount -t tmpfs -o mode={mode} tmpfs {tmp}");
        place.refused(
            run(&place).after(&mount),
            65,
            &["Server.TempDir", &tmp, mode, "chmod 1777"],
        );
    }
    let mount = format!("mount -t tmpfs -o mode=1777,ro tmpfs {tmp}");
    place.refused(run(&place).after(&mount), 65, &["Server.TempDir", &tmp]);
    for (name, words) in [
        ("gone", &["Server.TempDir", "does not exist", "create"][..]),
        (
            "etc/offhost.gcfg",
            &["Server.TempDir", "not a directory", "name a directory"],
        ),
    ] {
        let path = place.text(name);
        place.refused(run(&place).env("OFFHOST_SERVER_TEMPDIR", &path), 65, words);
    }
    place.file("closed/tmp/x", "");
    std::fs::set_permissions(
        place.path("closed"),
        std::os::unix::fs::PermissionsExt::from_mode(0o700),
    )
    .unwrap();
    std::fs::set_permissions(
        place.path("closed/tmp"),
        std::os::unix::fs::PermissionsExt::from_mode(0o1777),
    )
    .unwrap();
    place.configure(&format!("[Server]\nTempDir = {}", place.text("closed/tmp")));
    place.refused(run(&place), 65, &["closed", "chmod o+x"]);
}

/// Proves: FS6 (L)
#[test]
fn the_data_directory_must_be_there_and_writable() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    place.seed();
    let data = place.text("data");
    let read_only = format!("mount --bind {data} {data}\nmount -o remount,bind,ro {data}");
    place.refused(
        run(&place).after(&read_only),
        74,
        &[
            "Server.DataDir",
            &data,
            "mounted read-only",
            "mount it read-write",
        ],
    );
    for command in ["run", "list"] {
        for (name, code, words) in [
            ("gone", [65, 74], &["Server.DataDir", "does not exist"][..]),
            (
                "etc/offhost.gcfg",
                [65, 74],
                &["Server.DataDir", "not a directory"],
            ),
        ] {
            let list = command == "list";
            let call = if list {
                place.offhost(["content", "list"])
            } else {
                run(&place)
            };
            let call = call.env("OFFHOST_SERVER_DATADIR", &place.text(name));
            place.refused(call, code[usize::from(list)], words);
        }
    }
    let exposed = place.path("exposed");
    std::fs::create_dir(&exposed).unwrap();
    std::fs::set_permissions(&exposed, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let call = run(&place).env("OFFHOST_SERVER_DATADIR", &place.text("exposed"));
    place.refused(call, 74, &["Server.DataDir", "every account", "chmod o-w"]);
}

/// Proves: FS6 (L)
#[test]
fn every_configured_path_is_checked_before_anything_is_started() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    place.seed();
    let plain = place.file("work/plain", "");
    for (variable, value, words) in [
        (
            "OFFHOST_QUARTO_EXECUTABLE",
            "/gone/quarto",
            &["Quarto.Executable", "/gone/quarto"][..],
        ),
        (
            "OFFHOST_R_EXECUTABLE",
            "/gone/R",
            &["R.Executable", "/gone/R", "variable OFFHOST_R_EXECUTABLE"],
        ),
        (
            "OFFHOST_R_EXECUTABLE",
            plain.to_str().unwrap(),
            &["R.Executable", "not executable"],
        ),
        (
            "OFFHOST_APPLICATIONS_PANDOC2DIR",
            "/gone",
            &["Applications.Pandoc2Dir", "/gone", "does not exist"],
        ),
        (
            "OFFHOST_SQLITE_DIR",
            "/gone",
            &["SQLite.Dir", "/gone", "does not exist"],
        ),
        (
            "OFFHOST_EXECUTIONENVIRONMENTS_CONFIGFILEPATH",
            "/gone",
            &["ExecutionEnvironments.ConfigFilePath", "/gone"],
        ),
    ] {
        place.refused(run(&place).env(variable, value), 65, words);
    }
}
