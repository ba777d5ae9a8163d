//! The definitions of our kinds: kept files, and rules of the API's conventions that hold for every field.

mod refused;

use offhost::api::app::ContentAppSpec;
use offhost::api::job::ContentJobSpec;
use offhost::cluster::crd::{self, Definition};
use serde_json::Value;

use crate::repository::assert_page;

/// What kubectl keeps of an object that is applied by the client may not be larger.
const MOST_BYTES: usize = 256 * 1024;

fn schema_of(definition: &Definition) -> Value {
    definition.json()["spec"]["versions"][0]["schema"]["openAPIV3Schema"].take()
}

/// That of the kind with this name.
fn schema(kind: &str) -> Value {
    let definitions = crd::definitions();
    let found = definitions.iter().find(|definition| definition.kind() == kind);
    schema_of(found.unwrap_or_else(|| panic!("there is no definition of {kind}")))
}

/// Every field of all kinds with its path: those of `spec` and `status`, the items of lists and the values of maps.
fn fields() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for definition in crd::definitions() {
        let schema = schema_of(definition);
        for part in ["spec", "status"] {
            let path = format!("{}.{part}", definition.kind());
            collect(&path, &schema["properties"][part], &mut found);
        }
    }
    assert!(found.len() > 160, "only {} fields were found", found.len());
    found
}

fn collect(path: &str, schema: &Value, found: &mut Vec<(String, Value)>) {
    found.push((path.to_owned(), schema.clone()));
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        collect(&format!("{path}.{name}"), property, found);
    }
    for (key, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        if let Some(inner) = schema.get(key) {
            collect(&format!("{path}{mark}"), inner, found);
        }
    }
}

/// The paths of the fields that do not keep a rule.
fn breaking(keeps: impl Fn(&str, &Value) -> bool) -> Vec<String> {
    let found = fields();
    let breaking = found.iter().filter(|(path, schema)| !keeps(path, schema));
    breaking
        .map(|(path, schema)| format!("{path}: {schema}"))
        .collect()
}

fn assert_all(rule: &str, keeps: impl Fn(&str, &Value) -> bool) {
    let found = breaking(keeps);
    assert!(found.is_empty(), "{rule}\n{}", found.join("\n"));
}

#[test]
fn the_kept_definitions_are_what_the_types_say() {
    for definition in crd::definitions() {
        let name = definition.name();
        assert_page(&format!("crds/{name}.yaml"), &definition.yaml());
        assert_page(
            &format!("charts/offhost/files/crds/{name}.yaml"),
            &definition.yaml(),
        );
    }
}

#[test]
fn the_yaml_says_the_same_as_the_definition_and_can_be_applied_by_the_client() {
    for definition in crd::definitions() {
        let read: Value = serde_saphyr::from_str(&definition.yaml()).unwrap();
        assert_eq!(read, definition.json());
        assert!(definition.json().to_string().len() < MOST_BYTES);
    }
}

#[test]
fn every_field_is_described() {
    assert_all(
        "kubectl explain tells something of every field",
        |path, schema| {
            path.ends_with("[]")
                || path.ends_with("{}")
                || schema["description"]
                    .as_str()
                    .is_some_and(|text| text.ends_with('.'))
        },
    );
}

#[test]
fn every_field_has_one_type_and_is_never_null() {
    assert_all("a structural schema has one type a field", |_, schema| {
        let is_number_or_text = schema["x-kubernetes-int-or-string"] == true;
        let foreign = ["nullable", "title", "const", "oneOf", "allOf", "$ref", "$defs"];
        (is_number_or_text || schema["type"].is_string() && schema.get("anyOf").is_none())
            && foreign.iter().all(|key| schema.get(key).is_none())
            && !schema["additionalProperties"].is_boolean()
    });
}

