//! What jobs make: output, results in force, packages.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::job::{Job, LATER, condition, shell};
use crate::release::{Release, copy, shared, use_index};
use crate::{api, cluster};

/// The file of the result that is in force.
fn served(release: &Release, content: &str, variant: &str, file: &str) -> PathBuf {
    release
        .data
        .join("reports/v2")
        .join(content)
        .join(variant)
        .join("active")
        .join(file)
}

fn read(path: PathBuf) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn report(content: &str, region: &str) -> Value {
    json!({
        "content": content, "bundle": {"path": "report"}, "task": "Render",
        "parameters": [
            {"name": "region", "value": region},
            {"name": "until", "value": "2024-12-31"},
        ],
    })
}

/// Proves: OH1 (P), PK8 (P), PK10 (P), SB8 (P), PW1 (P), EN1 (P)
#[test]
fn a_script_runs_and_its_output_is_kept() {
    if !cluster::there() {
        return;
    }
    let release = shared();
    let spec = json!({
        "task": "Run", "bundle": {"path": "script"}, "command": ["python3", "summary.py", "--year", "2025"],
    });
    let job = release.job("sales-summary", spec);
    let seen = job.succeeds();
    let text = job.log(&seen, 0);
    assert!(text.contains("north") && text.contains("south"), "{text}");
    assert_eq!(seen["status"]["exitCode"], 0);
    assert_eq!(seen["status"]["observedGeneration"], 1);
    assert_eq!(condition(&seen, "Accepted").status, "True");
    assert_eq!(condition(&seen, "EnvironmentReady").reason, "NotNeeded");
    let of_pod = cluster::run(
        release
            .kubectl()
            .args(["logs", "--selector=offhost.dev/job-name=sales-summary"]),
    );
    assert_eq!(of_pod, text);

    let facts = shell(
        "id; pwd; echo $HOME $TMPDIR $USER; touch /x 2>&1; ls /opt/rstudio-connect/mnt; ls /var/run/secrets 2>&1; true",
    );
    let job = release.job("facts", facts);
    let text = job.log(&job.succeeds(), 0);
    assert!(
        text.contains("uid=999") && text.contains("/opt/rstudio-connect/mnt/app\n"),
        "{text}"
    );
    assert!(
        text.contains("Read-only file system") && text.contains("'/var/run/secrets': No such"),
        "{text}"
    );
}

/// Two reports with the same packages: one job installs them, once.
///
/// Proves: PK1 (P), PK3 (P), RD1 (P), RD2 (P), RD3 (P), OH1 (P)
#[test]
fn reports_are_rendered_with_parameters_and_share_the_installation_of_their_packages() {
    if !cluster::there() {
        return;
    }
    let release = shared();
    let jobs = ["north", "south"].map(|region| {
        let name = format!("report-{region}");
        (region, release.job(&name, report(&name, region)))
    });
    for (region, job) in &jobs {
        let seen = job.succeeds_in(LATER);
        let html = read(served(release, &job.name, "default", "index.html"));
        assert!(
            html.contains(&format!("The <strong>{region}</strong> region sold")),
            "{html:.2000}"
        );
        let log = job.log(&seen, 0);
        assert!(!log.is_empty());
        assert!(
            seen["status"]["environments"][0]["path"]
                .as_str()
                .unwrap()
                .starts_with("packrat/")
        );
        let copies = release.data.join("reports/v2").join(&job.name).join("1");
        let left: Vec<_> = fs::read_dir(copies).map_or_else(|_| Vec::new(), Iterator::collect);
        assert!(left.is_empty(), "{left:?}");
    }
    let installs: Vec<String> = api::list(&api::jobs(&release.namespace))
        .iter()
        .filter(|job| job["spec"]["task"] == "Install" && job["spec"]["language"] == "R")
        .filter(|job| job["spec"]["content"].as_str().unwrap().starts_with("report-"))
        .map(|job| job["metadata"]["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(installs.len(), 1, "{installs:?}");

    // A second result replaces the first; one that waits for somebody does not.
    let again = release.job("report-again", report("report-north", "west"));
    again.succeeds_in(LATER);
    assert!(read(served(release, "report-north", "default", "index.html")).contains("<strong>west</strong>"));
    let mut manual = report("report-north", "south");
    manual["activation"] = json!("Manual");
    release.job("report-manual", manual).succeeds_in(LATER);
    assert!(read(served(release, "report-north", "default", "index.html")).contains("<strong>west</strong>"));
    assert!(release.data.join("reports/v2/report-north/default/3").is_dir());

    // A render that fails replaces nothing.
    let failing = release.job("report-failing", report("report-north", "nowhere"));
    let said = failing.finished(LATER);
    assert_eq!(condition(&said, "Succeeded").reason, "ProcessFailed");
    assert!(read(served(release, "report-north", "default", "index.html")).contains("<strong>west</strong>"));
}

/// Proves: PK4 (P), ST1 (P), ST2 (P)
#[test]
fn a_site_is_rendered() {
    if !cluster::there() {
        return;
    }
    let release = shared();
    let job = release.job(
        "handbook",
        json!({"bundle": {"path": "site"}, "task": "RenderSite"}),
    );
    job.succeeds_in(LATER);
    assert!(read(served(release, "handbook", "default", "regions.html")).contains("Team handbook"));
    assert!(read(served(release, "handbook", "default", "index.html")).contains("glue 1.6.2 comes from"));
    assert!(!served(release, "handbook", "default", "index.Rmd").exists());
}

/// Proves: PK2 (P), PK3 (P)
#[test]
fn a_notebook_is_executed_with_the_packages_it_asks_for() {
    if !cluster::there() {
        return;
    }
    let release = shared();
    let bundle = release.incoming("notebook");
    copy(&cluster::repository("examples/notebook"), &bundle);
    use_index(&bundle);
    let spec = json!({
        "bundle": {"path": "notebook"}, "task": "Render",
        "parameters": [{"name": "year", "value": "2025"}, {"name": "region", "value": "west"}],
    });
    let job: Job<'_> = release.job("sales-notebook", spec);
    let seen = job.succeeds_in(LATER);
    assert_eq!(seen["status"]["environments"][0]["language"], "Python");
    let directory = served(release, "sales-notebook", "default", "");
    let pages: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        pages
            .iter()
            .any(|name| name == "index.html" || name == "notebook.html"),
        "{pages:?}"
    );
}
