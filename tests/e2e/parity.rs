//! The same job file in the local sandbox and in a Pod: what its process sees, line by line.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::job::{SOON, object};
use crate::release::{Release, another, copy, make_directory};
use crate::{api, cluster, support};

/// What the probe tries; a directory of the server that is covered is as good as none. `DATA` is the data directory.
const PLACES: [&str; 16] = [
    ".",
    "$HOME",
    "$TMPDIR",
    "/tmp/connect-workspaces",
    "/dev/shm",
    "/etc/rstudio-connect",
    "/opt/offhost",
    "/opt/offhost/runtime",
    "/opt/rstudio-connect/mnt/log",
    "DATA",
    "DATA/apps/other",
    "DATA/apps/other/secret",
    "DATA/jobs",
    "DATA/reports",
    "/etc/shadow",
    "/usr/bin",
];

/// Lines that may differ: how they begin, which behaviour has it so, and why.
const DIFFERENCES: [(&str, &str, &str); 15] = [
    (
        "variable HOSTNAME ",
        "EN3",
        "the runtime of containers sets it to the name of the Pod",
    ),
    (
        "variable PATH ",
        "EN3",
        "a server on a machine hands its own on, an image has none to hand on",
    ),
    (
        "limit NOFILE ",
        "SB8",
        "where no setting bounds it, it is what the machine or the node gives",
    ),
    (
        "mount /opt/offhost ",
        "SB4",
        "in a Pod the image of the helper is mounted whole, read-only",
    ),
    (
        "mount /opt/offhost/",
        "SB4",
        "in a Pod the copy of the bundle is made from a read-only mount of it",
    ),
    (
        "mount /tmp ",
        "SB4",
        "the root of a container is read-only: what is written is a volume",
    ),
    ("mount /var/tmp ", "SB4", "as /tmp"),
    (
        "mount /home",
        "FS5",
        "in a Pod a home is an empty volume, on a machine it is the account's own",
    ),
    (
        "mount /var/tmp/offhost-parity-",
        "SB2",
        "on a machine the data directory is there, and covered",
    ),
    ("place /home/", "FS5", "in a Pod that volume is empty"),
    (
        "place /opt/offhost ",
        "SB4",
        "it has the helper and what is mounted below besides the starters",
    ),
    (
        "place /opt/offhost/runtime lists ",
        "SB4",
        "the image has the README of the starters besides",
    ),
    (
        "place /opt/rstudio-connect/mnt/log ",
        "SB8",
        "in a Pod the helper keeps the output there",
    ),
    (
        "mount /tmp/connect-workspaces ",
        "SB2",
        "on a machine an empty directory covers those of others",
    ),
    (
        "place /usr/bin lists ",
        "RT1",
        "the image has other programs than the machine",
    ),
];

/// Proves: OH6 (P), EN3 (P), SB4 (P), SB8 (P), EN1 (P)
#[test]
fn a_job_sees_the_same_in_the_sandbox_and_in_a_pod() {
    if !cluster::there() || !support::needs("OFFHOST_TEST_ROOT", "the sandbox of other accounts needs root") {
        return;
    }
    let group: u32 = of_account("-g");
    let user: u32 = of_account("-u");
    let release = another(
        "parity",
        &json!({
            "runtimes": crate::release::runtimes(), "runAs": {"uid": user, "gid": group},
        }),
    );
    let local = tempfile::Builder::new()
        .prefix("offhost-parity-")
        .tempdir_in("/var/tmp")
        .unwrap();
    open(local.path());
    let data = local.path().join("data");
    let job = job(&data);
    let (here, code) = in_sandbox(local.path(), &job);
    let (there, code_there) = in_pod(&release, &job);
    assert_eq!((code, code_there), (7, 7), "{here}\n{there}");
    let (here, there) = (lines(&here), lines(&there));
    let (only_here, only_there) = (here.difference(&there), there.difference(&here));
    let differing = |line: &&String| !DIFFERENCES.iter().any(|(begin, _, _)| line.starts_with(begin));
    let wrong: Vec<String> = only_here
        .filter(differing)
        .map(|line| format!("sandbox: {line}"))
        .chain(
            only_there
                .filter(differing)
                .map(|line| format!("Pod:     {line}")),
        )
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(here.len() > 40, "{here:#?}");
}

