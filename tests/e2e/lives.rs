//! What happens to jobs from their beginning to their end: repetition, disruption, suspension, deletion.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::job::{SOON, condition, object, shell, with};
use crate::release::shared;
use crate::{api, cluster};

/// Proves: PK10 (P), OH1 (P)
#[test]
fn a_failure_is_repeated_as_often_as_asked() {
    if !cluster::there() {
        return;
    }
    let spec = with(shell("exit 3"), &json!({"retries": 1}));
    let job = shared().job("repeated", spec);
    let said = job.says("Succeeded", "Unknown", "ProcessFailed");
    assert!(said.contains("repetition 1 of at most 1"), "{said}");
    let said = job.fails("ProcessFailed");
    assert!(said.contains("2 attempts have failed"), "{said}");
    assert_eq!(job.get()["status"]["attempts"].as_array().unwrap().len(), 2);
}

/// Proves: OH2 (P)
#[test]
fn a_pod_that_was_deleted_is_replaced_and_not_counted() {
    if !cluster::there() {
        return;
    }
    let release = shared();
    let job = release.job("disrupted", shell("echo begins; sleep 4; echo ends"));
    let seen = job.runs();
    let pod = seen["status"]["podName"].as_str().unwrap();
    api::delete(&format!("{}/{pod}", api::core(&release.namespace, "pods")));
    let seen = job.succeeds();
    let attempts = seen["status"]["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2, "{attempts:?}");
    assert_eq!(attempts[0]["disrupted"], true);
    assert_eq!(attempts[0]["reason"], "Disrupted");
    assert_eq!(job.log(&seen, 0), "begins\n");
    assert_eq!(job.log(&seen, 1), "begins\nends\n");
}

/// Proves: OH1 (P), SB7 (P)
#[test]
fn a_suspended_job_ends_what_runs_and_goes_on_when_it_may() {
    if !cluster::there() {
        return;
    }
    let job = shared().job(
        "paused",
        with(shell("sleep 3; echo ends"), &json!({"suspended": true})),
    );
    job.says("Succeeded", "Unknown", "Suspended");
    assert!(job.pods().is_empty());
    api::patch(&job.path(), &json!({"spec": {"suspended": false}}));
    job.runs();
    api::patch(&job.path(), &json!({"spec": {"suspended": true}}));
    job.wait(SOON, "stopped", |job| {
        condition(job, "Succeeded").reason == "Suspended"
            && !job["status"]["attempts"][0]["completionTime"].is_null()
    });
    api::patch(&job.path(), &json!({"spec": {"suspended": false}}));
    let seen = job.succeeds();
    assert_eq!(seen["status"]["attempts"].as_array().unwrap().len(), 2);
    assert_eq!(seen["status"]["attempts"][0]["disrupted"], true);
}

/// Proves: OH3 (P)
#[test]
fn a_deleted_job_takes_along_what_it_left() {
    if !cluster::there() {
        return;
    }
    let release = shared();
    let spec = json!({"bundle": {"path": "slow"}, "task": "Render", "appMode": "rmd-static", "entrypoint": "slow.Rmd"});
    release.bundle(
        "slow",
        &[(
            "slow.Rmd",
            "---\ntitle: slow\n---\n\n```{r}\nSys.sleep(120)\n```\n",
        )],
    );
    let job = release.job("deleted", spec);
    let seen = job.runs();
    let reports = release.data.join("reports/v2/deleted");
    let made = || {
        let files = cluster::run(
            std::process::Command::new("find")
                .arg(&reports)
                .args(["-mindepth", "2"]),
        );
        files.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(!made().is_empty());
    let begun = Instant::now();
    job.delete();
    job.is_gone();
    println!("offhost/deleted-ms {}", begun.elapsed().as_millis());
    // What is left of its Pod, for the garbage collector, runs nothing.
    assert!(
        job.pods().iter().all(|pod| pod["status"]["phase"] == "Failed"),
        "{:?}",
        job.pods()
    );
    assert!(
        made().iter().all(|path| !path.contains("temp.render")),
        "{:?}",
        made()
    );
    assert!(!release.data.join("reports/v2/deleted/default/active").exists());
    assert!(fs::exists(job.directory(&seen, 0).join("log/task.log")).unwrap());
}

/// Proves: OH3 (P)
#[test]
fn a_finished_job_goes_after_its_time() {
    if !cluster::there() {
        return;
    }
    let spec = with(shell("true"), &json!({"ttlSecondsAfterFinished": 3}));
    let job = shared().job("short-lived", spec);
    job.succeeds();
    let begun = Instant::now();
    job.is_gone();
    assert!(begun.elapsed() > Duration::from_secs(1), "{:?}", begun.elapsed());
}

/// Proves: OH1 (P)
#[test]
fn applying_twice_changes_nothing() {
    if !cluster::there() {
        return;
    }
    let release = shared();
    for (name, more) in [
        ("applied", &[][..]),
        ("applied-by-server", &["--server-side"][..]),
    ] {
        let file = tempfile::NamedTempFile::new().unwrap();
        serde_json::to_writer(&file, &object(name, shell("true"))).unwrap();
        let apply = || {
            let mut command = release.kubectl();
            command.arg("apply").args(more).arg("--filename").arg(file.path());
            cluster::run(&mut command)
        };
        apply();
        let job = crate::job::Job {
            release,
            name: name.to_owned(),
        };
        let first = job.succeeds();
        let said = apply();
        if more.is_empty() {
            assert!(said.contains("unchanged"), "{said}");
        }
        std::thread::sleep(Duration::from_secs(1));
        let second = job.get();
        assert_eq!(first["metadata"]["generation"], second["metadata"]["generation"]);
        assert_eq!(first["status"], second["status"]);
        assert_eq!(first["spec"], second["spec"]);
    }
}

/// Proves: OH1 (P)
#[test]
fn gates_and_labels_are_those_of_the_pod() {
    if !cluster::there() {
        return;
    }
    let release = shared();
    let mut gated = object(
        "gated",
        with(
            shell("true"),
            &json!({"schedulingGates": ["example.com/queue"], "startDeadlineSeconds": 30}),
        ),
    );
    gated["metadata"]["labels"] = json!({"kueue.x-k8s.io/queue-name": "small"});
    let job = release.try_job(&gated).unwrap();
    let said = job.says("Succeeded", "Unknown", "Gated");
    assert!(said.contains("example.com/queue"), "{said}");
    let pods = job.pods();
    assert_eq!(pods.len(), 1);
    assert_eq!(
        pods[0]["metadata"]["labels"]["kueue.x-k8s.io/queue-name"],
        "small"
    );
    let path = format!(
        "{}/{}",
        api::core(&release.namespace, "pods"),
        pods[0]["metadata"]["name"].as_str().unwrap()
    );
    api::patch(&path, &json!({"spec": {"schedulingGates": null}}));
    job.succeeds();
}
