//! The definition of `ContentJob`: kept files, and rules of the API's conventions that hold for every field.

mod refused;

use offhost::cluster::crd;
use serde_json::Value;

use crate::repository::assert_page;

/// What kubectl keeps of an object that is applied by the client may not be larger.
const MOST_BYTES: usize = 256 * 1024;

fn schema() -> Value {
    crd::definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"].take()
}

/// Every field with its path: those of `spec` and `status`, the items of lists and the values of maps.
fn fields() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for part in ["spec", "status"] {
        collect(part, &schema()["properties"][part], &mut found);
    }
    assert!(found.len() > 80, "only {} fields were found", found.len());
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
    let name = crd::name();
    assert_page(&format!("crds/{name}.yaml"), &crd::yaml());
    assert_page(&format!("charts/offhost/files/crds/{name}.yaml"), &crd::yaml());
}

#[test]
fn the_yaml_says_the_same_as_the_definition_and_can_be_applied_by_the_client() {
    let read: Value = serde_saphyr::from_str(&crd::yaml()).unwrap();
    assert_eq!(read, crd::definition());
    assert!(crd::definition().to_string().len() < MOST_BYTES);
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

/// The defaults of the schema are those that the types have.
#[test]
fn the_defaults_change_nothing() {
    let spec = schema()["properties"]["spec"].take();
    let mut given = serde_json::Map::new();
    for (name, field) in spec["properties"].as_object().unwrap() {
        if let Some(default) = field.get("default") {
            given.insert(name.clone(), default.clone());
        }
    }
    assert_eq!(given.len(), 4, "{given:?}");
    given.remove("startDeadlineSeconds");
    let read: offhost::api::job::ContentJobSpec = serde_json::from_value(given.into()).unwrap();
    assert_eq!(read, Default::default());
}

#[test]
fn everything_but_three_fields_is_immutable() {
    let spec = schema()["properties"]["spec"].take();
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
