use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::api::job::Parameter;
use crate::content::facts::gather;
use crate::content::files::memory::Memory;
use crate::content::{BundleFacts, check_parameters};

const TODAY: &str = "2024-03-02";

fn of(files: &[(&str, &str)]) -> (BundleFacts, Result<Option<Form>, FormError>) {
    let files = Memory::new(files);
    let facts = gather(&files, &Default::default()).unwrap();
    let form = form(&files, &facts);
    (facts, form)
}

fn report(params: &str) -> Form {
    let text = format!("---\ntitle: a\nparams:\n{params}\n---\n");
    of(&[("report.Rmd", &text)]).1.unwrap().unwrap()
}

fn one(param: &str) -> Field {
    let lines: String = param.lines().map(|line| format!("  {line}\n")).collect();
    report(&lines).fields.remove(0)
}

/// What a job gets of these answers, in place of those of who changes nothing.
fn answered(form: &Form, given: &[(&str, &[&str])]) -> Result<BTreeMap<String, Value>, Vec<Problem>> {
    let mut sent = Sent::untouched(form, TODAY);
    for (control, texts) in given {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        sent.texts.insert((*control).to_owned(), texts);
    }
    form.read(&sent).map(|answers| answers.values)
}

fn values(form: &Form, given: &[(&str, &[&str])]) -> Value {
    serde_json::to_value(answered(form, given).unwrap()).unwrap()
}

fn choices(labels: &[(&str, Value)]) -> Vec<Choice> {
    let choice = |(label, value): &(&str, Value)| Choice {
        label: (*label).to_owned(),
        value: value.clone(),
        group: None,
    };
    labels.iter().map(choice).collect()
}

fn numbers(min: f64, max: f64, step: Option<f64>) -> Numbers {
    Numbers {
        min: Some(min),
        max: Some(max),
        step,
        is_whole: true,
    }
}