fn of_account(flag: &str) -> u32 {
    let text = cluster::run(Command::new("id").args([flag, "rstudio-connect"]));
    text.trim().parse().unwrap()
}

/// A directory that every account may pass through.
fn open(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn job(data: &Path) -> Value {
    let places = PLACES.join(":").replace("DATA", data.to_str().unwrap());
    let command = json!([
        "/usr/bin/python3",
        "probe.py",
        "7",
        places,
        "two words",
        "",
        "$HOME",
        "ü*"
    ]);
    object(
        "probe",
        json!({
            "task": "Run", "bundle": {"path": "probe"}, "command": command,
            "env": [{"name": "GREETING", "value": "it's $(HOME) \"é\""}],
        }),
    )
}

/// Its output, and the exit code.
fn in_sandbox(below: &Path, job: &Value) -> (String, i32) {
    copy(&cluster::repository("tests/e2e/probe"), &below.join("probe"));
    let data = below.join("data");
    let settings = below.join("settings.gcfg");
    let text = format!(
        "[Server]\nDataDir = {}\nTempDir = /tmp\n[Applications]\nRunAs = rstudio-connect\n\
         [Python]\nEnabled = true\nExecutable = /usr/bin/python3\n",
        data.display()
    );
    fs::write(&settings, text).unwrap();
    let file = below.join("job.yaml");
    fs::write(&file, serde_yaml::to_string(job).unwrap()).unwrap();
    secret_of_another(&data);
    let output = cluster::try_run(
        Command::new(env!("CARGO_BIN_EXE_offhost"))
            .env_clear()
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .arg("run")
            .arg("--config")
            .arg(&settings)
            .arg(&file),
    );
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let jobs = data.join("jobs/probe");
    let keys = fs::read_dir(&jobs).unwrap_or_else(|error| panic!("{error}: {told}"));
    let key = keys
        .map(|entry| entry.unwrap().path())
        .find(|path| path.is_dir())
        .unwrap();
    let log = fs::read_to_string(key.join("task.log")).unwrap_or_else(|error| panic!("{error}: {told}"));
    (
        without_key(&log, key.file_name().unwrap().to_str().unwrap()),
        output.status.code().unwrap(),
    )
}

/// Another content item's file, which only the server may see.
fn secret_of_another(data: &Path) {
    let directory = data.join("apps/other");
    // The server must be able to put other items beside it.
    for made in [data, &data.join("apps"), &directory] {
        make_directory(made);
    }
    fs::write(directory.join("secret"), "secret").unwrap();
}

fn in_pod(release: &Release, job: &Value) -> (String, i32) {
    copy(
        &cluster::repository("tests/e2e/probe"),
        &release.incoming("probe"),
    );
    secret_of_another(&release.data);
    api::create(&api::jobs(&release.namespace), job);
    let job = crate::job::Job {
        release,
        name: "probe".to_owned(),
    };
    let seen = job.finished(SOON);
    let code = seen["status"]["exitCode"]
        .as_i64()
        .unwrap_or_else(|| panic!("{}", job.told()));
    let key = seen["status"]["attempts"][0]["key"].as_str().unwrap();
    (without_key(&job.log(&seen, 0), key), i32::try_from(code).unwrap())
}

/// The key of an attempt is in some paths, and differs from run to run.
fn without_key(text: &str, key: &str) -> String {
    text.replace(key, "KEY")
}

fn lines(text: &str) -> BTreeSet<String> {
    text.lines().map(str::to_owned).collect()
}
