//! What the API server refuses is said of a file too, and every rule of the definition refuses something.

use std::collections::BTreeSet;

use offhost::api::{parse_app, parse_job};
use serde::Deserialize;
use serde_json::{Value, json};

use super::schema;
use crate::repository::text;

/// One entry of the file.
#[derive(Deserialize)]
struct Refused {
    spec: Value,
    server: String,
    #[serde(default)]
    file: Option<String>,
}

fn refused(kind: &str) -> Vec<Refused> {
    serde_saphyr::from_str(&text(&format!("tests/fixtures/{kind}/refused.yaml"))).unwrap()
}

fn said_of(kind: &str, spec: &Value) -> Result<(), String> {
    let object = json!({
        "apiVersion": "offhost.dev/v1alpha1",
        "kind": kind,
        "metadata": { "name": "an-object" },
        "spec": spec,
    });
    let text = object.to_string();
    let read = match kind {
        "ContentApp" => parse_app(&text, "app.yaml").map(|_| ()),
        _ => parse_job(&text, "job.yaml").map(|_| ()),
    };
    read.map_err(|error| error.to_string())
}

/// Proves: PK5 (L, P)
#[test]
fn files_are_refused_for_what_the_definition_refuses() {
    let mut wrong = Vec::new();
    for (kind, fixtures) in [("ContentJob", "jobs"), ("ContentApp", "apps")] {
        for entry in refused(fixtures) {
            let said = said_of(kind, &entry.spec);
            let is_so = match (&said, &entry.file) {
                (Err(said), Some(part)) => said.contains(part),
                (Ok(()), None) => true,
                _ => false,
            };
            if !is_so {
                wrong.push(format!("{}: {said:?} instead of {:?}", entry.spec, entry.file));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Messages of the rules for one state; a rule that compares two states is tried by changing a job.
fn messages(schema: &Value, found: &mut BTreeSet<String>) {
    for rule in schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
    {
        if !rule["rule"].as_str().unwrap().contains("oldSelf") {
            found.insert(rule["message"].as_str().unwrap().to_owned());
        }
    }
    for property in schema["properties"].as_object().into_iter().flatten() {
        messages(property.1, found);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get(key) {
            messages(inner, found);
        }
    }
}

#[test]
fn every_rule_has_an_example() {
    for (kind, fixtures) in [("ContentJob", "jobs"), ("ContentApp", "apps")] {
        let mut all = BTreeSet::new();
        messages(&schema(kind)["properties"]["spec"], &mut all);
        let examples: Vec<String> = refused(fixtures).into_iter().map(|entry| entry.server).collect();
        let bare: Vec<&String> = all
            .iter()
            .filter(|message| {
                let beginning: String = message.chars().take(24).collect();
                !examples.iter().any(|example| example.contains(&beginning))
            })
            .collect();
        assert!(all.len() > 8, "{kind}: {all:?}");
        assert!(bare.is_empty(), "{kind}: {bare:?}");
    }
}