type Asked = (&'static str, Input, Initial);

/// Parameters, how each is asked for, and what it has without an answer.
fn plain_inputs() -> Vec<Asked> {
    vec![
        ("a: text", Input::Text, Initial::Value(json!("text"))),
        ("a: true", Input::Checkbox, Initial::Value(json!(true))),
        ("a: null", Input::Text, Initial::Nothing),
        ("a: [x, y]", Input::Lines, Initial::Value(json!(["x", "y"]))),
        ("a: [1, 2.5]", Input::Numbers, Initial::Value(json!([1, 2.5]))),
        ("a: {b: 1}", Input::Json, Initial::Value(json!({"b": 1}))),
        (
            "a: \"two\\nlines\"",
            Input::Area,
            Initial::Value(json!("two\nlines")),
        ),
        (
            "a: {value: 1, input: text}",
            Input::Text,
            Initial::Value(json!(1)),
        ),
        (
            "a: {value: x, input: password}",
            Input::Password,
            Initial::Value(json!("x")),
        ),
        (
            "a: {value: 'yes', input: checkbox}",
            Input::Checkbox,
            Initial::Value(json!(true)),
        ),
        (
            "a: {value: sales.csv, input: file, accept: .csv}",
            Input::File {
                accept: Some(".csv".to_owned()),
            },
            Initial::Value(json!("sales.csv")),
        ),
        (
            "a: !r Sys.getenv('USER')",
            Input::Text,
            Initial::Code("Sys.getenv('USER')".to_owned()),
        ),
        (
            "a: {value: x, input: unheard-of}",
            Input::Text,
            Initial::Value(json!("x")),
        ),
    ]
}

/// The same of days.
fn day_inputs() -> Vec<Asked> {
    let day = || Input::Date {
        first: None,
        last: None,
    };
    vec![
        ("a: !r Sys.Date() - 7", day(), Initial::Today(-7)),
        ("a: !date 2024-01-31", day(), Initial::Value(json!("2024-01-31"))),
        (
            "a: !r as.Date('2024-01-31')",
            day(),
            Initial::Value(json!("2024-01-31")),
        ),
        (
            "a: {value: 2024-01-31, input: date, min: 2024-01-01}",
            Input::Date {
                first: Some("2024-01-01".to_owned()),
                last: None,
            },
            Initial::Value(json!("2024-01-31")),
        ),
        (
            "a: !datetime 2024-01-31 12:30:00",
            Input::Time,
            Initial::Value(json!("2024-01-31 12:30:00")),
        ),
    ]
}

/// The same of numbers.
fn number_inputs() -> Vec<Asked> {
    let whole = |is_whole| Numbers {
        is_whole,
        ..Numbers::default()
    };
    vec![
        ("a: 2024", Input::Number(whole(true)), Initial::Value(json!(2024))),
        ("a: 0.5", Input::Number(whole(false)), Initial::Value(json!(0.5))),
        (
            "a: {value: 5, min: 0, max: 10}",
            Input::Slider(numbers(0.0, 10.0, None)),
            Initial::Value(json!(5)),
        ),
        (
            "a: {value: 5, input: slider, min: 0, max: 10, step: 5}",
            Input::Slider(numbers(0.0, 10.0, Some(5.0))),
            Initial::Value(json!(5)),
        ),
        (
            "a: {value: 5, input: slider}",
            Input::Number(whole(true)),
            Initial::Value(json!(5)),
        ),
        (
            "a: {value: [2, 8], input: slider, min: 0, max: 10}",
            Input::Span(numbers(0.0, 10.0, None)),
            Initial::Value(json!([2, 8])),
        ),
        (
            "a: {value: 5, input: numeric, max: 10}",
            Input::Number(Numbers {
                max: Some(10.0),
                ..whole(true)
            }),
            Initial::Value(json!(5)),
        ),
    ]
}

/// The same of choices.
fn choice_inputs() -> Vec<Asked> {
    let regions = || choices(&[("north", json!("north")), ("south", json!("south"))]);
    vec![
        (
            "a: {value: north, input: radio, choices: [north, south]}",
            Input::Choice {
                choices: regions(),
                is_open: true,
            },
            Initial::Value(json!("north")),
        ),
        (
            "a: {value: north, input: select, choices: [north, south]}",
            Input::Choice {
                choices: regions(),
                is_open: false,
            },
            Initial::Value(json!("north")),
        ),
        (
            "a: {value: north, input: select, multiple: true, choices: [north, south]}",
            Input::Several(regions()),
            Initial::Value(json!("north")),
        ),
        (
            "a: {value: all, input: select, choices: {The north: n, The south: s}}",
            Input::Choice {
                choices: choices(&[
                    ("all", json!("all")),
                    ("The north", json!("n")),
                    ("The south", json!("s")),
                ]),
                is_open: false,
            },
            Initial::Value(json!("all")),
        ),
        (
            "a:\n  value: !r NULL\n  input: select\n  choices: !r c(One = 1, Two = 2)",
            Input::Choice {
                choices: choices(&[("One", json!(1)), ("Two", json!(2))]),
                is_open: false,
            },
            Initial::Nothing,
        ),
    ]
}

/// Proves: PK6 (L)
#[test]
fn every_kind_of_input_of_r_markdown_is_known() {
    let asked = [plain_inputs(), day_inputs(), number_inputs(), choice_inputs()].concat();
    for (param, input, initial) in asked {
        let field = one(param);
        assert_eq!((field.input, field.initial), (input, initial), "{param}");
    }
}

/// Proves: PK6 (L)
#[test]
fn labels_hints_and_headings_are_those_of_the_report() {
    let long = one("a: {label: The region, value: 1, description: of the sales}");
    assert_eq!(
        (long.label.as_str(), long.help.as_deref()),
        ("The region", Some("of the sales"))
    );
    let unknown = one("a:\n  value: x\n  input: select\n  choices: !r unique(sales$region)");
    assert_eq!(unknown.input, Input::Text);
    assert_eq!(unknown.help.as_deref(), Some("One of: unique(sales$region)"));
    let grouped = one("a: {value: b, choices: {East: [a, b], West: {Sea: c}}}");
    let Input::Choice { choices, .. } = grouped.input else {
        panic!()
    };
    let groups: Vec<_> = choices
        .iter()
        .map(|choice| (choice.group.as_deref(), choice.label.as_str()))
        .collect();
    assert_eq!(
        groups,
        [(Some("East"), "a"), (Some("East"), "b"), (Some("West"), "Sea")]
    );
}

const NOTEBOOK: &str = r##"{"cells": [{"cell_type": "code", "metadata": {"tags": ["parameters"]},
 "source": ["year = 2024  # of the sales\n", "rate: float = 2.0\n", "region = 'north'\n", "deep = True\n", "codes = [1, 2]\n",
 "names = ['a', 'b']\n", "more = {'a': [1, None]}\n", "start = date.today()\n", "limit = None\n"]}],
 "metadata": {"kernelspec": {"language": "python", "name": "python3"}}, "nbformat": 4, "nbformat_minor": 5}"##;

