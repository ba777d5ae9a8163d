//! `offhost plan --mode pod -o pod`: what would be posted, without a cluster.

use serde_json::Value;

use super::fake::Cluster;

const RUNTIMES: &str = "name: Kubernetes\nimages:\n- name: registry.example/content:py3.11\n  python: {installations: [{version: 3.11.2, path: /usr/bin/python3}]}\n";

fn cluster() -> Cluster {
    let cluster = Cluster::new();
    cluster.file("work/runtimes.yaml", RUNTIMES);
    cluster.file("work/script/run.py", "print(1)\n");
    cluster.file("work/script/requirements.txt", "six==1.16.0\n");
    cluster.file(
        "work/job.yaml",
        "apiVersion: offhost.dev/v1alpha1\nkind: ContentJob\nmetadata: {name: nightly, labels: {on: \"yes\"}}\nspec:\n\
         \x20 bundle: {path: script}\n  task: Run\n  command: [python3, run.py, \"no\"]\n  priorityClassName: high\n",
    );
    cluster
}

fn pods(text: &str) -> Vec<Value> {
    text.split("---\n")
        .skip(1)
        .map(|pod| serde_saphyr::from_str(pod).unwrap())
        .collect()
}

/// Proves: OH6 (P)
#[test]
fn the_pods_of_a_job_are_printed_as_they_would_be_posted() {
    let cluster = cluster();
    let settings = "[Server]\nDataDir = /var/lib/connect\n[Applications]\nRunAs = nobody\n[Kubernetes]\nNamespace = reports\n\
        DataDirPVCName = content\nExecImage = registry.example/offhost-exec:1\n";
    cluster.file("etc/offhost.gcfg", settings);
    let outcome = cluster.offhost(&["plan", "job.yaml", "--mode", "pod", "-o", "pod"]);
    let pods = pods(&outcome.succeeded().stdout);
    assert_eq!(pods.len(), 2, "{outcome:?}");
    let (install, task) = (&pods[0], &pods[1]);
    assert!(
        install["metadata"]["name"]
            .as_str()
            .unwrap()
            .starts_with("install-"),
        "{install}"
    );
    assert_eq!(task["metadata"]["name"], "nightly-00000000-1");
    assert_eq!(task["metadata"]["namespace"], "reports");
    // What other readers would take for a truth is written as text.
    assert_eq!(task["metadata"]["labels"]["on"], "yes");
    assert!(
        outcome.stdout.contains("\"yes\"") && outcome.stdout.contains("\"no\""),
        "{outcome:?}"
    );
    assert_eq!(task["spec"]["priorityClassName"], "high");
    let claim = "persistentVolumeClaim";
    let volumes = task["spec"]["volumes"].as_array().unwrap();
    assert!(
        volumes
            .iter()
            .any(|volume| volume[claim]["claimName"] == "content"),
        "{task}"
    );
    assert!(!outcome.stdout.contains("stands for it"), "{outcome:?}");
}

#[test]
fn what_is_not_set_has_a_stand_in() {
    let cluster = cluster();
    cluster.file("etc/offhost.gcfg", "[Applications]\nRunAs = nobody\n");
    let outcome = cluster.offhost(&["plan", "job.yaml", "--mode", "pod", "-o", "pod"]);
    for setting in ["Kubernetes.DataDirPVCName", "Kubernetes.ExecImage"] {
        assert!(
            outcome
                .succeeded()
                .stdout
                .contains(&format!("# {setting} is not set")),
            "{outcome:?}"
        );
    }
    let here = cluster.offhost(&["plan", "job.yaml", "-o", "pod"]);
    here.refused(65, &["a job of this machine has no Pods", "--mode pod"]);
}
