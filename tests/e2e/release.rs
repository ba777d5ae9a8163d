//! An installation of the chart, in a namespace of its own, with a directory of this machine for a volume.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::{api, cluster};

/// The account of the server and, unless a job says otherwise, of content.
const ACCOUNT: u32 = 999;
/// Marks the namespaces of this suite.
const MARK: &str = "offhost.dev/test";

/// A namespace with a volume, and the chart if it was installed there.
pub(crate) struct Release {
    pub(crate) namespace: String,
    /// The volume, as this machine sees it.
    pub(crate) data: PathBuf,
}

/// The release that most tests share: the chart as it is, with images besides that do not work.
pub(crate) fn shared() -> &'static Release {
    static SHARED: LazyLock<Release> = LazyLock::new(|| {
        remove_leftovers();
        let release = Release::prepare("shared");
        release.install(&json!({"runtimes": runtimes(), "config": config()}));
        release
    });
    &SHARED
}

/// Another release, beside the shared one, which has made the definitions.
pub(crate) fn another(name: &str, values: &Value) -> Release {
    let release = another_namespace(name);
    let mut all = json!({"crds": {"install": false}, "controller": {"replicas": 1}});
    merge(&mut all, values);
    release.install(&all);
    release
}

/// A namespace with a volume, beside the shared release, which has made the definitions.
pub(crate) fn another_namespace(name: &str) -> Release {
    shared();
    Release::prepare(name)
}

/// The project's own content image for everything; others only when they are named. It has no Quarto, and what was
/// rendered before it was published needs none, but the plan wants to know of one.
pub(crate) fn runtimes() -> Value {
    let entry = |name: String, more: Value| {
        let mut entry = json!({"name": name, "matching": "exact"});
        merge(&mut entry, &more);
        entry
    };
    json!([
        entry(
            cluster::image("offhost-content"),
            json!({
                "matching": "any",
                "r": {"installations": [{"version": "4.2.2", "path": "/usr/bin/R"}]},
                "python": {"installations": [{"version": "3.11.2", "path": "/usr/bin/python3"}]},
                "nodejs": {"installations": [{"version": "18.20.4", "path": "/usr/bin/node"}]},
                "quarto": {"installations": [{"version": "1.4.0", "path": "/usr/bin/quarto"}]},
            })
        ),
        entry(cluster::image("nothing"), json!({})),
        entry(
            cluster::image("offhost"),
            json!({"supervisor": "/usr/local/bin/with-modules --set default"})
        ),
    ])
}