/// Proves: PK6 (L)
#[test]
fn parameters_of_notebooks_keep_their_types() {
    let form = of(&[("nb.ipynb", NOTEBOOK)]).1.unwrap().unwrap();
    let names: Vec<&str> = form.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "year", "rate", "region", "deep", "codes", "names", "more", "start", "limit"
        ]
    );
    assert_eq!(form.fields[0].help.as_deref(), Some("of the sales"));
    assert_eq!(
        values(&form, &[]),
        json!({"year": 2024, "rate": 2.0, "region": "north", "deep": true, "codes": [1, 2], "names": ["a", "b"],
            "more": {"a": [1, null]}})
    );
    assert_eq!(
        values(
            &form,
            &[
                ("p0", &["2025"]),
                ("p1", &["3"]),
                ("p3", &[]),
                ("p4", &["7\n\n8.5\n"]),
                ("p5", &["x y\nz"]),
                ("p6", &["[]"]),
                ("p7", &["2024-01-01"]),
                ("p8", &["[1, 'a']"])
            ]
        ),
        json!({"year": 2025, "rate": 3.0, "region": "north", "deep": false, "codes": [7, 8.5], "names": ["x y", "z"],
            "more": [], "start": "2024-01-01", "limit": [1, "a"]})
    );
    assert_eq!(answered(&form, &[("p8", &["7"])]).unwrap()["limit"], json!(7));
}

/// Proves: PK6 (L)
#[test]
fn a_quarto_document_asks_for_what_it_declares_where_ever() {
    let form = of(&[
        ("_quarto.yml", "params: {base: 1, top: project}\n"),
        (
            "a.qmd",
            "---\nparams:\n  top: {value: x, input: select, choices: [x, y]}\n---\n```{python}\n#| tags: [parameters]\nchunk = True\n```\n",
        ),
    ]);
    let form = form.1.unwrap().unwrap();
    let fields: Vec<_> = form.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(fields, ["base", "top", "chunk"]);
    assert_eq!(
        values(&form, &[("p1", &["1"])]),
        json!({"base": 1, "top": "y", "chunk": true})
    );
    assert!(of(&[("a.qmd", "---\ntitle: a\n---\n")]).1.unwrap().is_none());
}

const ALL: &str = "  year: 2024
  region: {value: north, input: select, choices: [north, south]}
  kinds: {value: [a], input: select, multiple: true, choices: [a, b, c]}
  part: {value: [2, 8], input: slider, min: 0, max: 10}
  until: !r Sys.Date()
  deep: true
  secret: {value: none, input: password}
  data: {value: sales.csv, input: file}
  who: !r Sys.info()[['user']]
  note: ''";

/// Proves: PK6 (L)
#[test]
fn answers_become_typed_values() {
    let form = report(ALL);
    let untouched = json!({"year": 2024, "region": "north", "kinds": ["a"], "part": [2, 8], "until": TODAY, "deep": true, "note": ""});
    assert_eq!(values(&form, &[]), untouched);
    assert_eq!(
        values(
            &form,
            &[
                ("p0", &["1999.5"]),
                ("p1", &["1"]),
                ("p2", &["0", "2", "2"]),
                ("p3", &["3"]),
                ("p3-to", &["3"]),
                ("p4", &["2024-02-29"]),
                ("p5", &[]),
                ("p6", &["s3cret"]),
                ("p8", &["ann"]),
                ("p9", &["'; DROP"])
            ]
        ),
        json!({"year": 1999.5, "region": "south", "kinds": ["a", "c"], "part": [3, 3], "until": "2024-02-29", "deep": false,
            "secret": "s3cret", "who": "ann", "note": "'; DROP"})
    );
}

