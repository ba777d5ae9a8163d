//! The definitions of our kinds for the API server, made from the types themselves.

use serde_json::{Value, json};

use super::crd_app::APP;
use super::crd_job::JOB;
use super::crd_rules::{self, Rules};
use crate::names::{GROUP, VERSION};

/// A column of `kubectl get`: name, type, path, and 1 where only `-o wide` shows it.
type Column = (&'static str, &'static str, &'static str, u8);

/// Where `kubectl scale` and autoscalers read and write.
#[derive(Debug)]
pub(super) struct Scale {
    pub(super) spec: &'static str,
    pub(super) status: &'static str,
    pub(super) selector: &'static str,
}

/// One of our kinds.
#[derive(Debug)]
pub struct Definition {
    pub(super) kind: &'static str,
    pub(super) plural: &'static str,
    pub(super) short: &'static str,
    pub(super) description: &'static str,
    pub(super) columns: &'static [Column],
    /// What `--field-selector` takes beside name and namespace (Kubernetes 1.31).
    pub(super) selectable: &'static [&'static str],
    pub(super) scale: Option<Scale>,
    pub(super) spec: fn() -> Value,
    pub(super) status: fn() -> Value,
    pub(super) rules: Rules,
}

/// All of them.
#[must_use]
pub fn definitions() -> [&'static Definition; 2] {
    [&JOB, &APP]
}

impl Definition {
    /// The kind: `ContentJob`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Its plural, as it stands in addresses: `contentjobs`.
    #[must_use]
    pub fn plural(&self) -> &'static str {
        self.plural
    }

    /// The name of the definition: `contentjobs.offhost.dev`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.{GROUP}", self.plural)
    }

    /// The definition. Plain JSON: the client library's own type would turn its whole numbers into fractions.
    #[must_use]
    pub fn json(&self) -> Value {
        let columns: Vec<Value> = self.columns.iter().map(column).collect();
        let selectable: Vec<Value> = self
            .selectable
            .iter()
            .map(|path| json!({ "jsonPath": path }))
            .collect();
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": { "name": self.name() },
            "spec": {
                "group": GROUP,
                "names": {
                    // Not in `all`: a third party's kinds do not belong to what everybody lists.
                    "categories": ["offhost"],
                    "kind": self.kind,
                    "listKind": format!("{}List", self.kind),
                    "plural": self.plural,
                    "shortNames": [self.short],
                    "singular": self.kind.to_lowercase(),
                },
                "scope": "Namespaced",
                "versions": [{
                    "name": VERSION,
                    "served": true,
                    "storage": true,
                    "additionalPrinterColumns": columns,
                    "selectableFields": selectable,
                    "subresources": self.subresources(),
                    "schema": { "openAPIV3Schema": self.schema() },
                }],
            },
        })
    }

    /// The definition as YAML, under a line that says where it comes from.
    #[must_use]
    pub fn yaml(&self) -> String {
        // A sentence stays on its line, however long.
        let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
        let text = serde_saphyr::to_string_with_options(&self.json(), options)
            .expect("a value of JSON has no form that YAML lacks");
        format!(
            "# Made by `offhost crd` from the program's own types.\n{}\n",
            text.trim_end()
        )
    }

    fn subresources(&self) -> Value {
        let mut subresources = json!({ "status": {} });
        if let Some(scale) = &self.scale {
            subresources["scale"] = json!({
                "specReplicasPath": scale.spec,
                "statusReplicasPath": scale.status,
                "labelSelectorPath": scale.selector,
            });
        }
        subresources
    }

    /// The schema of the whole object.
    fn schema(&self) -> Value {
        let mut schema = json!({
            "type": "object",
            "description": self.description,
            "required": ["spec"],
            "properties": {
                "apiVersion": { "type": "string", "description": "Version of the schema: offhost.dev/v1alpha1." },
                "kind": { "type": "string", "description": format!("Kind of the object: {}.", self.kind) },
                "metadata": { "type": "object" },
                "spec": (self.spec)(),
                "status": (self.status)(),
            },
        });
        crd_rules::add(&mut schema, &self.rules);
        schema
    }
}

fn column((name, kind, path, wide): &Column) -> Value {
    let mut column = json!({ "name": name, "type": kind, "jsonPath": path });
    if *wide > 0 {
        column["priority"] = (*wide).into();
    }
    column
}
