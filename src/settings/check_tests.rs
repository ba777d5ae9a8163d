use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::settings::{LoadOptions, load};

fn problems(make: impl FnOnce(&Path) -> String) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    fs::create_dir(&data).expect("made");
    let config = dir.path().join("f.gcfg");
    let text = make(dir.path());
    let data_dir = if text.contains("DataDir") {
        String::new()
    } else {
        format!("[Server]\nDataDir = {}\n", data.display())
    };
    fs::write(&config, format!("{text}{data_dir}")).expect("written");
    let options = LoadOptions {
        config: Some(config),
        ..LoadOptions::default()
    };
    let found = check_paths(&load(options).expect("good settings"));
    let here = format!("{}/", dir.path().display());
    found
        .iter()
        .map(|problem| problem.to_string().replace(&here, ""))
        .collect()
}

fn program(path: &Path, mode: u32) {
    fs::write(path, "#!/bin/sh\n").expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("changed");
}

/// Proves: FS6 (L, P)
#[test]
fn fs6_good_paths_raise_nothing() {
    let found = problems(|dir| {
        let at = dir.display();
        program(&dir.join("R"), 0o755);
        fs::write(dir.join("runtimes.yaml"), "").expect("written");
        format!(
            "[R]\nExecutable = {at}/R\n[Applications]\nSupervisor = {at}/R -x\nPandoc2Dir = {at}\n\
             [ExecutionEnvironments]\nConfigFilePath = {at}/runtimes.yaml\n\
             [RPackageRepository \"a\"]\nURL = file://{at}\n[RPackageRepository \"b\"]\nURL = https://x\n"
        )
    });
    assert_eq!(found, Vec::<String>::new());
}

/// Proves: FS6 (L, P)
#[test]
fn fs6_a_missing_path_is_named_with_its_setting_and_line() {
    let found = problems(|dir| {
        let at = dir.display();
        format!(
            "[Server]\nDataDir = {at}/none\nTempDir = {at}/f.gcfg/x\n[Database]\nDir = {at}/nodb\n\
             [Python]\nExecutable = {at}/f.gcfg\nExecutable = {at}/nopython\n\
             [RPackageRepository \"a\"]\nURL = file:{at}/norepo\n"
        )
    });
    assert_eq!(
        found,
        [
            "Server.DataDir names none (f.gcfg:2), which does not exist; create the directory or correct the setting",
            "Server.TempDir names f.gcfg/x (f.gcfg:3), which does not exist; correct the setting or put it there",
            "SQLite.Dir names nodb (f.gcfg:5), which does not exist; create the directory or correct the setting",
            "Python.Executable names f.gcfg (f.gcfg:7), which is not executable; change its mode to 0755 or name a program",
            "Python.Executable names nopython (f.gcfg:8), which does not exist; correct the setting or put it there",
            "RPackageRepository \"a\".URL names norepo (f.gcfg:10), which does not exist; create the directory or correct the setting",
        ]
    );
}

/// Proves: FS6 (L, P)
#[test]
fn fs6_a_path_of_the_wrong_type_is_named() {
    let found = problems(|dir| {
        let at = dir.display();
        program(&dir.join("prog"), 0o644);
        format!(
            "[Applications]\nPandoc1Dir = {at}/prog\nSupervisor = {at}/prog\n[R]\nExecutable = {at}/data\n\
             [ExecutionEnvironments]\nConfigFilePath = {at}/data\n"
        )
    });
    assert_eq!(
        found,
        [
            "Applications.Supervisor names prog (f.gcfg:3), which is not executable; change its mode to 0755 or name a program",
            "Applications.Pandoc1Dir names prog (f.gcfg:2), which is not a directory; name a directory",
            "R.Executable names data (f.gcfg:5), which is not a file; name a file",
            "ExecutionEnvironments.ConfigFilePath names data (f.gcfg:7), which is not a file; name a file",
        ]
    );
}