/// Proves: PK6 (L)
#[test]
fn what_does_not_fit_is_told_beside_its_field() {
    let form = report(ALL);
    let said = |control: &str, texts: &[&str]| {
        let problems = answered(&form, &[(control, texts)]).unwrap_err();
        assert_eq!(problems.len(), 1, "{control} {texts:?}");
        (problems[0].field, problems[0].message.clone())
    };
    for (control, texts, field, words) in [
        ("p0", &[""][..], 0, "Give a number."),
        ("p0", &["12 apples"], 0, "'12 apples' is no number"),
        ("p0", &["inf"], 0, "no number"),
        ("p0", &["1e999"], 0, "no number"),
        ("p1", &["2"], 1, "Choose one"),
        ("p1", &["north"], 1, "Choose one"),
        ("p1", &["01"], 1, "Choose one"),
        ("p1", &[""], 1, "Choose one"),
        ("p2", &["0", "9"], 2, "Choose from the values"),
        ("p3", &["11"], 3, "at most 10"),
        ("p3", &["-1"], 3, "at least 0"),
        ("p3", &["9"], 3, "9 is more than 8"),
        ("p4", &["2023-02-29"], 4, "no day"),
        ("p4", &["20240229"], 4, "no day"),
        ("p8", &["a\0b"], 8, "control character (U+0000)"),
    ] {
        let (at, message) = said(control, texts);
        assert_eq!(at, field, "{control} {texts:?}");
        assert!(message.contains(words), "{control} {texts:?}: {message}");
    }
    assert!(said("p9", &["x".repeat(10_001).as_str()]).1.contains("too long"));
    let both = answered(&form, &[("p0", &["a"]), ("p4", &["b"])]).unwrap_err();
    assert_eq!(both.len(), 2);
}

