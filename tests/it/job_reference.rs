//! `docs/job-reference.md` and `docs/app-reference.md`: every field of a job file and of the manifest of an application.
//! Made from the schema of the types themselves.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use offhost::api::app::AppFile;
use offhost::api::job::JobFile;
use serde_json::{Map, Value};

use crate::repository::{assert_page, text};

const HEAD: &str = "# Fields of a job file\n\n\
    Made from the program's own types by `make docs`; a test fails when it is out of date. How a job file is written:\n\
    [write-a-job.md](write-a-job.md).\n\n\
    A field that is not listed here is an error. Ids such as EX5 are those of [behaviours.md](behaviours.md).\n";

const APP_HEAD: &str = "# Fields of a ContentApp\n\n\
    Made from the program's own types by `make docs`; a test fails when it is out of date. The same manifest is applied to\n\
    a cluster with `kubectl`, and lies in the directory of manifests of `offhost serve`.\n\n\
    A field that is not listed here is an error. Ids such as SC2 are those of [behaviours.md](behaviours.md).\n";

/// The page of a kind: its head, its schema and its name.
fn markdown(head: &str, schema: &Value, kind: &str) -> String {
    let mut page = head.to_owned();
    let mut waiting = vec![kind.to_owned()];
    let mut seen = BTreeSet::new();
    while !waiting.is_empty() {
        let name = waiting.remove(0);
        if seen.insert(name.clone()) {
            let definition = schema["$defs"].get(&name).unwrap_or(schema);
            waiting.extend(section(&mut page, &name, definition));
        }
    }
    page
}

/// Writes one type; gives the names of the types it refers to.
fn section(page: &mut String, name: &str, definition: &Value) -> Vec<String> {
    let _ = write!(page, "\n## {name}\n\n{}\n\n", description(definition));
    if let Some(variants) = definition["oneOf"].as_array() {
        page.push_str("One of:\n\n");
        return variants
            .iter()
            .flat_map(|variant| choice(page, variant))
            .collect();
    }
    let required: BTreeSet<&str> = definition["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    page.push_str("| field | type | | meaning |\n|---|---|---|---|\n");
    let mut names = Vec::new();
    for (field, schema) in properties(definition) {
        let needed = if required.contains(field.as_str()) {
            "required"
        } else {
            ""
        };
        let _ = writeln!(
            page,
            "| `{field}` | {} | {needed} | {} |",
            kind(schema),
            description(schema)
        );
        names.extend(references(schema));
    }
    names
}

/// Writes one variant of an enumeration: a word, or a field that stands alone.
fn choice(page: &mut String, variant: &Value) -> Vec<String> {
    if let Some(word) = variant["const"].as_str() {
        let _ = writeln!(page, "- `{word}`: {}", description(variant));
    }
    let mut names = Vec::new();
    for (field, schema) in properties(variant) {
        let _ = writeln!(page, "- `{field}`, {}: {}", kind(schema), description(variant));
        names.extend(references(schema));
    }
    names
}

fn properties(definition: &Value) -> impl Iterator<Item = (&String, &Value)> {
    definition["properties"]
        .as_object()
        .into_iter()
        .flat_map(Map::iter)
}

fn description(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

/// Names of the types that this schema refers to, however deep.
fn references(schema: &Value) -> Vec<String> {
    match schema {
        Value::Object(map) => {
            let own = map
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(|path| path.rsplit('/').next());
            own.map(str::to_owned)
                .into_iter()
                .chain(map.values().flat_map(references))
                .collect()
        }
        Value::Array(list) => list.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// The type in words, with its bounds.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(options) = schema["anyOf"].as_array() {
        let options: Vec<String> = options
            .iter()
            .filter(|option| option["type"] != "null")
            .map(kind)
            .collect();
        return options.join(" or ");
    }
    let named = match &schema["type"] {
        Value::Array(types) => types
            .iter()
            .find_map(|name| name.as_str().filter(|name| *name != "null")),
        name => name.as_str(),
    };
    match named {
        Some("array") => format!("list of {}{}", kind(&schema["items"]), most(&schema["maxItems"])),
        Some("object") if schema["additionalProperties"]["x-kubernetes-int-or-string"] == true => {
            "map of quantities".to_owned()
        }
        Some("object") => "map of strings".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some("string") => format!("string{}", most(&schema["maxLength"])),
        Some("integer") => format!("integer, {} to {}", schema["minimum"], schema["maximum"]),
        other => panic!("the reference has no word for {other:?} in {schema}"),
    }
}

fn most(bound: &Value) -> String {
    bound
        .as_u64()
        .map(|bound| format!(", at most {bound}"))
        .unwrap_or_default()
}

#[test]
fn the_reference_is_what_the_types_say() {
    let jobs = schemars::schema_for!(JobFile).to_value();
    assert_page("docs/job-reference.md", &markdown(HEAD, &jobs, "ContentJob"));
    let apps = schemars::schema_for!(AppFile).to_value();
    assert_page("docs/app-reference.md", &markdown(APP_HEAD, &apps, "ContentApp"));
}

/// Every example of the pages is a job file that the program takes.
#[test]
fn the_examples_of_the_pages_are_job_files() {
    let mut count = 0;
    for page in ["README.md", "docs/write-a-job.md", "docs/accounts.md"] {
        for block in text(page).split("```yaml\n").skip(1) {
            let block = block.split("```").next().expect("a split has a first piece");
            if block.starts_with("apiVersion:") {
                let job: Result<JobFile, _> = serde_saphyr::from_str(block);
                assert!(
                    job.is_ok(),
                    "{page}: {:?}\n{block}",
                    job.err().map(|error| error.to_string())
                );
                count += 1;
            }
        }
    }
    assert!(count >= 3, "only {count} examples were found");
}
