//! The definition of `ContentJob` for the API server, made from the types themselves.

use serde_json::{Value, json};

use super::{crd_rules, crd_schema};
use crate::api::job::ContentJobSpec;
use crate::api::status::ContentJobStatus;
use crate::names::{GROUP, KIND_CONTENT_JOB, PLURAL_CONTENT_JOB, VERSION};

/// Columns of `kubectl get`: name, type, path, and 1 where only `-o wide` shows it.
const COLUMNS: [(&str, &str, &str, u8); 10] = [
    ("Content", "string", ".status.content", 0),
    ("Task", "string", ".spec.task", 0),
    (
        "Succeeded",
        "string",
        ".status.conditions[?(@.type==\"Succeeded\")].status",
        0,
    ),
    (
        "Reason",
        "string",
        ".status.conditions[?(@.type==\"Succeeded\")].reason",
        0,
    ),
    ("Pod", "string", ".status.podName", 1),
    ("Node", "string", ".status.nodeName", 1),
    ("Image", "string", ".status.image", 1),
    ("Exit-Code", "integer", ".status.exitCode", 1),
    ("Result", "integer", ".status.result.number", 1),
    ("Age", "date", ".metadata.creationTimestamp", 0),
];
/// What `--field-selector` takes beside name and namespace (Kubernetes 1.31).
const SELECTABLE: [&str; 2] = [".spec.content", ".spec.task"];

/// The name of the definition: `contentjobs.offhost.dev`.
#[must_use]
pub fn name() -> String {
    format!("{PLURAL_CONTENT_JOB}.{GROUP}")
}

/// The definition. Plain JSON: the client library's own type would turn its whole numbers into fractions.
#[must_use]
pub fn definition() -> Value {
    let columns = COLUMNS.map(|(name, kind, path, wide)| {
        let mut column = json!({ "name": name, "type": kind, "jsonPath": path });
        if wide > 0 {
            column["priority"] = wide.into();
        }
        column
    });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": name() },
        "spec": {
            "group": GROUP,
            "names": {
                // Not in `all`: a third party's kinds do not belong to what everybody lists.
                "categories": ["offhost"],
                "kind": KIND_CONTENT_JOB,
                "listKind": format!("{KIND_CONTENT_JOB}List"),
                "plural": PLURAL_CONTENT_JOB,
                "shortNames": ["cjob"],
                "singular": KIND_CONTENT_JOB.to_lowercase(),
            },
            "scope": "Namespaced",
            "versions": [{
                "name": VERSION,
                "served": true,
                "storage": true,
                "additionalPrinterColumns": columns,
                "selectableFields": SELECTABLE.map(|path| json!({ "jsonPath": path })),
                "subresources": { "status": {} },
                "schema": { "openAPIV3Schema": schema() },
            }],
        },
    })
}

/// The definition as YAML, under a line that says where it comes from.
#[must_use]
pub fn yaml() -> String {
    // A sentence stays on its line, however long.
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    let text = serde_saphyr::to_string_with_options(&definition(), options)
        .expect("a value of JSON has no form that YAML lacks");
    format!(
        "# Made by `offhost crd` from the program's own types.\n{}\n",
        text.trim_end()
    )
}

/// The schema of the whole object.
fn schema() -> Value {
    let mut schema = json!({
        "type": "object",
        "description": "A finite task on a content item: a deployment, an installation, a render, a site render or a command.",
        "required": ["spec"],
        "properties": {
            "apiVersion": { "type": "string", "description": "Version of the schema: offhost.dev/v1alpha1." },
            "kind": { "type": "string", "description": "Kind of the object: ContentJob." },
            "metadata": { "type": "object" },
            "spec": crd_schema::of::<ContentJobSpec>(),
            "status": crd_schema::of::<ContentJobStatus>(),
        },
    });
    crd_rules::add(&mut schema);
    schema
}