/// Proves: PK6 (L)
#[test]
fn a_password_is_in_nothing_but_its_value() {
    let form = report(ALL);
    let mut sent = Sent::untouched(&form, TODAY);
    assert_eq!(sent.texts["p6"], [""; 0], "the default is not shown either");
    assert!(!form.read(&sent).unwrap().has_secret);
    sent.texts.insert("p6".to_owned(), vec!["s3cret".to_owned()]);
    let answers = form.read(&sent).unwrap();
    assert!(answers.has_secret);
    assert!(!format!("{answers:?} {sent:?} {:?}", answers.told).contains("s3cret"));
    let (open, apart) = answers.split();
    assert!(!format!("{open:?}").contains("s3cret"));
    assert_eq!(
        (apart[0].name.as_str(), apart[0].value.as_str()),
        ("secret", r#""s3cret""#)
    );
    assert_eq!(open.len() + 1, answers.values.len());
}

/// Proves: PK6 (L)
#[test]
fn a_file_is_found_by_the_render_under_a_harmless_name() {
    let form = report(ALL);
    for (name, expected) in [
        ("my sales.csv", "p7-my_sales.csv"),
        ("../../etc/passwd", "p7-passwd"),
        ("C:\\a\\b.csv", "p7-b.csv"),
        ("ä\n.csv", "p7-__.csv"),
    ] {
        let mut sent = Sent::untouched(&form, TODAY);
        let file = SentFile {
            name: name.to_owned(),
            bytes: b"a,b".to_vec(),
        };
        sent.files.insert("p7".to_owned(), file);
        let answers = form.read(&sent).unwrap();
        assert_eq!(
            answers.values["data"],
            json!(format!("/opt/offhost/inputs/{expected}"))
        );
        assert_eq!(
            (answers.files[0].name.as_str(), &answers.files[0].bytes[..]),
            (expected, &b"a,b"[..])
        );
    }
    let mut sent = Sent::untouched(&form, TODAY);
    let long = SentFile {
        name: format!("{}.csv", "x".repeat(500)),
        bytes: Vec::new(),
    };
    sent.files.insert("p7".to_owned(), long);
    let name = form.read(&sent).unwrap().files[0].name.clone();
    assert!(name.len() < 120 && name.ends_with(".csv"), "{name}");
}

/// Proves: PK6 (L)
#[test]
fn a_form_has_bounds() {
    let many: String = (0..201).map(|at| format!("  p{at}: 1\n")).collect();
    let text = format!("---\nparams:\n{many}---\n");
    let error = of(&[("report.Rmd", &text)]).1.unwrap_err().to_string();
    assert!(
        error.contains("201 parameters, and a form can have 200"),
        "{error}"
    );
    let choices: Vec<String> = (0..5001).map(|at| at.to_string()).collect();
    let text = format!(
        "---\nparams:\n  a: {{value: 1, choices: [{}]}}\n---\n",
        choices.join(",")
    );
    assert!(matches!(
        of(&[("report.Rmd", &text)]).1,
        Err(FormError::TooMany { count: 5001, .. })
    ));
    let thousand = report(&format!(
        "  a: {{value: '7', choices: [{}]}}",
        choices[..1000].join(",")
    ));
    assert_eq!(values(&thousand, &[("p0", &["999"])]), json!({"a": 999}));
    let long = one(&format!("a: {{value: 1, label: {}}}", "ä".repeat(1000)));
    assert_eq!(long.label.chars().count(), 301);
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    /// Proves: PK6 (L)
    #[test]
    fn a_job_gets_exactly_what_was_answered(value in any_value()) {
        let facts = of(&[("report.Rmd", "---\nparams: {a: 1}\n---\n")]).0;
        let answers = Answers {
            values: [("a".to_owned(), value.clone())].into(),
            files: Vec::new(),
            apart: [].into(),
            has_secret: false,
            told: Vec::new(),
        };
        let parameters: Vec<Parameter> = answers.parameters();
        let read = check_parameters(&facts, &parameters).unwrap();
        prop_assert_eq!(&read["a"], &value);
    }

    /// Proves: PK6 (L)
    #[test]
    fn who_changes_nothing_gets_the_defaults(
        number in any::<i64>(), fraction in any::<f64>().prop_filter("finite", |number| number.is_finite()),
        text in "[^\\p{C}]{0,20}", yes in any::<bool>(), lines in proptest::collection::vec("[a-zé ]{0,5}[a-z]", 0..4),
    ) {
        let header = json!({"params": {"number": number, "fraction": fraction, "text": text, "yes": yes, "lines": lines,
            "of": {"value": text, "input": "select", "choices": [text, "other"]}}});
        let form = of(&[("report.Rmd", &format!("---\n{header}\n---\n"))]).1.unwrap().unwrap();
        let read = answered(&form, &[]).unwrap();
        prop_assert_eq!(&read["number"], &json!(number));
        prop_assert_eq!(&read["fraction"], &json!(fraction));
        prop_assert_eq!(&read["text"], &json!(text));
        prop_assert_eq!(&read["yes"], &json!(yes));
        prop_assert_eq!(&read["lines"], &json!(lines));
        prop_assert_eq!(&read["of"], &json!(text));
    }

    #[test]
    fn any_header_has_a_form_or_a_sentence(text in "(  [ab]: ?[-!'\\[\\]{}a-c0-9:,.()\" ]{0,20}\n){0,3}") {
        let text = format!("---\nparams:\n{text}---\n");
        let files = Memory::new(&[("report.Rmd", text.as_str())]);
        if let Ok(facts) = gather(&files, &Default::default()) {
            let form = form(&files, &facts).unwrap();
            let names: Vec<String> = form.iter().flat_map(|form| &form.fields).map(|field| field.name.clone()).collect();
            let declared: Vec<String> = facts.parameters.iter().flat_map(|declared| declared.keys().cloned()).collect();
            let mut sorted = names.clone();
            sorted.sort();
            prop_assert_eq!(sorted, declared);
            if let Some(form) = form {
                let _ = form.read(&Sent::untouched(&form, TODAY));
            }
        }
    }
}