#[test]
fn everything_is_bounded() {
    assert_all(
        "what is not bounded can not be checked at a known cost",
        |_, schema| {
            let has = |key: &str| schema[key].is_u64();
            match schema["type"].as_str() {
                Some("string") => {
                    has("maxLength") || schema["enum"].is_array() || schema["format"] == "date-time"
                }
                Some("array") => has("maxItems"),
                Some("object") => schema["properties"].is_object() || has("maxProperties"),
                Some("integer") => ["int32", "int64"]
                    .iter()
                    .any(|format| schema["format"] == *format),
                _ => schema["type"] == "boolean" || has("maxLength"),
            }
        },
    );
}

#[test]
fn every_list_says_how_it_is_merged() {
    assert_all(
        "server-side apply asks of every list how it is merged",
        |_, schema| {
            let is_map = schema["x-kubernetes-list-type"] == "map";
            let keys = schema["x-kubernetes-list-map-keys"].as_array();
            let keys_are_required = keys.is_some_and(|keys| {
                keys.iter().all(|key| {
                    schema["items"]["required"]
                        .as_array()
                        .is_some_and(|names| names.contains(key))
                })
            });
            schema["type"] != "array"
                || (schema["x-kubernetes-list-type"].is_string() && is_map == keys_are_required)
        },
    );
}

/// The defaults of a kind, without the one that its type leaves to whoever reads it.
fn defaults(kind: &str, but: &str) -> Value {
    let spec = schema(kind)["properties"]["spec"].take();
    let mut given = serde_json::Map::new();
    for (name, field) in spec["properties"].as_object().unwrap() {
        if let Some(default) = field.get("default") {
            given.insert(name.clone(), default.clone());
        }
    }
    assert!(given.remove(but).is_some(), "{given:?}");
    given.into()
}

/// The defaults of the schema are those that the types have.
#[test]
fn the_defaults_change_nothing() {
    let job = defaults("ContentJob", "startDeadlineSeconds");
    assert_eq!(job.as_object().unwrap().len(), 3, "{job}");
    let read: ContentJobSpec = serde_json::from_value(job).unwrap();
    assert_eq!(read, Default::default());
    let app = defaults("ContentApp", "drainTimeoutSeconds");
    assert_eq!(app, serde_json::json!({ "suspended": false }));
    let read: ContentAppSpec = serde_json::from_value(app).unwrap();
    assert_eq!(read, Default::default());
}

/// Proves: SC2 (P)
#[test]
fn an_application_is_scaled_by_its_least_number_of_processes() {
    let definition = crd::definitions()[1].json();
    let scale = &definition["spec"]["versions"][0]["subresources"]["scale"];
    assert_eq!(scale["specReplicasPath"], ".spec.minProcesses");
    for (key, part) in [
        ("specReplicasPath", "spec"),
        ("statusReplicasPath", "status"),
        ("labelSelectorPath", "status"),
    ] {
        let path = scale[key].as_str().unwrap();
        let name = path.strip_prefix(&format!(".{part}.")).unwrap();
        let field = schema("ContentApp")["properties"][part]["properties"][name].take();
        assert!(field.is_object(), "{path}");
    }
}

#[test]
fn everything_of_an_application_can_be_changed() {
    let text = schema("ContentApp").to_string();
    assert!(!text.contains("oldSelf"), "{text}");
}

#[test]
fn everything_but_three_fields_is_immutable() {
    let spec = schema("ContentJob")["properties"]["spec"].take();
    let rules = spec["x-kubernetes-validations"].as_array().unwrap();
    let fixed: Vec<&str> = rules
        .iter()
        .filter(|rule| rule["rule"].as_str().unwrap().contains("oldSelf"))
        .map(|rule| rule["fieldPath"].as_str().unwrap().trim_start_matches('.'))
        .collect();
    let all = spec["properties"].as_object().unwrap();
    let open: Vec<&String> = all
        .keys()
        .filter(|name| !fixed.contains(&name.as_str()))
        .collect();
    assert_eq!(open, ["retries", "suspended", "ttlSecondsAfterFinished"]);
}
