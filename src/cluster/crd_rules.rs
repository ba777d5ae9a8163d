//! What the API server holds beyond the types: defaults, kinds of lists, bounds of what is not ours, and rules between
//! fields. `[]` stands for the items of a list, `{}` for the values of a map.

use serde_json::{Value, json};

/// What is held of one kind.
#[derive(Debug)]
pub(super) struct Rules {
    /// Defaults, so that what is in force can be read from the object.
    pub(super) defaults: &'static [(&'static str, Default)],
    /// Lists whose entries are told apart by a field: two managers can own an entry each, and no name comes twice.
    pub(super) maps: &'static [(&'static str, &'static str)],
    /// Lists in which nothing comes twice. Every other list is written as a whole.
    pub(super) sets: &'static [&'static str],
    /// Fields of `spec` that can be changed afterwards; `None` where all can.
    pub(super) mutable: Option<&'static [&'static str]>,
    /// Rules of its own, beside those of every kind.
    pub(super) own: &'static [Rule],
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Default {
    Word(&'static str),
    Number(i32),
    No,
}

/// A DNS-1123 label: what becomes part of a path, an object's name and a host name.
const IS_LABEL: &str = "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')";
const LABEL: &str = "must be 1 to 63 lower-case letters, digits and '-', with a letter or digit at both ends";
/// What can be limited; which devices can be had, the plan says.
const IS_RESOURCE: &str =
    "self.all(name, name in ['cpu', 'memory', 'pids', 'ephemeral-storage'] || name.contains('/'))";
const RESOURCE: &str =
    "must name 'cpu', 'memory', 'pids', 'ephemeral-storage' or a device such as 'nvidia.com/gpu'";
/// A quantity as the plan reads it. A whole number may be written as one.
const IS_QUANTITY: &str = "type(self) == int ? self > 0 : self.matches('^[+]?([0-9]+([.][0-9]*)?|[.][0-9]+)(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][-+]?[0-9]{1,2})?$')";
const QUANTITY: &str = "must be a quantity above zero such as 2, 500m or 1Gi";

/// A rule: where it holds, what must be true, the sentence when it is not, and the field that is at fault.
pub(super) type Rule = (&'static str, &'static str, &'static str, Option<&'static str>);

/// Rules of the fields that every kind has.
const SHARED: &[Rule] = &[
    (
        "",
        "size(self.metadata.name) <= 63 && !self.metadata.name.contains('.')",
        "`metadata.name` must be at most 63 characters and must not contain '.'",
        None,
    ),
    ("spec.content", IS_LABEL, LABEL, None),
    ("spec.variant", IS_LABEL, LABEL, None),
    (
        "spec.entrypoint",
        "!self.startsWith('/') && !self.matches('(^|/)[.][.](/|$)')",
        "must be a path relative to the content and must not contain '..'",
        None,
    ),
    (
        "spec.bundle",
        "[has(self.path), has(self.id), has(self.archive)].filter(given, given).size() <= 1",
        "must specify at most one of `path`, `id` and `archive`",
        None,
    ),
    (
        "spec.bundle.path",
        "size(self) > 0 && !self.startsWith('/') && !self.matches('(^|/)[.][.](/|$)')",
        "must be a path relative to the directory 'incoming' of the data volume and must not contain '..'",
        None,
    ),
    (
        "spec.bundle.id",
        "self.matches('^[1-9][0-9]{0,18}$')",
        "must be the number of a bundle",
        None,
    ),
    (
        "spec.env[]",
        "has(self.value) != has(self.valueFrom)",
        "must specify exactly one of `value` and `valueFrom`",
        None,
    ),
    (
        "spec.env[].name",
        "self.matches('^[A-Za-z_][A-Za-z0-9_]*$')",
        "must be letters, digits and '_', with no digit in front",
        None,
    ),
    (
        "spec.env[].valueFrom",
        "has(self.secretKeyRef) != has(self.configMapKeyRef)",
        "must specify exactly one of `secretKeyRef` and `configMapKeyRef`",
        None,
    ),
    ("spec.resources.limits", IS_RESOURCE, RESOURCE, None),
    ("spec.resources.requests", IS_RESOURCE, RESOURCE, None),
    ("spec.resources.limits{}", IS_QUANTITY, QUANTITY, None),
    ("spec.resources.requests{}", IS_QUANTITY, QUANTITY, None),
];

/// Bounds of Kubernetes' own condition, as its own kinds have them.
const CONDITION: [(&str, &str, i32); 4] = [
    ("message", "maxLength", 32_768),
    ("reason", "maxLength", 1024),
    ("type", "maxLength", 316),
    ("observedGeneration", "minimum", 0),
];

/// Adds all of it to the schema of the whole object.
pub(super) fn add(schema: &mut Value, rules: &Rules) {
    for (path, default) in rules.defaults {
        field(schema, path)["default"] = match default {
            Default::Word(word) => (*word).into(),
            Default::Number(number) => (*number).into(),
            Default::No => false.into(),
        };
    }
    conditions(field(schema, "status.conditions[]"));
    list_types(schema, "", rules);
    for (path, rule, message, at) in SHARED.iter().chain(rules.own) {
        validate(field(schema, path), rule, message, *at);
    }
    if let Some(mutable) = rules.mutable {
        immutable(field(schema, "spec"), mutable);
    }
}

/// The schema of a field.
fn field<'a>(schema: &'a mut Value, path: &str) -> &'a mut Value {
    let mut found = schema;
    for name in path.split('.').filter(|name| !name.is_empty()) {
        let plain = name.trim_end_matches(['[', ']', '{', '}']);
        found = &mut found["properties"][plain];
        match &name[plain.len()..] {
            "[]" => found = &mut found["items"],
            "{}" => found = &mut found["additionalProperties"],
            _ => {}
        }
    }
    found
}

