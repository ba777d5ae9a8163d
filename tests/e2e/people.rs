//! What a publisher does with the program and a token, and nothing else.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::release::{Release, shared};
use crate::{api, cluster};

/// A kubeconfig with a token of a service account that has the chart's role for publishers.
fn publisher(release: &Release, directory: &TempDir, name: &str) -> PathBuf {
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}});
    api::create(&api::core(&release.namespace, "serviceaccounts"), &account);
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "offhost-publisher"},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": release.namespace}],
    });
    let bindings = format!(
        "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
        release.namespace
    );
    api::create(&bindings, &binding);
    let config = ["config", "view", "--raw", "--minify", "--output=json"];
    let mut config: Value =
        serde_json::from_str(&cluster::run(Command::new("kubectl").args(config))).unwrap();
    let token = cluster::run(release.kubectl().args(["create", "token", name]));
    let user = config["contexts"][0]["context"]["user"].take();
    config["contexts"][0]["context"] = json!({
        "user": user, "cluster": config["clusters"][0]["name"], "namespace": release.namespace,
    });
    // A certificate would come before the token.
    config["users"] = json!([{"name": user, "user": {"token": token.trim()}}]);
    let path = directory.path().join("kubeconfig");
    std::fs::write(&path, config.to_string()).unwrap();
    path
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Proves: OH1 (P), AP2 (P), RA2 (P)
#[test]
fn a_publisher_deploys_runs_and_reads_with_a_token_alone() {
    if !cluster::there() {
        return;
    }
    let release = shared();
    let directory = tempfile::tempdir().unwrap();
    let kubeconfig = publisher(release, &directory, "publisher");
    let offhost = || {
        let mut command = cluster::offhost();
        command
            .env("KUBECONFIG", &kubeconfig)
            .env_remove("OFFHOST_CLUSTER")
            .current_dir(directory.path());
        command
    };
    let script = cluster::repository("examples/script");
    let said = cluster::run(
        offhost()
            .args(["content", "deploy", "--cluster", "--content", "published"])
            .arg(&script),
    );
    println!("{said}");
    let deployed = release.data.join("apps/published/1/summary.py");
    assert!(deployed.exists(), "{said}");

    let job = directory.path().join("job.yaml");
    let file = json!({
        "apiVersion": "offhost.dev/v1alpha1", "kind": "ContentJob", "metadata": {"name": "by-publisher"},
        "spec": {"content": "published", "task": "Run", "command": ["python3", "summary.py", "--year", "2024"]},
    });
    std::fs::write(&job, file.to_string()).unwrap();
    let ran = cluster::try_run(offhost().args(["run", "--cluster"]).arg(&job));
    assert!(ran.status.success(), "{}", text(&ran));
    let names: Vec<String> = api::list(&api::jobs(&release.namespace))
        .iter()
        .filter(|job| job["spec"]["content"] == "published" && job["spec"]["task"] == "Run")
        .map(|job| job["metadata"]["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names.len(), 1, "{names:?}");
    let output = cluster::run(offhost().args(["logs", &names[0]]));
    assert!(output.contains("north"), "{output}");

    let mut refused = file;
    refused["metadata"]["name"] = json!("as-somebody");
    refused["spec"]["runAs"] = json!("payroll");
    std::fs::write(&job, refused.to_string()).unwrap();
    let ran = cluster::try_run(offhost().args(["run", "--cluster"]).arg(&job));
    assert!(
        !ran.status.success() && text(&ran).contains("runas"),
        "{}",
        text(&ran)
    );
}
