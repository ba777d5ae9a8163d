//! Notebooks, and bundles as a publishing client makes them.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::bundle;
use super::place::{ACCOUNT, cache, is_ready, must_run, place};
use crate::repository;

/// The publishing client whose bundles are tried.
const CLIENT: &str = "rsconnect-python==1.32.0";

/// What a client writes when the publisher lets the server use uv.
const ALLOWS_UV: &str = r#"{
  "version": 1,
  "metadata": {"appmode": "python-api", "entrypoint": "job"},
  "python": {
    "version": "3.11.2",
    "package_manager": {"name": "uv", "version": "0.9", "package_file": "requirements.txt", "allow_uv": true}
  },
  "files": {"job.py": {"checksum": ""}, "requirements.txt": {"checksum": ""}}
}"#;

/// The environments of Python in the shared cache.
fn environments() -> Vec<PathBuf> {
    let versions =
        std::fs::read_dir(place().data("python-environments/pip")).expect("there are environments");
    let below = versions.flat_map(|version| std::fs::read_dir(version.expect("a version").path()));
    let names = below.flatten().map(|entry| entry.expect("an environment").path());
    names
        .filter(|path| path.join("pyvenv.cfg").exists() && path.join("bin/jupyter-nbconvert").exists())
        .collect()
}

/// Proves: PK2 (L), PK3 (L), PK9 (L), RD1 (L), RA4 (L)
#[test]
fn notebooks_with_equal_requirements_share_one_environment() {
    if !is_ready() {
        return;
    }
    let example = repository::root().join("examples/notebook");
    let run = |content: &str, region: &str| {
        let region = format!("region={region}");
        place().offhost([
            "run".as_ref(),
            example.as_os_str(),
            "--content".as_ref(),
            content.as_ref(),
            "--param".as_ref(),
            "year=2025".as_ref(),
            "--param".as_ref(),
            region.as_ref(),
        ])
    };
    let first = run("first-notebook", "west");
    let page = first.page();
    page.must_show("west 2025: ");
    page.must_show(&format!("account: {ACCOUNT}"));
    assert_eq!(page.pictures, 1, "the plot is in the page");
    assert!(!page.shows("pyplot"), "tagged input is hidden");
    assert!(
        first.line("installing Python packages") < first.line("offhost: rendering"),
        "packages come first: {}",
        first.err
    );
    let second = run("second-notebook", "north");
    second.page().must_show("north 2025: ");
    assert!(!second.installs(), "{}", second.err);
    assert!(
        !place()
            .data("reports/v2/first-notebook")
            .join("temp.render.1")
            .exists()
    );

    let by_client = made_by_the_client(&example);
    let from_directory = place().offhost(["run".as_ref(), by_client.as_os_str()]);
    from_directory.page().must_show("north 2024: ");
    assert!(!from_directory.installs(), "{}", from_directory.err);
    let archive = by_client.with_file_name("packed.tar.gz");
    bundle::pack(&by_client, &archive);
    let from_archive = place().offhost(["run".as_ref(), archive.as_os_str()]);
    assert_eq!(
        from_archive.result(),
        place().data("reports/v2/packed/default/1/index.html")
    );
    assert!(!from_archive.installs(), "{}", from_archive.err);
    assert_eq!(environments().len(), 1, "one for all four");
}

/// A bundle of the example's files, with a manifest that the client writes now.
fn made_by_the_client(example: &Path) -> PathBuf {
    let directory = place().bundle("by-client", &[]);
    std::fs::create_dir(&directory).expect("a directory is made");
    for file in ["notebook.ipynb", "requirements.txt", "sales.csv"] {
        std::fs::copy(example.join(file), directory.join(file)).expect("a file is copied");
    }
    must_run(
        Command::new(client())
            .args(["-m", "rsconnect.main", "write-manifest", "notebook"])
            .args(["--hide-tagged-input", "notebook.ipynb", "sales.csv"])
            .current_dir(&directory),
    );
    let manifest = std::fs::read_to_string(directory.join("manifest.json")).expect("a manifest was written");
    assert!(manifest.contains("\"jupyter-static\""), "{manifest}");
    directory
}

