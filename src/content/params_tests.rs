use serde_json::json;

use super::*;
use crate::content::facts::gather;
use crate::content::files::memory::Memory;

const REPORT: &str = "---\ntitle: Sales\nparams:\n  year: 2024\n  region:\n    label: Region\n    input: select\n    value: north\n    choices: [north, south]\n  start: !r Sys.Date()\n  flags: [1, two]\n---\n";

fn facts(files: &[(&str, &str)]) -> BundleFacts {
    gather(&Memory::new(files), &Default::default()).unwrap()
}

fn given(pairs: &[(&str, &str)]) -> Vec<Parameter> {
    pairs
        .iter()
        .map(|(name, value)| Parameter {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
        })
        .collect()
}

/// Proves: PK3 (L, P)
#[test]
fn a_report_declares_its_parameters_in_its_header() {
    let parameters = facts(&[("report.Rmd", REPORT)]).parameters.unwrap();
    assert_eq!(
        serde_json::to_value(parameters).unwrap(),
        json!({"year": 2024, "region": "north", "start": null, "flags": [1, "two"]})
    );
    assert_eq!(facts(&[("report.Rmd", "---\ntitle: a\n---\n")]).parameters, None);
    assert_eq!(facts(&[("report.Rmd", "no header")]).parameters, None);
}

/// Proves: PK3 (L, P)
#[test]
fn a_quarto_document_declares_parameters_in_header_chunk_and_project() {
    let facts = facts(&[
        ("_quarto.yml", "project:\n  type: default\nparams:\n  base: 1\n"),
        (
            "a.qmd",
            "---\nparams:\n  top: x\n---\n```{python}\n#| tags: [parameters]\nchunk = True\n```\n",
        ),
    ]);
    assert_eq!(
        serde_json::to_value(facts.parameters).unwrap(),
        json!({"base": 1, "top": "x", "chunk": true})
    );
}

/// Proves: PK3 (L, P)
#[test]
fn values_are_yaml_with_their_types() {
    let facts = facts(&[("report.Rmd", REPORT)]);
    let values = check_parameters(
        &facts,
        &given(&[
            ("year", "2025"),
            ("region", "\"2025\""),
            ("start", "2024-01-31"),
            ("flags", "[a, 2.5, true, {k: v}]"),
        ]),
    )
    .unwrap();
    assert_eq!(
        serde_json::to_value(values).unwrap(),
        json!({"year": 2025, "region": "2025", "start": "2024-01-31", "flags": ["a", 2.5, true, {"k": "v"}]})
    );
}

/// Proves: PK3 (L, P)
#[test]
fn a_parameter_the_report_does_not_have_is_refused_with_those_it_has() {
    let facts = facts(&[("report.Rmd", REPORT)]);
    let message = check_parameters(&facts, &given(&[("yaer", "1")]))
        .unwrap_err()
        .to_string();
    assert_eq!(
        message,
        "the report, whose parameters are 'flags', 'region', 'start', 'year', has none named 'yaer'; did you mean 'year'?"
    );
    let none = super::tests::facts(&[("report.Rmd", "---\ntitle: a\n---\n")]);
    let message = check_parameters(&none, &given(&[("year", "1")]))
        .unwrap_err()
        .to_string();
    assert!(message.contains("declares no parameters, so 'year'"), "{message}");
    assert_eq!(check_parameters(&none, &[]), Ok(BTreeMap::new()));
}

/// Proves: PK3 (L, P)
#[test]
fn a_value_that_is_code_or_no_yaml_or_given_twice_is_refused() {
    let facts = facts(&[("report.Rmd", REPORT)]);
    for value in [
        "!r system('id')",
        "[1, 2",
        "{a: }}",
        ".inf",
        "- a\n--- b",
        "? [a]\n: b",
    ] {
        let error = check_parameters(&facts, &given(&[("year", value)])).unwrap_err();
        assert!(matches!(error, ParameterError::Value { .. }), "{value}: {error}");
    }
    let twice = given(&[("year", "1"), ("year", "2")]);
    assert_eq!(
        check_parameters(&facts, &twice),
        Err(ParameterError::Twice {
            name: "year".to_owned()
        })
    );
}

/// Proves: PK3 (L, P)
#[test]
fn a_broken_header_or_notebook_is_an_error_that_names_the_file() {
    let broken = |name: &str, text: &str| {
        gather(&Memory::new(&[(name, text)]), &Default::default())
            .unwrap_err()
            .to_string()
    };
    let message = broken("report.Rmd", "---\nparams: [1\n---\n");
    assert!(
        message.starts_with("'report.Rmd': cannot read the YAML header"),
        "{message}"
    );
    let message = broken("report.Rmd", "---\nparams: [1]\n---\n");
    assert!(message.contains("'params' must be a mapping"), "{message}");
    let message = broken("a.ipynb", "{");
    assert!(message.starts_with("'a.ipynb' is not a notebook"), "{message}");
}

/// Proves: PK3 (L, P)
#[test]
fn a_value_that_grows_without_end_is_refused() {
    let facts = facts(&[("report.Rmd", REPORT)]);
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        laughs.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    for value in [laughs, "[".repeat(50_000) + &"]".repeat(50_000)] {
        assert!(check_parameters(&facts, &given(&[("year", &value)])).is_err());
    }
}
