use super::super::job::{Activation, EnvVarSource};
use super::*;

const HEAD: &str = "apiVersion: offhost.dev/v1alpha1\nkind: ContentJob\nmetadata: {name: a-job}\n";

fn message(text: &str) -> String {
    let message = parse_job(text, "job.yaml").unwrap_err().to_string();
    assert!(message.starts_with("job.yaml:"), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    message
}

fn spec(spec: &str) -> String {
    format!("{HEAD}spec:\n  {}\n", spec.replace('\n', "\n  "))
}

#[test]
fn reads_a_whole_job() {
    let text = spec(
        "content: report\nbundle: {path: ./report}\ntask: Render\nparameters: [{name: year, value: \"2024\"}, {name: n, value: 7}]\n\
         env:\n- {name: A, value: b}\n- name: TOKEN\n  valueFrom: {secretKeyRef: {name: s, key: k}}\n\
         resources: {limits: {memory: 1Gi}}\ntimeoutSeconds: 60\nactivation: Manual",
    );
    let job = parse_job(&text, "job.yaml").unwrap();
    assert_eq!(job.spec.parameters[0].value, "2024");
    assert_eq!(job.spec.parameters[1].value, "7");
    assert!(matches!(&job.spec.env[1].value_from, Some(EnvVarSource::SecretKeyRef(key)) if key.key == "k"));
    assert_eq!(job.spec.activation, Activation::Manual);
}

#[test]
fn reads_json_and_an_empty_spec() {
    let text =
        r#"{"apiVersion":"offhost.dev/v1alpha1","kind":"ContentJob","metadata":{"name":"x"},"spec":{}}"#;
    assert_eq!(parse_job(text, "job.json").unwrap().spec, Default::default());
}

#[test]
fn refuses_two_documents() {
    let two = format!("{}---\n{}", spec("content: a"), spec("content: b"));
    let message = message(&two);
    assert!(
        message.contains("a second document begins here") && message.contains("file of its own"),
        "{message}"
    );
}

#[test]
fn refuses_other_objects_by_name() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: []}\n";
    assert!(message(pod).contains("apiVersion is 'v1'"));
    let app = pod.replace("v1", "offhost.dev/v1alpha1");
    assert!(message(&app).contains("kind is 'Pod'"));
    assert!(message("spec: {}\n").contains("has no apiVersion; add 'apiVersion: offhost.dev/v1alpha1'"));
    assert!(message("").contains("is empty"));
    assert!(message("# nothing\n").contains("is empty"));
}

#[test]
fn an_unknown_key_gets_a_suggestion() {
    let message = message(&spec("entrypiont: a.Rmd"));
    assert!(
        message.contains("entrypiont") && message.ends_with("did you mean 'entrypoint'?"),
        "{message}"
    );
    assert!(message.contains(":5: "), "{message}");
}

#[test]
fn refuses_what_is_no_job() {
    for text in [
        "- a\n",
        "42\n",
        "{",
        "spec: {}\nspec: {}\n",
        "a: &a [*a]\n",
        "\u{0}",
    ] {
        message(text);
    }
}

#[test]
fn names_are_labels() {
    for name in ["A", "a_b", "-a", "a-", "\"\"", "a.b", "../x"] {
        let text = format!(
            "apiVersion: offhost.dev/v1alpha1\nkind: ContentJob\nmetadata: {{name: {name}}}\nspec: {{}}\n"
        );
        assert!(message(&text).contains("metadata.name is '"), "{name}");
    }
    assert!(message(&spec("variant: Q1/2")).contains("spec.variant"));
}

#[test]
fn fields_that_exclude_each_other_are_refused() {
    for (text, expected) in [
        ("bundle: {path: a, id: '1'}", "spec.bundle has more than one"),
        ("env: [{name: A}]", "spec.env[0] has neither"),
        (
            "env: [{name: A, value: b, valueFrom: {secretKeyRef: {name: s, key: k}}}]",
            "spec.env[0] has both",
        ),
        (
            "env: [{name: A, value: b}, {name: A, value: c}]",
            "names 'A' twice",
        ),
        (
            "parameters: [{name: a, value: b}, {name: a, value: c}]",
            "names 'a' twice",
        ),
        ("task: Run", "spec.command is empty"),
        ("task: Render\ncommand: [ls]", "spec.command is given"),
        ("resources: {limits: {memroy: 1Gi}}", "did you mean 'memory'?"),
    ] {
        let message = message(&spec(text));
        assert!(message.contains(expected), "{message}");
    }
}

/// The bounds of the custom resource hold for the file.
#[test]
fn bounds_are_those_of_the_schema() {
    let long = |length: usize| "x".repeat(length);
    for (text, expected) in [
        (
            "timeoutSeconds: 0".to_owned(),
            "spec.timeoutSeconds is 0; at least 1",
        ),
        ("timeoutSeconds: 31536001".to_owned(), "at most 31536000"),
        (
            format!("entrypoint: {}", long(1025)),
            "spec.entrypoint has 1025 characters; at most 1024",
        ),
        (format!("runAs: {}", long(33)), "spec.runAs"),
        (
            "parameters: [{name: '', value: a}]".to_owned(),
            "spec.parameters[0].name has 0 characters; at least 1",
        ),
        (
            "env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: ''}}}]".to_owned(),
            "spec.env[0].valueFrom.secretKeyRef.key has 0",
        ),
        (format!("bundle: {{id: {}}}", long(64)), "spec.bundle.id"),
        (
            format!(
                "resources: {{limits: {{{}}}}}",
                [
                    "a: 1", "b: 1", "c: 1", "d: 1", "e: 1", "f: 1", "g: 1", "h: 1", "i: 1"
                ]
                .join(",")
            ),
            "spec.resources.limits has 9 entries; at most 8",
        ),
        (
            format!("resources: {{limits: {{cpu: {}}}}}", "1".repeat(33)),
            "spec.resources.limits.cpu has 33 characters; at most 32",
        ),
        (
            format!("command: [{}]\ntask: Run", ["a"; 1025].join(",")),
            "spec.command has 1025 entries",
        ),
    ] {
        let message = message(&spec(&text));
        assert!(message.contains(expected), "{message}");
    }
    assert!(parse_job(&spec(&format!("entrypoint: {}", long(1024))), "job.yaml").is_ok());
}