/// The interpreter of an environment with the client in it, kept by version.
fn client() -> PathBuf {
    let kept = cache().join(CLIENT.replace("==", "-"));
    let python = kept.join("bin/python");
    if !python.exists() {
        let own = kept.with_extension(format!("making-{}", std::process::id()));
        must_run(Command::new("/usr/bin/python3").args(["-m", "venv"]).arg(&own));
        must_run(
            Command::new(own.join("bin/python"))
                .args(["-m", "pip", "--quiet", "--disable-pip-version-check", "install"])
                .arg(CLIENT),
        );
        // Whole or not at all; another run may have been faster.
        if std::fs::rename(&own, &kept).is_err() {
            std::fs::remove_dir_all(&own).expect("what is not needed is removed");
        }
    }
    python
}

/// Proves: PK2 (L), PK10 (L)
#[test]
fn an_unknown_python_package_is_told_and_nothing_is_kept() {
    if !is_ready() {
        return;
    }
    let unknown = "offhost-test-package-that-is-nowhere==1.0\n";
    let files = [("requirements.txt", unknown), ("job.py", "print('never')\n")];
    let bundle = place().bundle("unknown-python", &files);
    let ran = place().offhost([
        "run".as_ref(),
        job_of(&bundle, "unknown-python", "[python3, job.py]").as_os_str(),
    ]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    assert_eq!(ran.out, "", "nothing has run");
    assert!(
        ran.err
            .contains("No matching distribution found for offhost-test-package"),
        "{}",
        ran.err
    );
    let closing = ran.err.lines().last().unwrap_or_default();
    assert!(
        closing.contains("packages could not be installed: the installation ended with exit code 1"),
        "{closing}"
    );
    let jobs = place().jobs("unknown-python");
    assert_eq!(jobs[0]["reason"], "InstallFailed", "{jobs:?}");
    assert_eq!(jobs[0]["exitCode"], 1);
}

/// Proves: PK2 (L)
#[test]
fn uv_installs_where_it_is_asked_for_and_present() {
    if !is_ready() {
        return;
    }
    let files = [
        ("manifest.json", ALLOWS_UV),
        ("requirements.txt", "six==1.17.0\n"),
        ("job.py", "import six; print(six.__version__)\n"),
    ];
    let bundle = place().bundle("by-uv", &files);
    let job = job_of(&bundle, "by-uv", "[python3, job.py]");
    let configuration = place().configure("uv", "[Python]\nPackageManager = uv\n");
    let plan = place().offhost_with(&configuration, ["plan".as_ref(), job.as_os_str()]);
    let is_there = ["/usr/local/bin/uv", "/usr/bin/uv", "/opt/uv/uv"]
        .iter()
        .any(|path| Path::new(path).is_file());
    let manager = if is_there { "uv" } else { "pip" };
    assert!(
        plan.out.contains(&format!("- --manager\n  - {manager}\n")),
        "{}{}",
        plan.out,
        plan.err
    );
    let ran = place().offhost_with(&configuration, ["run".as_ref(), job.as_os_str()]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(ran.out, "1.17.0\n", "{}", ran.err);
    assert_eq!(ran.err.contains("uv was not found"), !is_there, "{}", ran.err);
}

/// A job file beside a bundle.
fn job_of(bundle: &Path, name: &str, command: &str) -> PathBuf {
    let path = bundle.with_extension("yaml");
    let text = format!(
        "apiVersion: offhost.dev/v1alpha1\nkind: ContentJob\nmetadata:\n  name: {name}\nspec:\n  content: {name}\n  \
         bundle:\n    path: {}\n  task: Run\n  command: {command}\n",
        bundle.display()
    );
    std::fs::write(&path, text).expect("the job is written");
    path
}
