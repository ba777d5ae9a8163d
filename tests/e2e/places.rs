//! Clusters that have less: no image volumes, a quota, a broken file of images; and a chart that is upgraded.

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Value, json};

use crate::job::{SOON, condition, shell, with};
use crate::release::{Release, another, runtimes};
use crate::{api, cluster};

fn values() -> Value {
    json!({
        "runtimes": runtimes(), "content": {"imageVolumes": "never"},
        "config": {"Python": {"Enabled": true}},
    })
}

/// The helper comes by an init container.
fn plain() -> &'static Release {
    static PLAIN: LazyLock<Release> = LazyLock::new(|| another("plain", &values()));
    &PLAIN
}

/// Proves: OH1 (P), SB4 (P)
#[test]
fn without_image_volumes_an_init_container_brings_the_helper() {
    if !cluster::there() {
        return;
    }
    let job = plain().job("without-image-volumes", shell("echo works"));
    let seen = job.succeeds();
    assert_eq!(job.log(&seen, 0), "works\n");
    let pod = &job.pods()[0];
    assert_eq!(pod["spec"]["initContainers"].as_array().unwrap().len(), 1);
    assert!(
        pod["spec"]["volumes"]
            .as_array()
            .unwrap()
            .iter()
            .all(|volume| volume["image"].is_null())
    );
}

/// Proves: OH1 (P)
#[test]
fn a_job_waits_for_a_quota_and_says_so() {
    if !cluster::there() {
        return;
    }
    let release = another("quota", &values());
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}},
    });
    let path = api::core(&release.namespace, "resourcequotas");
    api::create(&path, &quota);
    // The quota holds once it was counted.
    let counted = || !api::get(&format!("{path}/few"))["status"]["used"].is_null();
    while !counted() {
        std::thread::sleep(Duration::from_millis(100));
    }
    let job = release.job("over-quota", shell("true"));
    let said = job.says("Succeeded", "Unknown", "PodRefused");
    assert!(
        said.contains("exceeded quota: few") && said.contains("raise the quota"),
        "{said}"
    );
    api::delete(&format!("{path}/few"));
    job.succeeds();
}

/// Proves: EX6 (P)
#[test]
fn a_broken_file_of_images_changes_nothing_and_a_good_one_is_taken_over() {
    if !cluster::there() {
        return;
    }
    let release = plain();
    let path = api::core(&release.namespace, "configmaps/offhost-runtimes");
    let change = |text: &str| {
        api::patch(&path, &json!({"data": {"runtimes.yaml": text}}));
        // The kubelet looks at its ConfigMaps when a Pod changes, else within a minute.
        let label = "?labelSelector=app.kubernetes.io%2Fname%3Doffhost";
        for pod in api::list(&(api::core(&release.namespace, "pods") + label)) {
            let pod = pod["metadata"]["name"].as_str().unwrap();
            let stamp = json!({"metadata": {"annotations": {"example.com/version": text.len().to_string()}}});
            api::patch(
                &format!("{}/{pod}", api::core(&release.namespace, "pods")),
                &stamp,
            );
        }
    };
    let good = runtimes();
    change("images: [");
    let broken = || {
        let log = ["logs", "--selector=app.kubernetes.io/name=offhost", "--tail=-1"];
        let log = cluster::run(release.kubectl().args(log));
        log.lines()
            .any(|line| line.contains("Runtimes refused") && line.contains("runtimes.yaml:"))
    };
    let end = std::time::Instant::now() + SOON;
    while !broken() {
        assert!(std::time::Instant::now() < end, "{}", release.told());
        std::thread::sleep(Duration::from_millis(500));
    }
    release.job("with-the-last-good-one", shell("true")).succeeds();

    let waiting = release.job(
        "new-image",
        with(shell("true"), &json!({"runtime": {"name": "example.test/new:1"}})),
    );
    let said = waiting.says("Accepted", "False", "RuntimeNotFound");
    assert!(said.contains("example.test/new:1"), "{said}");
    let mut more = good;
    more.as_array_mut()
        .unwrap()
        .push(json!({"name": "example.test/new:1", "matching": "exact"}));
    change(&more.to_string());
    waiting.wait(SOON, "accepted", |job| {
        condition(job, "Accepted").status == "True"
    });
    waiting.delete();
    waiting.is_gone();
}

/// Proves: OH2 (P)
#[test]
fn an_upgrade_of_the_chart_leaves_jobs_running() {
    if !cluster::there() {
        return;
    }
    let release = another("upgraded", &values());
    let jobs = [0, 1].map(|number| {
        release.job(
            &format!("through-upgrade-{number}"),
            shell("echo begins; sleep 25; echo ends"),
        )
    });
    for job in &jobs {
        job.runs();
    }
    let mut changed = values();
    changed["crds"] = json!({"install": false});
    changed["config"]["Scheduler"] = json!({"MemoryLimit": "2 GiB"});
    let pods = || {
        let label = "?labelSelector=app.kubernetes.io%2Fname%3Doffhost";
        let pods = api::list(&(api::core(&release.namespace, "pods") + label));
        pods.iter()
            .map(|pod| pod["metadata"]["uid"].to_string())
            .collect::<Vec<_>>()
    };
    let before = pods();
    release.install(&changed);
    assert!(pods().iter().any(|uid| !before.contains(uid)));
    for job in &jobs {
        let seen = job.succeeds();
        assert_eq!(seen["status"]["attempts"].as_array().unwrap().len(), 1);
        assert_eq!(job.log(&seen, 0), "begins\nends\n");
    }
    release.job("after-upgrade", shell("true")).succeeds();
}
