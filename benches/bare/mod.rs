//! The Pods without us that starts are compared with.

use serde_json::{Value, json};

use crate::cluster;

/// A Pod of the content image that runs a command, labelled `bench` with its name. With a directory of the claim `data` it
/// has the kinds of volumes that a Pod of ours has.
pub(crate) fn pod(name: &str, command: &[&str], data: Option<&str>) -> Value {
    let mut container = json!({
        "name": "content", "image": cluster::image("offhost-content"), "imagePullPolicy": "IfNotPresent",
        "command": command,
        "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
    });
    let mut spec = json!({
        "restartPolicy": "Never",
        "securityContext": {
            "runAsUser": 999, "runAsGroup": 999, "runAsNonRoot": true,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    });
    if let Some(data) = data {
        let scratch = ["tmp", "var-tmp", "home", "work"];
        let paths = ["/tmp", "/var/tmp", "/home", "/mnt/work"];
        let mut volumes = vec![json!({"name": "data", "persistentVolumeClaim": {"claimName": "data"}})];
        let mut mounts = vec![json!({"name": "data", "mountPath": "/mnt", "subPath": data})];
        for (name, path) in scratch.iter().zip(paths) {
            volumes.push(json!({"name": name, "emptyDir": {"sizeLimit": "1Gi"}}));
            mounts.push(json!({"name": name, "mountPath": path}));
        }
        volumes.push(json!({"name": "shm", "emptyDir": {"medium": "Memory"}}));
        mounts.push(json!({"name": "shm", "mountPath": "/dev/shm"}));
        volumes.push(json!({"name": "helper", "image": {"reference": cluster::image("offhost-exec")}}));
        mounts.push(json!({"name": "helper", "mountPath": "/opt/offhost", "readOnly": true}));
        container["volumeMounts"] = mounts.into();
        spec["volumes"] = volumes.into();
        spec["automountServiceAccountToken"] = false.into();
    }
    spec["containers"] = json!([container]);
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"bench": name}}, "spec": spec})
}