/// Where packages come from, and which the image has.
pub(crate) fn config() -> Value {
    let text = std::fs::read_to_string(cluster::repository("examples/cluster/values.yaml")).unwrap();
    let mut config: Value = serde_yaml::from_str::<Value>(&text).unwrap()["config"].take();
    if let Ok(url) = std::env::var("OFFHOST_TEST_CRAN") {
        config["RPackageRepository \"CRAN\""] = json!({ "URL": url });
    }
    config
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

impl Release {
    /// A namespace that takes restricted Pods only, and a volume.
    pub(crate) fn prepare(name: &str) -> Self {
        let namespace = format!("e2e-{name}-{}", std::process::id());
        let labels = json!({MARK: "e2e", "pod-security.kubernetes.io/enforce": "restricted"});
        let object = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": namespace, "labels": labels},
        });
        api::create("/api/v1/namespaces", &object);
        let data = cluster::volumes().join(&namespace);
        make_directory(&data);
        make_directory(&data.join("incoming"));
        let release = Self { namespace, data };
        release.make_claim();
        for bundle in ["script", "report", "site"] {
            copy(
                &cluster::repository("examples").join(bundle),
                &release.incoming(bundle),
            );
        }
        release.bundle("tools", &[("README", "nothing\n")]);
        release
    }

    fn make_claim(&self) {
        let name = &self.namespace;
        let size = json!({"storage": "10Gi"});
        let volume = json!({
            "apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": {"name": name, "labels": {MARK: "e2e"}},
            "spec": {
                "accessModes": ["ReadWriteMany"], "capacity": size, "storageClassName": "",
                "persistentVolumeReclaimPolicy": "Retain",
                "hostPath": {"path": self.data, "type": "Directory"},
                "claimRef": {"namespace": name, "name": "data"},
            },
        });
        api::create("/api/v1/persistentvolumes", &volume);
        let claim = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data", "namespace": name},
            "spec": {
                "accessModes": ["ReadWriteMany"], "storageClassName": "", "volumeName": name,
                "resources": {"requests": size},
            },
        });
        api::create(&api::core(name, "persistentvolumeclaims"), &claim);
    }

    /// Installs or upgrades the chart, and waits until it is ready.
    pub(crate) fn install(&self, values: &Value) {
        // Two releases at once would both change what has no namespace.
        static ONE: Mutex<()> = Mutex::new(());
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = json!({
            "image": {"registry": cluster::registry(), "tag": "test"},
            "dataClaim": {"create": false, "existing": "data"},
        });
        merge(&mut all, values);
        let file = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
        serde_json::to_writer(&file, &all).unwrap();
        let mut helm = cluster::helm();
        helm.args(["upgrade", "--install", "offhost"])
            .arg(cluster::repository("charts/offhost"))
            .args([
                "--namespace",
                &self.namespace,
                "--take-ownership",
                "--wait",
                "--timeout",
                "120s",
            ])
            .arg("--values")
            .arg(file.path());
        if helm.get_program() == "helm4" {
            // Definitions that somebody applied by hand to this cluster.
            helm.arg("--force-conflicts");
        }
        let output = cluster::try_run(&mut helm);
        assert!(
            output.status.success(),
            "{}\n{}",
            String::from_utf8_lossy(&output.stderr),
            self.told()
        );
    }

    /// The directory of a bundle that jobs name by `spec.bundle.path`.
    pub(crate) fn incoming(&self, name: &str) -> PathBuf {
        self.data.join("incoming").join(name)
    }

    /// Puts a bundle on the volume.
    pub(crate) fn bundle(&self, name: &str, files: &[(&str, &str)]) {
        let directory = self.incoming(name);
        std::fs::create_dir_all(&directory).unwrap();
        for (file, text) in files {
            std::fs::write(directory.join(file), text).unwrap();
        }
    }

    /// `kubectl` in this namespace.
    pub(crate) fn kubectl(&self) -> Command {
        let mut command = Command::new("kubectl");
        command.args(["--namespace", &self.namespace]);
        command
    }

    /// The end of the controllers' logs, and all Pods.
    pub(crate) fn told(&self) -> String {
        let logs = [
            "logs",
            "--selector=app.kubernetes.io/name=offhost",
            "--tail=30",
            "--prefix",
        ];
        let outputs = [
            cluster::try_run(self.kubectl().args(["get", "pods", "--output=wide"])),
            cluster::try_run(self.kubectl().args(logs)),
        ];
        outputs
            .iter()
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// A directory of the server's account.
pub(crate) fn make_directory(path: &Path) {
    std::fs::create_dir_all(path).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::chown(path, Some(ACCOUNT), Some(ACCOUNT))
        .expect("the suite must be root, or the account of the server, to hand out directories");
}

/// Copies a bundle.
pub(crate) fn copy(from: &Path, to: &Path) {
    cluster::run(Command::new("cp").arg("-rL").arg(from).arg(to));
}

/// Has the packages of a bundle come from the indexes that Pods reach.
pub(crate) fn use_index(bundle: &Path) {
    let requirements = bundle.join("requirements.txt");
    if let Ok(index) = std::env::var("OFFHOST_TEST_PYPI")
        && let Ok(text) = std::fs::read_to_string(&requirements)
    {
        let host = index.split('/').nth(2).unwrap().split(':').next().unwrap();
        let text = format!("--index-url {index}\n--trusted-host {host}\n{text}");
        std::fs::write(&requirements, text).unwrap();
    }
    let lock = bundle.join("package-lock.json");
    if let Ok(index) = std::env::var("OFFHOST_TEST_NPM")
        && let Ok(text) = std::fs::read_to_string(&lock)
    {
        let mut whole: Value = serde_json::from_str(&text).unwrap();
        for (place, package) in whole["packages"].as_object_mut().unwrap() {
            if let Some(name) = place
                .rsplit("node_modules/")
                .next()
                .filter(|name| !name.is_empty())
            {
                let version = package["version"].as_str().unwrap();
                package["resolved"] = format!("{index}/{name}-{version}.tgz").into();
            }
        }
        std::fs::write(&lock, whole.to_string()).unwrap();
    }
}

/// Removes what an earlier run left: jobs would wait for a controller that is gone.
fn remove_leftovers() {
    for space in api::list(&format!("/api/v1/namespaces?labelSelector={MARK}%3De2e")) {
        let name = space["metadata"]["name"].as_str().unwrap();
        if is_of_a_running_suite(name) {
            continue;
        }
        api::delete(&format!("/apis/apps/v1/namespaces/{name}/deployments/offhost"));
        let free = json!({"metadata": {"finalizers": null}});
        for kind in [api::jobs(name), api::core(name, "pods")] {
            for object in api::find(&kind).map_or_else(Vec::new, |_| api::list(&kind)) {
                let path = format!("{kind}/{}", object["metadata"]["name"].as_str().unwrap());
                let _ = api::try_patch(&path, &free);
            }
        }
        api::delete(&format!("/api/v1/namespaces/{name}"));
        api::delete(&format!("/api/v1/persistentvolumes/{name}"));
        let of_all = "/apis/admissionregistration.k8s.io/v1";
        for kind in ["validatingadmissionpolicies", "validatingadmissionpolicybindings"] {
            api::delete(&format!("{of_all}/{kind}/offhost.{name}-runas"));
        }
        let _ = std::fs::remove_dir_all(cluster::volumes().join(name));
    }
}

fn is_of_a_running_suite(namespace: &str) -> bool {
    let pid = namespace.rsplit('-').next().unwrap_or_default();
    std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| {
        ["e2e", "pod_start", "app_start"]
            .iter()
            .any(|suite| name.starts_with(suite))
    })
}
