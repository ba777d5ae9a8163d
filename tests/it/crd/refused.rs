//! What the API server refuses is said of a job file too, and every rule of the definition refuses something.

use std::collections::BTreeSet;

use offhost::api::parse_job;
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

fn refused() -> Vec<Refused> {
    serde_saphyr::from_str(&text("tests/fixtures/jobs/refused.yaml")).unwrap()
}

fn said_of(spec: &Value) -> Result<(), String> {
    let job = json!({
        "apiVersion": "offhost.dev/v1alpha1",
        "kind": "ContentJob",
        "metadata": { "name": "a-job" },
        "spec": spec,
    });
    parse_job(&job.to_string(), "job.yaml")
        .map(|_| ())
        .map_err(|error| error.to_string())
}

#[test]
fn job_files_are_refused_for_what_the_definition_refuses() {
    for entry in refused() {
        let said = said_of(&entry.spec);
        match entry.file {
            Some(part) => {
                let said = said.expect_err(&entry.server);
                assert!(said.contains(&part), "{said}\n{part}");
            }
            None => assert_eq!(said, Ok(()), "{}", entry.spec),
        }
    }
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
    let mut all = BTreeSet::new();
    messages(&schema()["properties"]["spec"], &mut all);
    let examples: Vec<String> = refused().into_iter().map(|entry| entry.server).collect();
    let bare: Vec<&String> = all
        .iter()
        .filter(|message| {
            let beginning: String = message.chars().take(24).collect();
            !examples.iter().any(|example| example.contains(&beginning))
        })
        .collect();
    assert!(all.len() > 12, "{all:?}");
    assert!(bare.is_empty(), "{bare:?}");
}