fn validate(schema: &mut Value, rule: &str, message: &str, at: Option<&str>) {
    let mut validation = json!({ "rule": rule, "message": message });
    if let Some(at) = at {
        validation["fieldPath"] = at.into();
    }
    match schema["x-kubernetes-validations"].as_array_mut() {
        Some(validations) => validations.push(validation),
        None => schema["x-kubernetes-validations"] = json!([validation]),
    }
}

/// Holds for a field that is added or taken away as well, which a rule of the field itself would not see.
fn immutable(spec: &mut Value, mutable: &[&str]) {
    let names: Vec<String> = spec["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.clone())
        .collect();
    for name in names.iter().filter(|name| !mutable.contains(&name.as_str())) {
        let rule = format!(
            "has(self.{name}) == has(oldSelf.{name}) && (!has(self.{name}) || self.{name} == oldSelf.{name})"
        );
        validate(
            spec,
            &rule,
            "is immutable; create another job instead",
            Some(&format!(".{name}")),
        );
    }
}

fn conditions(item: &mut Value) {
    for (name, bound, value) in CONDITION {
        item["properties"][name][bound] = value.into();
    }
    item["properties"]["reason"]["minLength"] = 1.into();
    item["properties"]["status"]["enum"] = json!(["True", "False", "Unknown"]);
}

/// Says of every list how it is merged.
fn list_types(schema: &mut Value, path: &str, rules: &Rules) {
    if schema["type"] == "array" {
        let key = rules
            .maps
            .iter()
            .find(|(list, _)| *list == path)
            .map(|(_, key)| key);
        let kind = match key {
            Some(_) => "map",
            None if rules.sets.contains(&path) => "set",
            None => "atomic",
        };
        schema["x-kubernetes-list-type"] = kind.into();
        if let Some(key) = key {
            schema["x-kubernetes-list-map-keys"] = json!([key]);
        }
        list_types(&mut schema["items"], &format!("{path}[]"), rules);
    }
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for (name, property) in properties {
            let dot = if path.is_empty() { "" } else { "." };
            list_types(property, &format!("{path}{dot}{name}"), rules);
        }
    }
}
